package rotatorctl_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"reltio-token-rotator/tests/fake/reltio"
)

// tenant is a Reltio tenant, and an operator's folder with credentials for it.
type tenant struct {
	*reltio.Server
	web  *httptest.Server
	home string
}

func newTenant(t *testing.T, options reltio.Options, credentials map[string]any) *tenant {
	t.Helper()
	options.Users = map[string]string{"second": "password"}
	w := &tenant{Server: reltio.New(options), home: t.TempDir()}
	w.web = httptest.NewServer(w)
	t.Cleanup(func() { w.Close(); w.web.Close() })
	document := map[string]any{"client_id": "client", "client_secret": "secret", "note": "kept"}
	for name, value := range credentials {
		if document[name] = value; value == "login" {
			_, document[name] = w.Login()
		}
	}
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.home, "credentials.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *tenant) api() []string { return []string{"-api-url", w.web.URL + "/api/whoami"} }

// probe runs the program and checks what every probe keeps to.
func (w *tenant) probe(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), rotatorctl.Path(t), append([]string{
		"probe", "-yes", "-credentials", "credentials.json", "-token-url", w.web.URL + "/oauth/token",
	}, args...)...)
	cmd.Dir, cmd.Env = w.home, []string{"HOME=" + w.home, "TMPDIR=" + w.home}
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
	for _, request := range w.Requests() {
		for _, token := range []string{request.AccessToken, request.RefreshToken} {
			if token != "" && strings.Contains(string(text), token) {
				t.Errorf("a fingerprint is printed:\n%s", text)
			}
		}
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func TestProbe(t *testing.T) {
	t.Parallel()
	login := map[string]any{"refresh_token": "login"}
	user := map[string]any{"username": "user", "password": "password"}
	two := map[string]any{"refresh_token": "login", "alternate": map[string]string{
		"client_id": "client", "client_secret": "secret", "username": "second", "password": "password",
	}}
	for _, test := range []struct {
		name        string
		options     reltio.Options
		credentials map[string]any
		noAPI       bool
		requests    int
		says        []string
		silent      []string
	}{
		{
			name: "a refresh ends the old token", credentials: login, requests: 2,
			says: []string{
				"grant type that worked refresh_token", "access token opaque, lives 3598 s", "refresh token lifetime not known",
				"a further request returns a new access token", "a refresh changes the refresh token no",
				"the old access token after it ends at once (API_URL was asked)",
				"refresh_ends_token: leave it out (true). A refresh ends the old token.", "Second credential set: recommended", "leave 600 (the default)",
			},
		},
		{
			name: "without an API, by the check endpoint", options: reltio.Options{CheckEndpoint: true}, credentials: login, noAPI: true, requests: 2,
			says: []string{"the old access token after it ends at once (the server's check endpoint was asked)"},
		},
		{
			name: "without an API and a check endpoint", credentials: login, noAPI: true, requests: 2,
			says:   []string{"the old access token after it not known (no API_URL was given", "refresh_ends_token: not known", "Second credential set: not known."},
			silent: []string{"recommended"},
		},
		{
			name: "a rotating refresh token", options: reltio.Options{RotateRefreshToken: true}, credentials: login, requests: 2,
			says: []string{"a refresh changes the refresh token yes", "The file credentials.json.new (mode 0600) holds"},
		},
		{
			name: "the same token until it has expired", options: reltio.Options{SameTokenUntilExpired: true}, credentials: login, requests: 2,
			says: []string{
				"a further request returns the same token while it lives", "the old access token after it not known (the same token was returned)",
				"The same token is returned until it has expired.", "A new token comes only when the old one has expired", "or longer",
			},
		},
		{
			name: "JWTs", options: reltio.Options{JWT: true}, credentials: login, requests: 2,
			says: []string{"access token a JWT, lives 3598 s", "lives on (API_URL was asked)", "refresh_ends_token: false", "Second credential set: not needed"},
		},
		{
			name: "a login", credentials: user, requests: 2,
			says: []string{"grant type that worked password", "a further request returns a new access token", "ends at once"},
		},
		{
			name: "a dead refresh token and a login", credentials: map[string]any{"refresh_token": "dead", "username": "user", "password": "password"}, requests: 3,
			says: []string{"grant type that worked password", "The file credentials.json.new"},
		},
		{
			name: "the client alone", credentials: nil, requests: 2,
			says:   []string{"grant type that worked client_credentials", "refresh token none", "the same token while it lives"},
			silent: []string{"a refresh changes"},
		},
		{
			name: "the client alone with Multi Token Support", options: reltio.Options{MultiToken: true}, requests: 2,
			says: []string{"a new access token", "lives on (API_URL was asked)", "refresh_ends_token: false"},
		},
		{
			name: "tokens that live ten minutes", options: reltio.Options{Lifetime: 10 * time.Minute}, credentials: login, requests: 2,
			says: []string{"lives 599 s", "has no effect with tokens that live 9 min", "180 in 24 hours"},
		},
		{
			name: "two sets that are independent", credentials: two, requests: 5,
			says: []string{"alternate", "grant type that worked password", "primary's token after alternate's request lives on", "alternate's token after primary's request lives on", "keep it. The two sets are independent."},
		},
		{
			name: "two sets that are not", options: reltio.Options{OneToken: true}, credentials: two, requests: 5,
			says: []string{"primary's token after alternate's request ends", "alternate's token after primary's request ends", "not this one. One set's request ends the other's token."},
		},
		{
			name: "two sets, the same token until it has expired", options: reltio.Options{SameTokenUntilExpired: true}, credentials: two, requests: 5,
			says:   []string{"primary's token after alternate's request not known", "alternate's token after primary's request not known", "whether the two are independent is not known"},
			silent: []string{"keep it"},
		},
		{
			name: "two sets and nothing to see by", credentials: two, noAPI: true, requests: 4,
			says:   []string{"primary's token after alternate's request not known", "whether the two are independent is not known"},
			silent: []string{"keep it", "recommended"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newTenant(t, test.options, test.credentials)
			args := w.api()
			if test.noAPI {
				args = nil
			}
			text, status := w.probe(t, args...)
			if status != 0 {
				t.Errorf("%s: exit status %d", test.name, status)
			}
			if got := len(w.Requests()); got != test.requests {
				t.Errorf("%s: %d token requests, wanted %d", test.name, got, test.requests)
			}
			for _, says := range test.says {
				if !strings.Contains(flat(text), says) {
					t.Errorf("%s: it does not say %q:\n%s", test.name, says, text)
				}
			}
			for _, silent := range test.silent {
				if strings.Contains(flat(text), silent) {
					t.Errorf("%s: it says %q:\n%s", test.name, silent, text)
				}
			}
			t.Logf("%s:\n%s", test.name, text)
		})
	}
}

// A failure is reported, and no setting is recommended because of it.
func TestProbeThatFails(t *testing.T) {
	t.Parallel()
	w := newTenant(t, reltio.Options{}, map[string]any{"refresh_token": "dead"})
	text, status := w.probe(t, w.api()...)
	if status != 1 || !strings.Contains(flat(text), "no token: refresh_token_rejected") || !strings.Contains(text, "Nothing: without a token nothing was seen") || strings.Contains(text, "recommended") {
		t.Errorf("exit status %d:\n%s", status, text)
	}
	// Not more than four requests, whatever the server answers.
	w = newTenant(t, reltio.Options{}, map[string]any{"refresh_token": "login"})
	for range 10 {
		w.Script(reltio.Throttled(""))
	}
	if text, status := w.probe(t, w.api()...); status != 1 || len(w.Requests()) > 4 {
		t.Errorf("exit status %d after %d requests:\n%s", status, len(w.Requests()), text)
	}
}

// A changed refresh token is in a file before anything else is done, with every
// other field; no file is overwritten.
func TestProbeSavesAChangedRefreshToken(t *testing.T) {
	t.Parallel()
	w := newTenant(t, reltio.Options{RotateRefreshToken: true}, map[string]any{"refresh_token": "login"})
	w.Script(reltio.Pass(), reltio.AnswerLost())
	if text, status := w.probe(t, w.api()...); status != 1 {
		t.Errorf("exit status %d:\n%s", status, text)
	}
	file := filepath.Join(w.home, "credentials.json.new")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	var saved map[string]string
	text, _ := os.ReadFile(file)
	if err := json.Unmarshal(text, &saved); err != nil || saved["note"] != "kept" || saved["client_secret"] != "secret" || saved["refresh_token"] == "" {
		t.Errorf("%v: saved are the fields %v", err, mapKeys(saved))
	}
	before := len(w.Requests())
	if text, status := w.probe(t, w.api()...); status != 2 || !strings.Contains(flat(text), "exists, and may hold a refresh token") || len(w.Requests()) != before {
		t.Errorf("exit status %d:\n%s", status, text)
	}
	if text, status := w.probe(t, append(w.api(), "-save-to", "no/such/folder")...); status != 2 || len(w.Requests()) != before {
		t.Errorf("exit status %d:\n%s", status, text)
	}
}

func TestProbeRefuses(t *testing.T) {
	w := newTenant(t, reltio.Options{}, map[string]any{"refresh_token": "login"})
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"-credentials", ""}, "name the file with the credentials: rotatorctl probe -credentials credentials.json"},
		{[]string{"-credentials", "none.json"}, "none.json"},
		{[]string{"-token-url", "http://auth.example.com/oauth/token"}, "use https"},
		{[]string{"-token-url", "https://user:canary@auth.example.com/oauth/token"}, "user information"},
		{[]string{"-token-url", "canary"}, "is not one such as"},
		{[]string{"-api-url", "http://api.example.com/"}, "use https"},
	} {
		text, status := w.probe(t, test.args...)
		if status != 2 || !strings.Contains(flat(text), test.says) || strings.Contains(text, "canary") {
			t.Errorf("%v: exit status %d:\n%s", test.args, status, text)
		}
	}
	if len(w.Requests()) > 0 {
		t.Error("a token was requested")
	}
}

// A gateway that remembers for some seconds that a token is good does not make
// the probe say that the token lives on.
func TestProbeBehindACache(t *testing.T) {
	t.Parallel()
	w := newTenant(t, reltio.Options{}, map[string]any{"refresh_token": "login"})
	var mu sync.Mutex
	good := map[string]time.Time{}
	gateway := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if w.Alive(token) {
			good[token] = time.Now().Add(5 * time.Second)
		}
		if !time.Now().Before(good[token]) {
			rw.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer gateway.Close()
	text, status := w.probe(t, "-api-url", gateway.URL)
	if status != 0 || !strings.Contains(flat(text), "the old access token after it ends at once") {
		t.Errorf("exit status %d:\n%s", status, text)
	}
}
