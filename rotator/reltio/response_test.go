package reltio

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
)

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func oauthBody(code string) string {
	return fmt.Sprintf(`{"error":%q,"error_description":"Invalid refresh token: %s"}`, code, echoed)
}

// Every whole response that brings no token, by its code in docs/runbook.md's table,
// over a real connection. Status, OAuth error code and challenge decide, and none
// of these requests is repeated.
func TestResponsesWithoutAToken(t *testing.T) {
	const (
		refresh     = rotator.GrantTypeRefreshToken
		login       = rotator.GrantTypePassword
		credentials = rotator.GrantTypeClientCredentials
		// The server's framework rejects a client in this way: "error" is not an
		// OAuth code here.
		unauthorized = `{"timestamp":"2026-11-23T10:00:00Z","status":401,"error":"Unauthorized","path":"` + echoed + `"}`
		firewallPage = "<html><body>Request blocked " + echoed + "</body></html>"
		mfa          = `{"expires_in":599,"state_token":{"mfaType":"AUTHENTICATOR","expires_in":"600","token":"` + echoed + `"}}`
	)
	var (
		basic  = header("WWW-Authenticate", `Basic realm="`+echoed+`"`)
		bearer = header("WWW-Authenticate", `Bearer error="invalid_token", error_description="`+echoed+`"`)
	)
	tests := []struct {
		name      string
		grantType rotator.GrantType
		status    int
		header    http.Header
		body      string

		code  rotator.Code
		ended bool
	}{
		{"unknown or used refresh token", refresh, 400, nil, oauthBody("invalid_grant"), rotator.RefreshTokenRejected, false},
		{"expired refresh token, first use", refresh, 401, bearer, oauthBody("invalid_token"), rotator.RefreshTokenRejected, true},
		{"expired refresh token, both challenges", refresh, 401, basic, oauthBody("invalid_token"), rotator.RefreshTokenRejected, true},
		{"invalid_grant with 401", refresh, 401, basic, oauthBody("invalid_grant"), rotator.RefreshTokenRejected, false},
		{"invalid_grant with 403", refresh, 403, nil, oauthBody("invalid_grant"), rotator.RefreshTokenRejected, false},
		{"invalid_grant with 422", refresh, 422, nil, oauthBody("invalid_grant"), rotator.RefreshTokenRejected, false},
		{"invalid_grant after a byte order mark", refresh, 400, nil, "\xef\xbb\xbf" + oauthBody("invalid_grant"), rotator.RefreshTokenRejected, false},
		{"invalid_token only counts with 401", refresh, 400, nil, oauthBody("invalid_token"), rotator.RequestRejected, false},
		{"invalid_token only counts for a refresh", credentials, 401, bearer, oauthBody("invalid_token"), rotator.RequestRejected, false},

		{"wrong user password", login, 400, nil, oauthBody("invalid_grant"), rotator.LoginRejected, false},
		{"login rejected with 401", login, 401, basic, oauthBody("invalid_grant"), rotator.LoginRejected, false},
		{"login rejected with 403", login, 403, nil, oauthBody("invalid_grant"), rotator.LoginRejected, false},
		{"login asks for MFA", login, 200, nil, mfa, rotator.LoginRejected, false},

		{"wrong secret, unknown client, no Basic", refresh, 401, basic, unauthorized, rotator.ClientRejected, false},
		{"the same at a login", login, 401, basic, unauthorized, rotator.ClientRejected, false},
		{"the same with client credentials", credentials, 401, basic, unauthorized, rotator.ClientRejected, false},
		{"challenge in lower case, without realm", refresh, 401, header("Www-Authenticate", "basic"), "", rotator.ClientRejected, false},
		{"second of two challenge headers", refresh, 401, header("Www-Authenticate", "Bearer", "Www-Authenticate", "Basic"), "", rotator.ClientRejected, false},
		{"second challenge of one header", refresh, 401, header("Www-Authenticate", `Bearer realm="x", Basic realm="y"`), "", rotator.ClientRejected, false},
		{"grant type not allowed to the client", credentials, 401, bearer, oauthBody("invalid_client"), rotator.ClientRejected, false},
		{"invalid_client with 400", refresh, 400, nil, oauthBody("invalid_client"), rotator.ClientRejected, false},
		{"invalid_client with 403, at a login", login, 403, nil, oauthBody("invalid_client"), rotator.ClientRejected, false},
		{"a framework's word beside the challenge", refresh, 401, basic, oauthBody("unauthorized"), rotator.ClientRejected, false},
		{"unauthorized_client", refresh, 400, nil, oauthBody("unauthorized_client"), rotator.ClientRejected, false},

		{"missing grant_type", refresh, 400, nil, oauthBody("invalid_request"), rotator.RequestRejected, false},
		{"unknown grant_type", refresh, 400, nil, oauthBody("unsupported_grant_type"), rotator.RequestRejected, false},
		{"scope rejected", credentials, 400, nil, oauthBody("invalid_scope"), rotator.RequestRejected, false},
		{"invalid_grant for client credentials", credentials, 400, nil, oauthBody("invalid_grant"), rotator.RequestRejected, false},
		{"an OAuth code beside a Basic challenge", refresh, 401, basic, oauthBody("invalid_request"), rotator.RequestRejected, false},
		{"401 without a Basic challenge", refresh, 401, header("Www-Authenticate", "Bearer Basic"), unauthorized, rotator.RequestRejected, false},
		{"401 as an HTML page", refresh, 401, nil, firewallPage, rotator.RequestRejected, false},
		{"403 with a Basic challenge", refresh, 403, basic, "", rotator.RequestRejected, false},
		{"a firewall's page", refresh, 403, nil, firewallPage, rotator.RequestRejected, false},
		{"an error that is no string", refresh, 400, nil, `{"error":["invalid_grant"]}`, rotator.RequestRejected, false},
		{"an error under another key", refresh, 400, nil, `{"Error":"invalid_grant"}`, rotator.RequestRejected, false},
		{"not found", refresh, 404, nil, firewallPage, rotator.RequestRejected, false},

		{"a refresh asks for MFA", refresh, 200, nil, mfa, rotator.BadResponse, true},
		{"an error inside a 200", refresh, 200, nil, oauthBody("invalid_grant"), rotator.BadResponse, true},
		{"an error beside a token", refresh, 200, nil, `{"error":{"x":1},"access_token":"` + echoed + `"}`, rotator.BadResponse, true},
		{"a page in a 200", refresh, 200, nil, firewallPage, rotator.BadResponse, true},
		{"an empty 200", refresh, 200, nil, "", rotator.BadResponse, true},
		{"an empty 200 to a login", login, 200, nil, "", rotator.BadResponse, true},
		{"an empty 200 to client credentials, which end no token", credentials, 200, nil, "", rotator.BadResponse, false},
		{"204", refresh, 204, nil, "", rotator.BadResponse, true},
		{"304", refresh, 304, nil, "", rotator.BadResponse, false},
		{"status 600", refresh, 600, nil, tokenReply, rotator.BadResponse, false},
		{"too large", refresh, 200, nil, tokenReply + strings.Repeat(" ", maxResponse), rotator.BadResponse, true},
		{"too large, 403", refresh, 403, nil, strings.Repeat(" ", maxResponse+1), rotator.RequestRejected, false},

		// A gateway may answer so while the server still executes the request.
		{"408", refresh, 408, nil, "", rotator.AnswerLost, true},
		{"408 to a login, with an OAuth code", login, 408, nil, oauthBody("invalid_grant"), rotator.AnswerLost, true},
		{"408 to client credentials, which end no token", credentials, 408, nil, "", rotator.AnswerLost, false},
		{"500", refresh, 500, nil, firewallPage, rotator.AnswerLost, true},
		{"500 with an OAuth code", refresh, 500, nil, oauthBody("invalid_grant"), rotator.AnswerLost, true},
		{"500 with Retry-After", refresh, 500, header("Retry-After", "1"), firewallPage, rotator.AnswerLost, true},
		{"502", refresh, 502, nil, firewallPage, rotator.AnswerLost, true},
		{"502 to a login", login, 502, nil, firewallPage, rotator.AnswerLost, true},
		{"502 to client credentials, which end no token", credentials, 502, nil, firewallPage, rotator.AnswerLost, false},
		{"503 without Retry-After", refresh, 503, nil, firewallPage, rotator.AnswerLost, true},
		{"503 with a Retry-After that says nothing", refresh, 503, header("Retry-After", "soon"), firewallPage, rotator.AnswerLost, true},
		{"503, too large", refresh, 503, nil, strings.Repeat(" ", maxResponse+1), rotator.AnswerLost, true},
		{"504", refresh, 504, nil, firewallPage, rotator.AnswerLost, true},
		{"524", refresh, 524, nil, firewallPage, rotator.AnswerLost, true},
		{"599", refresh, 599, nil, "", rotator.AnswerLost, true},

		// One hour to wait, so that these are not repeated in the run; TestRepeats has
		// the repeats.
		{"too many requests", refresh, 429, header("Retry-After", "3600"), firewallPage, rotator.Throttled, false},
		{"429, too large", refresh, 429, header("Retry-After", "3600"), strings.Repeat(" ", maxResponse+1), rotator.Throttled, false},
		{"429 goes before an OAuth code", login, 429, header("Retry-After", "3600"), oauthBody("invalid_grant"), rotator.Throttled, false},
		{"down for maintenance", refresh, 503, header("Retry-After", "3600"), firewallPage, rotator.ServerError, false},
		{"503 with Retry-After goes before an OAuth code", login, 503, header("Retry-After", "3600"), oauthBody("invalid_grant"), rotator.ServerError, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t, answering(test.status, test.header, test.body))
			ctx := t.Context()
			if test.code == rotator.Throttled || test.code == rotator.ServerError {
				var cancel func()
				ctx, cancel = context.WithTimeout(ctx, time.Minute)
				defer cancel()
			}
			answer, err := requestOnce(ctx, s, test.grantType)
			failure := wantFailure(t, answer, err, test.code)
			wantSaid(t, failure, s.host, strconv.Itoa(test.status))
			if failure.TokenEnded != test.ended {
				t.Errorf("got TokenEnded %t", failure.TokenEnded)
			}
			wait := time.Duration(0)
			if test.code == rotator.Throttled || test.code == rotator.ServerError {
				wait = time.Hour
			}
			if failure.RetryAfter != wait {
				t.Errorf("got RetryAfter %v, want %v", failure.RetryAfter, wait)
			}
			if got, want := answer.Throttled, map[bool]int{true: 1}[test.status == 429]; got != want {
				t.Errorf("got %d throttled, want %d", got, want)
			}
			if n := s.requests.Load(); n != 1 || len(answer.Durations) != 1 {
				t.Errorf("sent %d times, want once; %d durations", n, len(answer.Durations))
			}
			if !answer.RefreshToken.Empty() {
				t.Error("got a refresh token that was not in the response")
			}
		})
	}
}

