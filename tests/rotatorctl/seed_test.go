package rotatorctl_test

import (
	"crypto/rand"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// random is a secret that no other process can know of: it is made while the
// test runs.
func random() string { return "s3c+r/e=t%41 x:y\"" + rand.Text() }

func TestSeedingAtATerminalLeavesNoTraces(t *testing.T) {
	t.Parallel()
	secret, password := random(), random()
	a := newAccount(t, reltio.Options{ClientSecret: secret, Password: password})
	_, refreshToken := a.Reltio.Login()

	w := watch(a.home, secret, password, refreshToken)
	s := atTerminal(t, a.command(t, "seed", "-stack", harness.Stack))
	s.after("Client id:", "cliemt\x7f\x7fnt\r") // with a slip of the finger
	s.after("Client secret", secret+"\r")
	s.after("Refresh token", "wrong\x15"+refreshToken+"\r")
	s.after("User name", "user\r")
	if s.echoes() {
		t.Error("the terminal shows what is typed")
	}
	s.after("Password", password+"\r")
	s.after("[y/N]", "\r")
	s.after("Write these", "\r")
	err := s.end()
	if places := w.places(); len(places) > 0 {
		t.Errorf("a secret was seen in %v", places)
	}
	t.Logf("looked %d times", w.rounds.Load())
	if err != nil {
		t.Fatalf("%v:\n%s", err, s.text())
	}
	if !s.echoes() {
		t.Error("the terminal is left without echo")
	}
	want := map[string]string{
		"client_id": "client", "client_secret": secret, "refresh_token": refreshToken, "username": "user", "password": password,
	}
	if got := a.credentials(t, "default"); !maps.Equal(got, want) {
		t.Errorf("the secret holds the fields %v, or other values than those typed", mapKeys(got))
	}
	if !a.Alive("default") {
		t.Errorf("no living token is published:\n%s", s.text())
	}
	for _, value := range []string{secret, password, refreshToken} {
		if strings.Contains(s.text(), value) {
			t.Error("the terminal showed a secret")
		}
		if strings.Contains(strings.Join(a.requests, "\n"), value) {
			t.Error("a secret was sent elsewhere than to Secrets Manager")
		}
	}
	if !strings.Contains(s.text(), "a new token is published") {
		t.Errorf("the outcome is not shown:\n%s", s.text())
	}
}

// flat returns a text on one line, as it was before it was wrapped.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

func mapKeys(m map[string]string) (keys []string) {
	for key := range maps.Keys(m) {
		keys = append(keys, key)
	}
	return keys
}

// A paste may be longer than the kernel's line of 4096 characters.
func TestALongSecretIsTakenWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 700) + random()
	a := newAccount(t, reltio.Options{})
	a.Reltio.AddRefreshToken(long)
	s := atTerminal(t, a.command(t, "seed", "-stack", harness.Stack))
	s.after("Client id:", "client\r")
	s.after("Client secret", "secret\r")
	s.after("Refresh token", long+"\r")
	s.after("User name", "\r")
	s.after("[y/N]", "\r")
	s.after("Write these", "\r")
	if err := s.end(); err != nil {
		t.Fatalf("%v:\n%s", err, s.text())
	}
	if got := a.credentials(t, "default")["refresh_token"]; got != long {
		t.Errorf("%d of %d characters arrived", len(got), len(long))
	}
}

func TestCtrlCLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{"\x03", "\x04"} {
		a := newAccount(t, reltio.Options{})
		s := atTerminal(t, a.command(t, "seed", "-stack", harness.Stack))
		s.after("Client id:", "client\r")
		s.after("Client secret", "half of it")
		s.after("Client secret", keys)
		var exit *exec.ExitError
		if err := s.end(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("%q ends it with %v", keys, err)
		}
		if !s.echoes() {
			t.Errorf("%q leaves the terminal without echo", keys)
		}
		if got := a.credentials(t, "default"); got != nil {
			t.Errorf("%q wrote the secret", keys)
		}
	}
}

