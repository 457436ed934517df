package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standaws "reltio-token-rotator/tests/standin/aws"
	standreltio "reltio-token-rotator/tests/standin/reltio"
)

// quick is the smallest scale: times in the secrets are whole seconds.
func quick(t *testing.T) settings {
	t.Helper()
	s, err := readSettings(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	s.runFor, s.heartbeat, s.refreshBefore, s.lifetime = 8*time.Second, 400*time.Millisecond, 2*time.Second, 6*time.Second
	return s
}

// secrets collects everything that must not be printed.
type secrets struct {
	mu  sync.Mutex
	all []string
}

func (s *secrets) watch(st *stage) {
	collect := func(operation, name string, before bool) {
		if operation != "PutSecretValue" || before {
			return
		}
		s.add(st, name)
	}
	st.aws.OnCall(func(operation, name string, before bool) {
		st.onCall(operation, name, before)
		collect(operation, name, before)
	})
	s.add(st, credentialsSecret)
}

func (s *secrets) add(st *stage, name string) {
	document, _ := st.aws.Secret(name)
	var fields map[string]any
	_ = json.Unmarshal([]byte(document), &fields)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, field := range []string{"access_token", "refresh_token", "password"} {
		if value, ok := fields[field].(string); ok {
			s.all = append(s.all, value)
		}
	}
}

// mustBeMissing looks for them, and that there were some to look for.
func (s *secrets) mustBeMissing(t *testing.T, output string) {
	t.Helper()
	if len(s.all) < 2 {
		t.Fatalf("only %d secrets were seen", len(s.all))
	}
	for _, secret := range s.all {
		if strings.Contains(output, secret) {
			t.Error("the output holds a secret")
		}
	}
}

func played(t *testing.T, s settings, l looks, ready func(*stage)) (output string, well bool) {
	t.Helper()
	var out bytes.Buffer
	well, err := play(t.Context(), s, newScreen(&out, l), ready)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), well
}

func mustContain(t *testing.T, output string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(output, part) {
			t.Errorf("%q is missing in\n%s", part, output)
		}
	}
}

func TestARunInAPipe(t *testing.T) {
	t.Parallel()
	var hidden secrets
	output, well := played(t, quick(t), looks{}, hidden.watch)
	if !well {
		t.Error("it did not go well")
	}
	mustContain(t, output, "heartbeat 1 ", "refreshed (no token was known)", "refreshed before it ends", "heartbeats ", "not due, ",
		"job               reads the secret: ", " s left", "AWS calls       1 of an idle heartbeat, 5 of a refresh", "All well")
	if strings.ContainsAny(output, "\x1b\r█") {
		t.Errorf("a pipe gets codes for a terminal:\n%q", output)
	}
	for line := range strings.Lines(output) {
		if len(line) > 101 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	hidden.mustBeMissing(t, output)
}

func TestARunAtATerminal(t *testing.T) {
	t.Parallel()
	s := quick(t)
	s.runFor = 2 * time.Second
	var hidden secrets
	output, well := played(t, s, looks{terminal: true, unicode: true}, hidden.watch)
	if !well {
		t.Error("it did not go well")
	}
	mustContain(t, output, "\x1b[32mrefreshed", "█", "░", "\r\x1b[K", " to go")
	if i := strings.LastIndex(output, "\x1b[?7l"); i > strings.LastIndex(output, "\x1b[?7h") || strings.Contains(output[strings.LastIndex(output, "Summary"):], "█") {
		t.Error("the terminal is not left as it was")
	}
	hidden.mustBeMissing(t, output)
}

func TestWhatIsBrokenEndsBadly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		runFor time.Duration
		ready  func(*stage)
		says   []string
	}{
		{
			"a server that ends tokens early, so that the published one is dead", 4 * time.Second,
			func(st *stage) { time.AfterFunc(1500*time.Millisecond, st.reltio.EndAccessTokens) },
			[]string{"left with a dead token", "Not well: the job was left with a dead token"},
		},
		{
			"a function that does not see a token's end", 8 * time.Second,
			func(st *stage) {
				st.reltio.SetOptions(func(o *standreltio.Options) { o.Lifetime = 2 * time.Second })
				st.reltio.EndAccessTokens()
				time.AfterFunc(500*time.Millisecond, func() {
					st.aws.PutParameter("/"+prefix+"/"+connection+"/config", `{"enabled":false}`)
				})
			},
			[]string{"disabled", "expired", "Not well: the job was left with a dead token"},
		},
		{
			"a token endpoint that is down", 2 * time.Second,
			func(st *stage) {
				for range 200 {
					st.reltio.Script(standreltio.Fault{Name: "down", Status: 503, Body: "down"})
				}
			},
			[]string{"failed: server_error", "Not well: ", "the job never saw a live token"},
		},
		{
			"credentials that are refused: it ends at once", time.Hour,
			func(st *stage) {
				st.aws.PutSecret(credentialsSecret, `{"client_id":"client","client_secret":"wrong","refresh_token":"x"}`)
			},
			[]string{"failed: client_rejected", "1 failed"},
		},
		{
			"a token secret that the job cannot read", 2 * time.Second,
			func(st *stage) {
				st.aws.Inject(standaws.Fault{Operation: "GetSecretValue", Name: "/token", Code: "AccessDeniedException", Times: -1})
			},
			[]string{"job               cannot work: ", "AccessDenied", "for another reason"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := quick(t)
			s.runFor = test.runFor
			var hidden secrets
			output, well := played(t, s, looks{}, func(st *stage) {
				hidden.watch(st)
				test.ready(st)
			})
			if well {
				t.Errorf("it went well:\n%s", output)
			}
			mustContain(t, output, test.says...)
			for _, secret := range hidden.all {
				if strings.Contains(output, secret) {
					t.Error("the output holds a secret")
				}
			}
		})
	}
}

