package reltio

import (
	"net/http"
	"strings"
	"time"
)

// execute answers one token request, at one instant.
func (s *Server) execute(r *http.Request, seen *Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	o := s.options
	if s.overRate(o, now) {
		return tooMany(o.RetryAfter)
	}
	answer := s.respond(r, o, now)
	if answer.issued != nil {
		seen.AccessToken = fingerprint(answer.issued.value)
	}
	return answer
}

// overRate counts the requests of the last second, except refused ones.
func (s *Server) overRate(o Options, now time.Time) bool {
	if o.RequestsPerSecond <= 0 {
		return false
	}
	for len(s.served) > 0 && now.Sub(s.served[0]) >= time.Second {
		s.served = s.served[1:]
	}
	if len(s.served) >= o.RequestsPerSecond {
		return true
	}
	s.served = append(s.served, now)
	return false
}

// respond follows the library's order: client, scope, grant type, grant.
func (s *Server) respond(r *http.Request, o Options, now time.Time) reply {
	html := wantsHTML(r)
	fail := func(status int, code, description string) reply {
		return oauthError(status, code, description, html)
	}
	// BasicAuth splits the decoded header and leaves both halves as they are;
	// so does Reltio's server, against RFC 6749 section 2.3.1.
	client, secret, ok := r.BasicAuth()
	if !ok || !o.knowsClient(client, secret) {
		return clientRejected(r.URL.Path, html, now)
	}
	scope, ok := o.scope(r.Form.Get("scope"))
	if !ok {
		return fail(http.StatusBadRequest, "invalid_scope", "Invalid scope")
	}
	kind := r.Form.Get("grant_type")
	switch kind {
	case "password", "refresh_token", "client_credentials":
	case "":
		return fail(http.StatusBadRequest, "invalid_request", "Missing grant type")
	default:
		return fail(http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant type")
	}
	if !o.allows(kind) {
		return fail(http.StatusUnauthorized, "invalid_client", "Unauthorized grant type")
	}
	switch kind {
	case "password":
		user := r.Form.Get("username")
		if !o.knowsUser(user, r.Form.Get("password")) {
			s.wrongPasswords[user]++
			return fail(o.InvalidGrantStatus, "invalid_grant", "Bad credentials")
		}
		if o.MFA {
			return mfaChallenge()
		}
		return tokenReply(s.store.login(owner{client, user}, scope, true, o, now), true, o.LooseShape, now)
	case "client_credentials":
		return tokenReply(s.store.login(owner{client: client}, scope, false, o, now), false, o.LooseShape, now)
	}
	sent := r.Form.Get("refresh_token")
	token, why := s.store.renew(client, sent, r.Form.Get("scope"), o, now)
	echo := ""
	if o.EchoRefreshToken {
		echo = ": " + sent
	}
	switch why {
	case unknownToken:
		return fail(o.InvalidGrantStatus, "invalid_grant", "Invalid refresh token"+echo)
	case expiredToken:
		return fail(http.StatusUnauthorized, "invalid_token", "Invalid refresh token (expired)"+echo)
	}
	named := !o.OmitRefreshToken || token.refresh.value != sent
	return tokenReply(token, named, o.LooseShape, now)
}

// mfaChallenge is a 200 without an access token, which asks for a second factor.
func mfaChallenge() reply {
	return jsonReply(http.StatusOK, struct {
		StateToken string `json:"state_token"`
		ExpiresIn  int    `json:"expires_in"`
	}{newUUID(), 599})
}

// wantsHTML reports whether the client asked for a page and not for JSON.
func wantsHTML(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return strings.Contains(accept, "text/html") && !strings.Contains(accept, "application/json")
}
