package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator/secret"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

const realSecret = "s3c+r/e=t%41 x:y"

// endpoint is a token endpoint over TCP with real lifetimes, and a credentials file
// for it.
type endpoint struct {
	*fakereltio.Server
	url, file string
}

func newEndpoint(t *testing.T, o fakereltio.Options, document string) endpoint {
	t.Helper()
	o.ClientSecret, o.Password, o.TokenFormat = realSecret, "p4ss w0rd", fakereltio.Base64
	e := endpoint{Server: fakereltio.New(o), file: filepath.Join(t.TempDir(), "credentials.json")}
	front := httptest.NewServer(e.Server)
	t.Cleanup(front.Close)
	t.Cleanup(e.Close)
	e.url = front.URL
	_, refresh := e.Login()
	quoted, _ := json.Marshal(refresh)
	document = strings.NewReplacer("SECRET", `"`+realSecret+`"`, "REFRESH", string(quoted)).Replace(document)
	if err := os.WriteFile(e.file, []byte(document), 0o400); err != nil {
		t.Fatal(err)
	}
	return e
}

// settings are for this endpoint. More variables stand in pairs.
func (e endpoint) settings(t *testing.T, more ...string) settings {
	t.Helper()
	env := map[string]string{"CREDENTIALS": e.file, "TOKEN_URL": e.url + "/oauth/token", "RUN_FOR": "4s", "YES": "true"}
	for i := 0; i < len(more); i += 2 {
		env[more[i]] = more[i+1]
	}
	s, err := readSettings(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	refreshes = `{"client_id":"client","client_secret":SECRET,"refresh_token":REFRESH,"team":"a field of one's own"}`
	logsIn    = `{"client_id":"client","client_secret":SECRET,"username":"user","password":"p4ss w0rd","team":"a field of one's own"}`
	alone     = `{"client_id":"client","client_secret":SECRET,"team":"a field of one's own"}`
)

func TestOwnCredentials(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		document string
		rotate   bool
		save     bool
		api      bool
		says     []string
		not      []string
	}{
		{
			name: "the refresh token stays", document: refreshes,
			says: []string{"5 of a refresh", "grant type refresh_token", " has not expired", " not expired, 0 expired", "was not tried"},
			not:  []string{"is stale", "All well", " works", "401"},
		},
		{
			name: "an API takes the tokens", document: refreshes, api: true,
			says: []string{" works", " taken by the API, 0 refused with 401", "All well: the API took the token"}, not: []string{"not tried"},
		},
		{
			name: "a changed refresh token is saved", document: refreshes, rotate: true, save: true,
			says: []string{"is stale now", "mode 0600", "7 of a refresh"},
		},
		{
			name: "a changed one is not saved", document: refreshes, rotate: true,
			says: []string{"is stale now", "SAVE_TO=file"}, not: []string{"mode 0600"},
		},
		{
			name: "a login brings the first one", document: logsIn, save: true,
			says: []string{"grant type password"}, not: []string{"stale", "changed"},
		},
		{name: "there is none", document: alone, says: []string{"grant type client_credentials"}, not: []string{"stale", "changed"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var e endpoint
			var saveTo, apiURL string
			var before []byte
			fresh := func() settings {
				e = newEndpoint(t, fakereltio.Options{RotateRefreshToken: test.rotate}, test.document)
				before, _ = os.ReadFile(e.file)
				if test.save {
					saveTo = filepath.Join(filepath.Dir(e.file), "new.json")
				}
				if test.api {
					apiURL = e.url + "/api/whoami"
				}
				return e.settings(t, "SAVE_TO", saveTo, "API_URL", apiURL)
			}
			var hidden secrets
			output := played(t, true, useOwn, fresh, hidden.watch)
			mustContain(t, output, append(test.says, "59 min left", "1 answered")...)
			mustMiss(t, output, test.not...)
			hidden.all = append(hidden.all, "s3c+r", "a field of one's own")
			hidden.mustBeMissing(t, output)
			if after, _ := os.ReadFile(e.file); !bytes.Equal(before, after) {
				t.Error("the credentials file was written")
			}
			_, err := os.Stat(saveTo)
			switch {
			case test.rotate && test.save:
				savedWorks(t, before, saveTo, e.url+"/oauth/token")
			case test.save && err == nil:
				t.Error("credentials were saved that are not stale")
			}
		})
	}
}

func mustMiss(t *testing.T, output string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(output, part) {
			t.Errorf("%q is in\n%s", part, output)
		}
	}
}