func TestAFunctionThatCannotStart(t *testing.T) {
	t.Parallel()
	s := quick(t)
	s.runFor, s.refreshBefore = time.Second, time.Millisecond
	output, well := played(t, s, looks{}, nil)
	if well {
		t.Error("it went well")
	}
	mustContain(t, output, "the function cannot start", "REFRESH_BEFORE", "Runtime.ExitError", "heartbeats failed")
}

func TestAPersonEndsIt(t *testing.T) {
	t.Parallel()
	s := quick(t)
	s.runFor = time.Hour
	var out bytes.Buffer
	ctx, interrupt := context.WithCancel(t.Context())
	well, err := play(ctx, s, newScreen(&out, looks{}), func(st *stage) {
		// In the middle of a refresh: what was granted must be stored all the same.
		st.aws.OnCall(func(operation, name string, before bool) {
			st.onCall(operation, name, before)
			if operation == "PutSecretValue" && before {
				interrupt()
			}
		})
	})
	if err != nil || !well {
		t.Errorf("well %v, %v", well, err)
	}
	mustContain(t, out.String(), "refreshed", "1: 0 not due, 1 refreshed, 0 failed", "All well")
}

// realEndpoint is a token endpoint over TCP with real lifetimes, and a
// credentials file for it.
func realEndpoint(t *testing.T, rotate bool) (tokenURL, file string) {
	t.Helper()
	server := standreltio.New(standreltio.Options{ClientSecret: "s3c+r/e=t%41 x:y", RotateRefreshToken: rotate, TokenFormat: standreltio.Base64})
	front := httptest.NewServer(server)
	t.Cleanup(front.Close)
	t.Cleanup(server.Close)
	_, refresh := server.Login()
	document, _ := json.Marshal(map[string]string{"client_id": "client", "client_secret": "s3c+r/e=t%41 x:y", "refresh_token": refresh, "team": "a field of one's own"})
	file = filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(file, document, 0o400); err != nil {
		t.Fatal(err)
	}
	return front.URL + "/oauth/token", file
}

