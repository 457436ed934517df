package reltio

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"testing"

	"reltio-token-rotator/rotator"
)

const tokenReply = `{"access_token":"access+tok/en==","token_type":"bearer","expires_in":3599,"scope":"a b"}`

// The request as the server receives it, over a real connection.
func TestRequestOnTheWire(t *testing.T) {
	tests := []struct {
		name      string
		grantType rotator.GrantType
		scope     string
		body      string
	}{
		{
			name: "a refresh token's + / = survive", grantType: rotator.GrantTypeRefreshToken,
			body: "grant_type=refresh_token&refresh_token=refresh%2Btok%2Fen%3D%3D",
		},
		{
			name: "a login", grantType: rotator.GrantTypePassword,
			body: "grant_type=password&password=p%26ss%3Dw%2Brd+%C3%A9&username=robot%40example.com",
		},
		{
			name: "client credentials send neither a token nor a login", grantType: rotator.GrantTypeClientCredentials,
			body: "grant_type=client_credentials",
		},
		{
			name: "a scope", grantType: rotator.GrantTypeClientCredentials, scope: "entities_api graphs_api",
			body: "grant_type=client_credentials&scope=entities_api+graphs_api",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got *http.Request
			var body []byte
			s := startServer(t, func(w http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
				_, _ = io.WriteString(w, tokenReply)
			})
			request := newRequest(test.grantType, s.url)
			request.Scope = test.scope
			if _, err := newEndpoint().RequestToken(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			if string(body) != test.body {
				t.Errorf("got body\n%s, want\n%s", body, test.body)
			}
			if got.Method != "POST" || got.URL.Path != "/oauth/token" || got.Proto != "HTTP/1.1" || got.Host != s.host {
				t.Errorf("got %s %s %s for %s", got.Method, got.URL.Path, got.Proto, got.Host)
			}
			if got.ContentLength != int64(len(test.body)) {
				t.Errorf("got Content-Length %d: some gateways refuse a chunked request", got.ContentLength)
			}
			for name, want := range map[string]string{
				"Accept":       "application/json",
				"Content-Type": "application/x-www-form-urlencoded",
				// The id and secret are sent unchanged, and not form-encoded.
				"Authorization":   "Basic " + base64.StdEncoding.EncodeToString([]byte("rotator-client:s3c+r/e=t%41 x:y")),
				"Connection":      "",
				"Accept-Encoding": "",
			} {
				if got.Header.Get(name) != want {
					t.Errorf("got %s %q, want %q", name, got.Header.Get(name), want)
				}
			}
		})
	}
}

func TestUserInformationInTheURLIsNeitherSentNorShown(t *testing.T) {
	s := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		if id, secret, _ := r.BasicAuth(); id != clientID || secret != clientSecret {
			t.Errorf("got the credentials %q, %q", id, secret)
		}
		w.WriteHeader(http.StatusForbidden)
	})
	answer, err := newEndpoint().RequestToken(t.Context(),
		newRequest(rotator.GrantTypeRefreshToken, "http://someone:"+echoed+"@"+s.host+"/?key="+echoed))
	wantSaid(t, wantFailure(t, answer, err, rotator.RequestRejected), s.host, "403")
}

func TestImpossibleURL(t *testing.T) {
	for _, tokenURL := range []string{
		"", "auth.reltio.com/oauth/token", "//auth.reltio.com/", "https:///oauth/token", "https://:443/", "ftp://auth.reltio.com/",
		"https://user:" + echoed + "@auth.reltio.com:x/", "https://auth.reltio.com/%zz" + echoed, "https://" + echoed + "\n/",
	} {
		t.Run(url.PathEscape(tokenURL), func(t *testing.T) {
			answer, err := newEndpoint().RequestToken(t.Context(), newRequest(rotator.GrantTypeRefreshToken, tokenURL))
			wantSaid(t, wantFailure(t, answer, err, rotator.ConfigInvalid), "token_url")
		})
	}
}

// A server may close a reused connection while a request is sent.
func TestEveryAttemptHasItsOwnConnection(t *testing.T) {
	connections := map[string]bool{}
	var attempts int
	s := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		if attempts++; attempts == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = io.WriteString(w, tokenReply)
	})
	endpoint := newEndpoint()
	for range 2 {
		if _, err := endpoint.RequestToken(t.Context(), newRequest(rotator.GrantTypeRefreshToken, s.url)); err != nil {
			t.Fatal(err)
		}
		endpoint.CloseIdleConnections()
	}
	if attempts != 3 || len(connections) != 3 {
		t.Errorf("got %d attempts over %d connections, want 3 over 3", attempts, len(connections))
	}
}

func TestOwnTransportTakesNoProxy(t *testing.T) {
	if newTransport().Proxy != nil {
		t.Error("credentials would go to whatever HTTPS_PROXY names")
	}
}