// The server has executed the request: the old refresh token may be void, and the
// new one must not be lost with the rest of the response.
func TestARefreshTokenInAnUnusableResponse(t *testing.T) {
	for name, body := range map[string]string{
		"no access token":         `{"refresh_token":"r2"}`,
		"an odd access token":     `{"access_token":7,"refresh_token":"r2"}`,
		"another token type":      `{"access_token":"a","token_type":"mac","refresh_token":"r2"}`,
		"an error beside it":      `{"error":"server_error","access_token":"a","refresh_token":"r2"}`,
		"an MFA challenge":        `{"state_token":{"token":"x"},"refresh_token":"r2"}`,
		"after a byte order mark": "\xef\xbb\xbf" + `{"refresh_token":"r2"}`,
	} {
		for _, grantType := range []rotator.GrantType{rotator.GrantTypeRefreshToken, rotator.GrantTypePassword} {
			t.Run(name+"/"+string(grantType), func(t *testing.T) {
				code := rotator.BadResponse
				if name == "an MFA challenge" && grantType == rotator.GrantTypePassword {
					code = rotator.LoginRejected
				}
				before := time.Now()
				answer, err := requestOnce(t.Context(), startServer(t, answering(200, nil, body)), grantType)
				wantFailure(t, answer, err, code)
				if answer.RefreshToken.Reveal() != "r2" || answer.SentAt.Before(before) {
					t.Errorf("got refresh token %q, sent at %v", answer.RefreshToken.Reveal(), answer.SentAt)
				}
			})
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := startServer(t, answering(200, nil, tokenReply))
	for _, status := range []int{300, 301, 302, 303, 307, 308} {
		for _, location := range []string{elsewhere.url, "/login", "", "%zz" + echoed} {
			t.Run(fmt.Sprint(status, location), func(t *testing.T) {
				s := startServer(t, answering(status, header("Location", location), tokenReply))
				answer, err := requestOnce(t.Context(), s, rotator.GrantTypePassword)
				wantSaid(t, wantFailure(t, answer, err, rotator.BadResponse), s.host, strconv.Itoa(status), "redirect", "token_url")
				if s.requests.Load() != 1 {
					t.Errorf("sent %d times", s.requests.Load())
				}
			})
		}
	}
	if elsewhere.requests.Load() != 0 {
		t.Error("a redirect was followed, with the credentials")
	}
}

// After a 101 the connection stays open, and nothing follows.
func TestSwitchedProtocolsDoesNotHang(t *testing.T) {
	s := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = connection.Close() }()
		_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		_, _ = connection.Read(make([]byte, 1)) // until the client closes
	})
	answer, err := requestOnce(t.Context(), s, rotator.GrantTypeRefreshToken)
	wantSaid(t, wantFailure(t, answer, err, rotator.BadResponse), s.host, "101")
}

// Only 64 KiB are read; otherwise this test would not end.
func TestEndlessReply(t *testing.T) {
	s := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, strings.Repeat(echoed, 1000))
		}
	})
	answer, err := requestOnce(t.Context(), s, rotator.GrantTypeRefreshToken)
	wantSaid(t, wantFailure(t, answer, err, rotator.BadResponse), s.host, "64 KiB")
}