func TestARealEndpoint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		rotate bool
		save   bool
		says   []string
		not    []string
	}{
		{name: "the refresh token stays", says: []string{"5 of a refresh"}, not: []string{"is stale"}},
		{name: "a changed one is saved", rotate: true, save: true, says: []string{"is stale now", "mode 0600", "7 of a refresh"}},
		{name: "a changed one is named", rotate: true, says: []string{"is stale now", "SAVE_TO=file"}, not: []string{"mode 0600"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tokenURL, file := realEndpoint(t, test.rotate)
			before, _ := os.ReadFile(file)
			saveTo := ""
			if test.save {
				saveTo = filepath.Join(filepath.Dir(file), "new.json")
			}
			s, err := readSettings(func(name string) string {
				return map[string]string{"CREDENTIALS": file, "TOKEN_URL": tokenURL, "SAVE_TO": saveTo, "RUN_FOR": "1500ms"}[name]
			})
			if err != nil {
				t.Fatal(err)
			}
			var hidden secrets
			output, well := played(t, s, looks{}, hidden.watch)
			if !well {
				t.Errorf("it did not go well:\n%s", output)
			}
			mustContain(t, output, append(test.says, "59 min left", "has not expired", "1 answered")...)
			for _, part := range test.not {
				if strings.Contains(output, part) {
					t.Errorf("%q is in\n%s", part, output)
				}
			}
			hidden.all = append(hidden.all, "s3c+r", "a field of one's own")
			hidden.mustBeMissing(t, output)
			if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
				t.Error("the credentials file was written")
			}
			if test.save {
				savedWorks(t, before, saveTo, tokenURL)
			}
		})
	}
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
	s, err := readSettings(func(name string) string {
		return map[string]string{"CREDENTIALS": saveTo, "TOKEN_URL": tokenURL, "RUN_FOR": "1500ms"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	if output, well := played(t, s, looks{}, nil); !well {
		t.Errorf("the saved credentials do not work:\n%s", output)
	}
}

func TestSettings(t *testing.T) {
	folder := t.TempDir()
	good, list := filepath.Join(folder, "good.json"), filepath.Join(folder, "list.json")
	for path, document := range map[string]string{good: `{"client_secret":"hush"}`, list: `["hush"]`} {
		if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const url = "https://auth.reltio.com/oauth/token"
	tests := []struct {
		name string
		env  map[string]string
		want []string // the variables complained about
	}{
		{"nothing", nil, nil},
		{"longer", map[string]string{"RUN_FOR": "5m"}, nil},
		{"no duration", map[string]string{"RUN_FOR": "5"}, []string{"RUN_FOR"}},
		{"a negative one", map[string]string{"RUN_FOR": "-5s"}, []string{"RUN_FOR"}},
		{"a real client", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "SAVE_TO": filepath.Join(folder, "new.json")}, nil},
		{"no URL", map[string]string{"CREDENTIALS": good}, []string{"TOKEN_URL"}},
		{"no credentials", map[string]string{"TOKEN_URL": url}, []string{"TOKEN_URL"}},
		{"nothing to save", map[string]string{"SAVE_TO": "x"}, []string{"SAVE_TO"}},
		{"unencrypted", map[string]string{"CREDENTIALS": good, "TOKEN_URL": "http://auth.reltio.com/oauth/token"}, []string{"TOKEN_URL"}},
		{"no such file", map[string]string{"CREDENTIALS": good + "x", "TOKEN_URL": url}, []string{"CREDENTIALS"}},
		{"no object", map[string]string{"CREDENTIALS": list, "TOKEN_URL": url}, []string{"CREDENTIALS"}},
		{"the credentials file itself", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "SAVE_TO": good}, []string{"SAVE_TO"}},
		{"no such folder", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "SAVE_TO": filepath.Join(folder, "no", "x")}, []string{"SAVE_TO"}},
		{"all wrong", map[string]string{"RUN_FOR": "x", "CREDENTIALS": list, "TOKEN_URL": "x", "SAVE_TO": good}, []string{"RUN_FOR", "TOKEN_URL", "CREDENTIALS", "SAVE_TO"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := readSettings(func(name string) string { return test.env[name] })
			var got []string
			if err != nil {
				for line := range strings.Lines(err.Error()) {
					name, _, _ := strings.Cut(line, ":")
					got = append(got, name)
				}
				if strings.Contains(err.Error(), "hush") {
					t.Error("it shows what is in the file")
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("complaints about %v, want %v (%v)", got, test.want, err)
			}
		})
	}
}
