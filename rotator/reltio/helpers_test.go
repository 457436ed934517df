package reltio

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// No error may show these, however it is printed.
const (
	clientID     = "rotator-client"
	clientSecret = "s3c+r/e=t%41 x:y"
	refreshToken = "refresh+tok/en=="
	username     = "robot@example.com"
	password     = "p&ss=w+rd é"
	echoed       = "echo-of-a-token" // the servers below put it into every text
)

func newRequest(grantType rotator.GrantType, tokenURL string) rotator.TokenRequest {
	return rotator.TokenRequest{
		TokenURL:     tokenURL,
		GrantType:    grantType,
		ClientID:     clientID,
		ClientSecret: secret.New(clientSecret),
		RefreshToken: secret.New(refreshToken),
		Username:     secret.New(username),
		Password:     secret.New(password),
	}
}

// tokenServer is a real server that answers on 127.0.0.1 and counts requests.
type tokenServer struct {
	url, host string
	requests  atomic.Int64
}

func startServer(t *testing.T, handler http.HandlerFunc) *tokenServer {
	t.Helper()
	s := &tokenServer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL + "/oauth/token"
	s.host = strings.TrimPrefix(server.URL, "http://")
	return s
}

// answering returns a handler that always gives the same response.
func answering(status int, header http.Header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// raw returns a handler that writes these bytes and closes the connection.
func raw(bytes string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = connection.Write([]byte(bytes))
		_ = connection.Close()
	}
}

// newEndpoint returns an endpoint with the package's own transport and a rate limit
// that delays nothing.
func newEndpoint() *Endpoint { return New(Config{RequestsPerSecond: 1000}) }

// wantFailure fails the test unless err is an *rotator.Error with the code, its
// message has the form of an error string and holds nothing secret, and no token
// comes with it.
func wantFailure(t *testing.T, answer rotator.TokenResponse, err error, code rotator.Code) *rotator.Error {
	t.Helper()
	failure, ok := errors.AsType[*rotator.Error](err)
	if !ok {
		t.Fatalf("got error %v, want an *rotator.Error with code %s", err, code)
	}
	if failure.Code != code {
		t.Errorf("got code %s, want %s (%s)", failure.Code, code, failure.Message)
	}
	wantNoToken(t, answer)
	if strings.HasSuffix(failure.Message, ".") || strings.ContainsAny(failure.Message, "\n\r") || strings.ToLower(failure.Message[:1]) != failure.Message[:1] {
		t.Errorf("the message is no error string: %q", failure.Message)
	}
	wantNothingSecret(t, failure)
	return failure
}

// wantNoToken fails the test if anything but what may come beside an error is set.
func wantNoToken(t *testing.T, answer rotator.TokenResponse) {
	t.Helper()
	if !answer.AccessToken.Empty() || answer.TokenType != "" || answer.Scope != "" || answer.ExpiresIn != 0 {
		t.Errorf("got a token beside the error: %+v", answer)
	}
}

func wantNothingSecret(t *testing.T, failure *rotator.Error) {
	t.Helper()
	asJSON, _ := json.Marshal(failure)
	shown := fmt.Sprintf("%v\n%+v\n%#v\n%s\n", failure, failure, failure, asJSON)
	for cause := error(failure); cause != nil; cause = errors.Unwrap(cause) {
		shown += fmt.Sprintf("%v\n%#v\n", cause, cause)
	}
	basic := base64.StdEncoding.EncodeToString([]byte(clientID + ":" + clientSecret))
	for _, secret := range []string{
		clientSecret, refreshToken, username, password, echoed, basic,
		url.QueryEscape(clientSecret), url.QueryEscape(refreshToken), url.QueryEscape(password),
	} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown in:\n%s", secret, shown)
		}
	}
}

// wantSaid fails the test unless the message has all of the words.
func wantSaid(t *testing.T, failure *rotator.Error, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(failure.Message, word) {
			t.Errorf("the message does not name %q: %s", word, failure.Message)
		}
	}
}

func requestOnce(ctx context.Context, s *tokenServer, grantType rotator.GrantType) (rotator.TokenResponse, error) {
	return newEndpoint().RequestToken(ctx, newRequest(grantType, s.url))
}

var allGrantTypes = []rotator.GrantType{rotator.GrantTypeRefreshToken, rotator.GrantTypePassword, rotator.GrantTypeClientCredentials}

// quiet is for servers whose clients close connections on purpose.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