func TestSeedingFromAFileOrStandardInput(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"file", "standard input", "standard input, said so"} {
		a := newAccount(t, reltio.Options{})
		_, refreshToken := a.Reltio.Login()
		document := `{"client_id":"client","client_secret":"secret","refresh_token":"` + refreshToken + `","note":"kept"}` + "\n"
		args, stdin := []string{"seed", "-stack", harness.Stack}, document
		switch name {
		case "file":
			file := filepath.Join(a.home, "credentials.json")
			if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
				t.Fatal(err)
			}
			args, stdin = append(args, "-file", file), ""
		case "standard input, said so":
			args = append(args, "-file", "-")
		}
		text, status := a.run(t, stdin, args...)
		if status != 0 || !strings.Contains(text, "a new token is published, it lives ") {
			t.Errorf("%s: exit status %d:\n%s", name, status, text)
		}
		if got, _ := a.AWS.Secret(harness.SecretName("default", "credentials")); got != document {
			t.Errorf("%s: the secret is not what was given", name)
		}
		if strings.Contains(text, refreshToken) {
			t.Errorf("%s: the refresh token is printed", name)
		}
	}
}

// Credentials that the function could not use are refused before anything is
// written.
func TestUnusableCredentialsAreNotWritten(t *testing.T) {
	for document, says := range map[string]string{
		"":                      "is empty",
		`{"client_id":"client"`: "not a JSON object",
		`{"client_id":"client","refresh_token":"canary"}`:                              "field client_secret is missing or empty",
		`{"client_id":"client","client_secret":"canary","password":"canary"}`:          "username is missing",
		`{"client_id":"client","client_secret":42,"refresh_token":"canary"}`:           "field client_secret must be a string",
		`{"client_id":"client","client_secret":"` + strings.Repeat("x", 70_000) + `"}`: "64 KiB",
	} {
		a := newAccount(t, reltio.Options{})
		text, status := a.run(t, document, "seed", "-stack", harness.Stack)
		if status != 2 || !strings.Contains(flat(text), says) || strings.Contains(text, "canary") {
			t.Errorf("%.60s: exit status %d, wanted 2 and %q:\n%s", document, status, says, text)
		}
		if got := a.credentials(t, "default"); got != nil {
			t.Errorf("%.60s was written", document)
		}
	}
}

func TestSeedingSaysWhatIsWrong(t *testing.T) {
	a := newAccount(t, reltio.Options{})
	for _, test := range []struct {
		name, document string
		args           []string
		status         int
		says           []string
	}{
		{
			"a wrong client secret", `{"client_id":"client","client_secret":"wrong","refresh_token":"x"}`, nil, 1,
			[]string{"failed client_rejected", "docs/runbook.md#client_rejected"},
		},
		{
			"a connection that is not there", `{"client_id":"client","client_secret":"secret"}`,
			[]string{"-connection", "emea"},
			2,
			[]string{"nothing was written", "rotatorctl add-connection -stack test -connection emea"},
		},
		{
			"a stack that is not there", `{"client_id":"client","client_secret":"secret"}`,
			[]string{"-stack", "other"},
			2,
			[]string{"there is no stack other", "rotatorctl deploy -stack other"},
		},
		{"a stack's name that is none", "", []string{"-stack", "--debug"}, 2, []string{"not a stack's name"}},
		{"a connection's name that is none", "", []string{"-connection", "../x"}, 2, []string{"not a connection's name"}},
	} {
		text, status := a.run(t, test.document, append([]string{"seed", "-stack", harness.Stack}, test.args...)...)
		if status != test.status {
			t.Errorf("%s: exit status %d:\n%s", test.name, status, text)
		}
		for _, says := range test.says {
			if !strings.Contains(flat(text), says) {
				t.Errorf("%s: it does not say %q:\n%s", test.name, says, text)
			}
		}
	}
}
