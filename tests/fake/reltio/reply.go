package reltio

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// reply is a complete answer that is not sent yet.
type reply struct {
	status int
	header http.Header
	body   string
	issued *accessToken // the token in it
}

func jsonReply(status int, body any) reply {
	text, _ := json.Marshal(body)
	return reply{status: status, body: string(text), header: http.Header{
		"Content-Type":  {"application/json;charset=UTF-8"},
		"Cache-Control": {"no-store"},
		"Pragma":        {"no-cache"},
	}}
}

// tick is the least time between the creation of a token and its answer. Because the
// lifetime is cut to whole seconds, the answer for a token of 3599 s says 3598, and
// the token lives for up to a second longer.
const tick = time.Millisecond

// tokenReply is the reply with a token, in the order the library writes it.
func tokenReply(token *accessToken, withRefresh, loose bool, now time.Time) reply {
	body := struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type"`
		RefreshToken string `json:"refresh_token,omitempty"`
		ExpiresIn    any    `json:"expires_in"`
		Scope        any    `json:"scope"`
	}{AccessToken: token.value, TokenType: "bearer", Scope: token.scope}
	seconds := int64((token.expires.Sub(now) - tick) / time.Second)
	body.ExpiresIn = seconds
	if loose {
		body.TokenType, body.ExpiresIn, body.Scope = "Bearer", strconv.FormatInt(seconds, 10), strings.Fields(token.scope)
	}
	if withRefresh && token.refresh != nil {
		body.RefreshToken = token.refresh.value
	}
	r := jsonReply(http.StatusOK, body)
	r.issued = token
	return r
}

// oauthError is an error of the OAuth library. A 401 carries it as a challenge
// too. A client that asks for HTML gets a 500: the library cannot write its
// error as HTML and fails over that.
func oauthError(status int, code, description string, html bool) reply {
	if html {
		return htmlPage(http.StatusInternalServerError)
	}
	r := jsonReply(status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, description})
	if status == http.StatusUnauthorized {
		r.header.Set("WWW-Authenticate", fmt.Sprintf(`Bearer error="%s", error_description="%s"`, code, description))
	}
	return r
}

// clientRejected comes from the layer before the OAuth library: its "error" is
// the name of the status and no OAuth code.
func clientRejected(path string, html bool, now time.Time) reply {
	r := htmlPage(http.StatusUnauthorized)
	if !html {
		r = jsonReply(http.StatusUnauthorized, struct {
			Timestamp string `json:"timestamp"`
			Status    int    `json:"status"`
			Error     string `json:"error"`
			Path      string `json:"path"`
		}{now.UTC().Format("2006-01-02T15:04:05.000-07:00"), http.StatusUnauthorized, "Unauthorized", path})
	}
	r.header.Set("WWW-Authenticate", `Basic realm="oauth2/client"`)
	return r
}

func htmlPage(status int) reply {
	text := http.StatusText(status)
	return reply{
		status: status,
		header: http.Header{"Content-Type": {"text/html;charset=UTF-8"}, "Cache-Control": {"no-store"}},
		body: fmt.Sprintf("<html><body><h1>Whitelabel Error Page</h1>"+
			"<div>There was an unexpected error (type=%s, status=%d).</div></body></html>", text, status),
	}
}

func tooMany(retryAfter string) reply {
	r := jsonReply(http.StatusTooManyRequests, map[string]string{"message": "Too Many Requests"})
	if retryAfter != "" {
		r.header.Set("Retry-After", retryAfter)
	}
	return r
}

// write sends the response in chunks without a Content-Length. With cutAfter it
// sends that many bytes of the body and cuts the connection.
func (r reply) write(w http.ResponseWriter, cutAfter int) {
	for name, values := range r.header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(r.status)
	body := r.body
	if cutAfter > 0 {
		body = body[:min(cutAfter, len(body))]
	}
	_, _ = w.Write([]byte(body))
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
	if cutAfter > 0 {
		panic(http.ErrAbortHandler)
	}
}
