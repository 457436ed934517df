package reltio

import "net/http"

// serveCheck is the library's CheckTokenEndpoint: 200, or
// 400 for a token that is not accepted.
func (s *Server) serveCheck(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	o := s.options
	s.mu.Unlock()
	client, secret, ok := r.BasicAuth()
	switch {
	case !o.CheckEndpoint:
		oauthError(http.StatusForbidden, "access_denied", "Access is denied", false).write(w, 0)
	case !ok || !o.knowsClient(client, secret):
		oauthError(http.StatusUnauthorized, "unauthorized", "Full authentication is required", false).write(w, 0)
	case !s.Alive(r.PostFormValue("token")):
		oauthError(http.StatusBadRequest, "invalid_token", "Token was not recognised", false).write(w, 0)
	default:
		jsonReply(http.StatusOK, map[string]any{"active": true, "client_id": client}).write(w, 0)
	}
}
