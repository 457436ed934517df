package reltio_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/tests/fake"
	"reltio-token-rotator/tests/fake/reltio"
)

// caller asks a fake through a real http.Client.
type caller struct {
	t      *testing.T
	server *reltio.Server
	http   *http.Client
	base   string
	// What goes into each request; tests change it.
	id, secret string
	noBasic    bool
	accept     string
}

// answer is one reply, decoded where it is JSON.
type answer struct {
	Status  int
	Header  http.Header
	Length  int64
	Body    string
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Refresh string `json:"refresh_token"`
	Expires *int   `json:"expires_in"`
	Scope   string `json:"scope"`
	Code    string `json:"error"`
	Text    string `json:"error_description"`
}

func newCaller(t *testing.T, server *reltio.Server, client *http.Client, base string) *caller {
	return &caller{t: t, server: server, http: client, base: base, id: "client", secret: "secret", accept: "application/json"}
}

// inBubble runs a test in a synctest bubble, without a network.
func inBubble(t *testing.T, options reltio.Options, test func(*caller)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := reltio.New(options)
		client := &http.Client{Transport: fake.Transport(map[string]http.Handler{"auth.reltio.com": server})}
		test(newCaller(t, server, client, "https://auth.reltio.com"))
	})
}

// overTCP runs a test on loopback.
func overTCP(t *testing.T, options reltio.Options, test func(*caller)) {
	t.Helper()
	server := reltio.New(options)
	front := httptest.NewServer(server)
	defer front.Close()
	defer server.Close()
	test(newCaller(t, server, front.Client(), front.URL))
}

// try sends a form given as pairs.
func (c *caller) try(pairs ...string) (answer, error) {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", c.accept)
	if !c.noBasic {
		req.SetBasicAuth(c.id, c.secret)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	a := answer{Status: res.StatusCode, Header: res.Header, Length: res.ContentLength, Body: string(body)}
	_ = json.Unmarshal(body, &a)
	return a, err
}

func (c *caller) ask(pairs ...string) answer {
	c.t.Helper()
	a, err := c.try(pairs...)
	if err != nil {
		c.t.Fatalf("token request: %v", err)
	}
	return a
}

func (c *caller) login() answer {
	return c.ask("grant_type", "password", "username", "user", "password", "password")
}

func (c *caller) clientCredentials() answer { return c.ask("grant_type", "client_credentials") }

func (c *caller) refresh(token string) answer {
	return c.ask("grant_type", "refresh_token", "refresh_token", token)
}

// whoami asks the protected resource.
func (c *caller) whoami(access string) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.base+"/api/whoami", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+access)
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	a := answer{Status: res.StatusCode, Header: res.Header, Body: string(body)}
	_ = json.Unmarshal(body, &a)
	return a
}

// alive checks what the protected resource says of a token.
func (c *caller) alive(what, access string, want bool) {
	c.t.Helper()
	status := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[want]
	if got := c.whoami(access); got.Status != status {
		c.t.Errorf("%s: protected resource answers %d, want %d", what, got.Status, status)
	}
	if c.server.Alive(access) != want {
		c.t.Errorf("%s: Alive = %t, want %t", what, !want, want)
	}
}

// granted checks a 200 and its seconds left.
func (c *caller) granted(what string, a answer, seconds int) answer {
	c.t.Helper()
	if a.Status != http.StatusOK || a.Access == "" || a.Type != "bearer" || a.Expires == nil {
		c.t.Fatalf("%s: %d %s, want a token", what, a.Status, a.Body)
	}
	if got := *a.Expires; got != seconds {
		c.t.Errorf("%s: expires_in = %d, want %d", what, got, seconds)
	}
	return a
}

// refused checks an error of the OAuth library.
func (c *caller) refused(what string, a answer, status int, code, text string) {
	c.t.Helper()
	if a.Status != status || a.Code != code || a.Text != text {
		c.t.Errorf("%s: %d %s, want %d %s %q", what, a.Status, a.Body, status, code, text)
	}
	challenge := a.Header.Get("WWW-Authenticate")
	if bearer := strings.HasPrefix(challenge, `Bearer error="`+code+`"`); bearer != (status == http.StatusUnauthorized) {
		c.t.Errorf("%s: WWW-Authenticate = %q", what, challenge)
	}
}

func (c *caller) same(what, a, b string) {
	c.t.Helper()
	if a != b || a == "" {
		c.t.Errorf("%s: want the same as before", what)
	}
}

func (c *caller) differ(what, a, b string) {
	c.t.Helper()
	if a == b || a == "" {
		c.t.Errorf("%s: want a new one", what)
	}
}

// sleep is only for bubbles.
func sleep(seconds int) { time.Sleep(time.Duration(seconds) * time.Second) }