func TestOwnCredentialsThatFail(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		runFor string
		ready  func(endpoint, *fixture)
		says   []string
		not    []string
	}{
		{
			"a client that is refused: it ends at once", "1h",
			func(e endpoint, _ *fixture) { e.SetOptions(func(o *fakereltio.Options) { o.ClientSecret = "another" }) },
			[]string{"failed: client_rejected", "client_secret in", "credentials.json", "No token: nothing was published"},
			[]string{"Summary", " 0 ", "0:", "credentials secret"},
		},
		{
			"a refresh token that is refused: it ends at once", "1h",
			func(e endpoint, _ *fixture) { e.Revoke("user") },
			[]string{"failed: refresh_token_rejected", "No token: nothing was published"},
			[]string{"Summary"},
		},
		{
			"a token endpoint that is down", "2s",
			func(e endpoint, _ *fixture) { e.SetFaults(func() fakereltio.Fault { return fakereltio.Status(503) }) },
			[]string{"failed: answer_lost", "No token: nothing was published"},
			[]string{"Summary"},
		},
		{
			"an API that refuses the token", "4s",
			func(e endpoint, _ *fixture) { time.AfterFunc(time.Second, e.EndAccessTokens) },
			[]string{"401", "Not well: the job was left with a dead token"},
			[]string{"All well"},
		},
		{
			"a token secret that the job cannot read", "3s",
			func(_ endpoint, st *fixture) {
				st.aws.Inject(fakeaws.Fault{Operation: "GetSecretValue", Name: "/token", Code: "AccessDeniedException", Times: -1})
			},
			[]string{"job               cannot work: ", "AccessDenied", "for another reason"},
			nil,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var e endpoint
			var hidden secrets
			output := played(t, false, useOwn, func() settings {
				e = newEndpoint(t, fakereltio.Options{}, refreshes)
				return e.settings(t, "RUN_FOR", test.runFor, "API_URL", e.url+"/api/whoami")
			}, func(st *fixture) {
				hidden.watch(st)
				test.ready(e, st)
			})
			mustContain(t, output, test.says...)
			mustMiss(t, output, test.not...)
			mustMiss(t, output, hidden.all...)
		})
	}
}

// What is going to happen is said before anything is requested, and without a
// terminal to ask at, nothing is.
func TestOwnCredentialsAreWarnedOf(t *testing.T) {
	e := newEndpoint(t, fakereltio.Options{}, refreshes)
	if err := os.Chmod(e.file, 0o644); err != nil {
		t.Fatal(err)
	}
	s := e.settings(t, "YES", "")
	var out bytes.Buffer
	introduceOwn(newScreen(&out, looks{}), s)
	mustContain(t, out.String(), "This ends the token that these credentials have now", "Other users of this machine may read", "API_URL", "SAVE_TO")
	for line := range strings.Lines(out.String()) {
		if len(line) > 81 && !strings.Contains(line, e.file) {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	file, err := os.Open(e.file)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, in := range []*os.File{file, null} {
		if err := confirm(t.Context(), in, newScreen(&out, looks{})); err == nil || !strings.Contains(err.Error(), "YES=true") {
			t.Errorf("%s is no terminal: %v", in.Name(), err)
		}
	}
}

// Ctrl-C in the middle of a refresh: what was granted must be stored all the same.
func TestCtrlCEndsOwnCredentials(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	calmly(t, func() bool {
		out.Reset()
		s := newEndpoint(t, fakereltio.Options{}, refreshes).settings(t, "RUN_FOR", "1h")
		s.bootstrap = rotate.Path(t)
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		well, err := useOwn(ctx, s, newScreen(&out, looks{}), func(st *fixture) {
			st.aws.OnCall(func(operation, name string, before bool) {
				st.onCall(operation, name, before)
				if operation == "PutSecretValue" && before {
					interrupt()
				}
			})
		})
		return err == nil && well
	})
	mustContain(t, out.String(), "refreshed", "1: 0 not due, 1 refreshed, 0 failed", "Ended before a token was read.")
}

// savedWorks: the file is private, has the old one's other fields, and works.
func savedWorks(t *testing.T, before []byte, saveTo, tokenURL string) {
	t.Helper()
	info, err := os.Stat(saveTo)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	var was, is map[string]string
	saved, _ := os.ReadFile(saveTo)
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(saved, &is) != nil || len(is) != len(was) ||
		is["team"] != was["team"] || is["client_secret"] != was["client_secret"] || is["refresh_token"] == was["refresh_token"] {
		t.Error("the saved file is not the old one with another refresh token")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(saveTo), ".save-*")); len(left) > 0 {
		t.Error("a temporary file is left")
	}
	if _, err := readSettings(func(name string) string {
		return map[string]string{"CREDENTIALS": saveTo, "TOKEN_URL": tokenURL, "RUN_FOR": "6s"}[name]
	}); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {is["refresh_token"]}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(is["client_id"], is["client_secret"])
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Errorf("the saved refresh token is answered with %s", response.Status)
	}
}

func TestOnlyAChangedRefreshTokenIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.json")
	set := func(refreshToken, more string) string {
		return `{"client_id":"c","client_secret":"s","refresh_token":"` + refreshToken + `"` + more + `}`
	}
	k := newKeeper(path, secret.New(set("a", `,"alternate":{"client_id":"d","client_secret":"s","username":"u","password":"p"}`)))
	for _, same := range []string{
		set("a", `,"note":"new"`),
		set("a", `,"alternate":{"client_id":"d","client_secret":"s","username":"u","password":"p","refresh_token":"first"}`),
	} {
		k.take(same)
		if changed, _, _ := k.state(); changed {
			t.Errorf("it counts as another refresh token: %s", same)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it was written")
	}
	k.take(set("b", ""))
	k.take(set("c", ""))
	if saved, _ := os.ReadFile(path); string(saved) != set("c", "") {
		t.Error("the last one is not what was kept")
	}
}
