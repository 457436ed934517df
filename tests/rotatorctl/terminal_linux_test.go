package rotatorctl_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// Pasted text with line ends never answers the next question, whether it arrives in
// one piece, in two, or with the terminal's marks around it.
func TestAPasteWithLineEndsAnswersOneQuestion(t *testing.T) {
	t.Parallel()
	const mark, end = "\x1b[200~", "\x1b[201~"
	secret := random()
	for name, keys := range map[string]string{
		"a carriage return and a line feed":           secret + "\r\n",
		"a line end and then Enter":                   secret + "\n\r",
		"marked, with a line end, and Enter":          mark + secret + "\r\n" + end + "\r",
		"marked, without a line end, and Enter":       mark + secret + end + "\r",
		"two lines, marked, and then one":             mark + secret + "\ranother-line" + end + secret + "\r",
		"two lines at once, and then one":             secret + "\ranother-line\r",
		"typed ahead, after the answer to this one":   secret + "\r",
		"marked twice, corrected with Ctrl-U between": mark + "wrong" + end + "\x15" + mark + secret + end + "\r",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pasteOnce(t, name, secret, keys)
		})
	}
}

func pasteOnce(t *testing.T, name, secret, keys string) {
	a := newAccount(t, reltio.Options{ClientSecret: secret})
	s := atTerminal(t, a.command(t, "seed", "-stack", harness.Stack))
	s.after("Client id:", "client\r")
	s.after("Client secret", keys)
	if strings.HasPrefix(name, "two lines") {
		s.after("more than one line", "")
		s.after("Once more", "")
		time.Sleep(300 * time.Millisecond) // the question is asked once nothing more arrives
		s.after("Client secret", secret+"\r")
	}
	if strings.HasPrefix(name, "typed ahead") {
		time.Sleep(20 * time.Millisecond)
		s.enter("refresh-token-typed-ahead\r")
		s.after("Once more", "") // so soon after Enter it is more than one line
		time.Sleep(300 * time.Millisecond)
		s.enter(secret + "\r")
	}
	s.after("Refresh token", "\r")
	s.after("User name", "\r")
	s.after("[y/N]", "\r")
	s.after("[Y/n]", "\r")
	if err := s.end(); err != nil {
		t.Errorf("%s: %v:\n%s", name, err, s.text())
	}
	got := a.credentials(t, "default")
	if got["client_secret"] != secret || got["refresh_token"] != "" || got["username"] != "" {
		t.Errorf("%s: the fields are %v, or hold other values", name, mapKeys(got))
	}
	if strings.Contains(s.text(), secret) || strings.Contains(s.text(), "another-line") {
		t.Errorf("%s: the terminal showed what was pasted", name)
	}
}

// The program asks for both credential sets, checks them and writes them.
func TestSeedingTwoSetsAtATerminal(t *testing.T) {
	t.Parallel()
	a := newAccount(t, reltio.Options{Users: map[string]string{"second": "password"}})
	_, refreshToken := a.Reltio.Login()
	s := atTerminal(t, a.command(t, "seed", "-stack", harness.Stack))
	s.after("Client id:", "client\r")
	s.after("Client secret", "secret\r")
	s.after("Refresh token", refreshToken+"\r")
	s.after("User name", "\r")
	s.after("[y/N]", "y\r")
	s.afterAgain("Client id:", "client\r")
	s.afterAgain("Client secret", "secret\r")
	s.afterAgain("Refresh token", "\r")
	s.afterAgain("User name", "second\r")
	s.after("Password", "password\r")
	s.after("For primary the function uses the refresh token", "")
	s.after("For alternate the function logs in", "")
	s.after("[Y/n]", "\r")
	if err := s.end(); err != nil || !strings.Contains(s.text(), "(alternate)") {
		t.Errorf("%v:\n%s", err, s.text())
	}
	var document struct {
		Alternate map[string]string
	}
	text, _ := a.AWS.Secret(harness.SecretName("default", "credentials"))
	if err := json.Unmarshal([]byte(text), &document); err != nil || document.Alternate["username"] != "second" || document.Alternate["password"] != "password" {
		t.Errorf("the secret does not hold the second set: %v\n%s", err, s.text())
	}
}

// A profile with MFA works for every command: the code is asked for.
func TestMFAIsAskedForAtTheTerminal(t *testing.T) {
	t.Parallel()
	a := newAccount(t, reltio.Options{})
	a.mfa = "123456"
	config := "[profile guarded]\nregion = us-east-1\nrole_arn = arn:aws:iam::123456789012:role/operator\nsource_profile = keys\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n"
	for file, text := range map[string]string{
		"config": config, "credentials": "[keys]\naws_access_key_id = test\naws_secret_access_key = test\n",
	} {
		if err := os.WriteFile(filepath.Join(a.home, ".aws", file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a.Seed("emea")
	guarded := func(args ...string) *screen {
		cmd := a.command(t, append(args, "-stack", harness.Stack, "-profile", "guarded")...)
		// The SDK asks STS for a profile's role elsewhere unless told so apart.
		cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL_STS="+a.web.URL)
		return atTerminal(t, cmd)
	}
	s := guarded("refresh", "-connection", "emea")
	s.after("MFA code of arn:aws:iam::123456789012:mfa/me:", "123456\r")
	if err := s.end(); err != nil || !strings.Contains(s.text(), "a new token is published") {
		t.Errorf("%v:\n%s", err, s.text())
	}
	if strings.Count(s.text(), "MFA code") != 1 {
		t.Errorf("the code is asked for more than once:\n%s", s.text())
	}
	s = guarded("status")
	s.after("MFA code", "000000\r")
	if err := s.end(); err == nil || !strings.Contains(flat(s.text()), "AccessDenied") {
		t.Errorf("a wrong code: %v:\n%s", err, s.text())
	}
}

// Commands that delete ask for the name. If another one is typed, they change
// nothing.
func TestRemovingAsksForTheName(t *testing.T) {
	t.Parallel()
	a := newAccount(t, reltio.Options{})
	project, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if text, status := a.run(t, "", "add-connection", "-stack", harness.Stack, "-connection", "emea", "-source", project); status != 0 {
		t.Fatal(text)
	}
	s := atTerminal(t, a.command(t, "remove-connection", "-stack", harness.Stack, "-connection", "emea"))
	s.after("Type the connection's name", "default\r")
	if err := s.end(); err == nil || a.stacks["test-connection-emea"] == nil {
		t.Errorf("another name: %v:\n%s", err, s.text())
	}
	s = atTerminal(t, a.command(t, "remove-connection", "-stack", harness.Stack, "-connection", "emea"))
	s.after("Type the connection's name", "emea\r")
	if err := s.end(); err != nil || a.stacks["test-connection-emea"] != nil {
		t.Errorf("its name: %v:\n%s", err, s.text())
	}
	s = atTerminal(t, a.command(t, "delete", "-stack", harness.Stack))
	s.after("Type the stack's name", "\r")
	if err := s.end(); err == nil || a.stacks[harness.Stack] == nil {
		t.Errorf("no name: %v:\n%s", err, s.text())
	}
}

// A new stack: one question. A declined change set leaves no stack behind.
func TestDeployingAtATerminal(t *testing.T) {
	t.Parallel()
	a := newAccount(t, reltio.Options{})
	project, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	sam := "#!/bin/sh\ncase \"$1\" in\npackage) cp template.yaml \"$6\" ;;\nesac\n"
	if err := os.Mkdir(filepath.Join(a.home, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.home, "bin", "sam"), []byte(sam), 0o700); err != nil {
		t.Fatal(err)
	}
	deploy := func() *screen {
		cmd := a.command(t, "deploy", "-stack", "new", "-source", project)
		cmd.Env = append(cmd.Env, "PATH="+filepath.Join(a.home, "bin")+":"+os.Getenv("PATH"))
		return atTerminal(t, cmd)
	}
	s := deploy()
	s.after("E-mail address for alarms", "me@\r")
	s.after("must be empty or one e-mail address", "")
	s.afterAgain("E-mail address for alarms", "me@example.com\r")
	s.after("Deploy these changes?", "\r")
	if err := s.end(); err == nil || a.stacks["new"] != nil {
		t.Errorf("declined: %v, %v:\n%s", err, a.stacks["new"], s.text())
	}
	s = deploy()
	s.after("E-mail address for alarms", "me@example.com\r")
	s.after("Deploy these changes?", "y\r")
	if err := s.end(); err != nil || a.stacks["new"] == nil || a.stacks["new"].parameters["AlarmEmail"] != "me@example.com" {
		t.Errorf("%v:\n%s", err, s.text())
	}
}

// The probe asks before it ends a token.
func TestProbeAsks(t *testing.T) {
	t.Parallel()
	w := newTenant(t, reltio.Options{}, map[string]any{"refresh_token": "login"})
	probe := func(answer string) *screen {
		cmd := exec.CommandContext(t.Context(), rotatorctl.Path(t), "probe", "-credentials", "credentials.json", "-token-url", w.web.URL+"/oauth/token")
		cmd.Dir, cmd.Env = w.home, []string{"HOME=" + w.home, "TMPDIR=" + w.home, "TERM=xterm"}
		s := atTerminal(t, cmd)
		s.after("It ends the token that they have now", "")
		s.after("Go on? [y/N]", answer)
		return s
	}
	if err := probe("\r").end(); err == nil || len(w.Requests()) > 0 {
		t.Errorf("declined: %v, %d token requests", err, len(w.Requests()))
	}
	if s := probe("y\r"); s.end() != nil || len(w.Requests()) != 2 {
		t.Errorf("%d token requests:\n%s", len(w.Requests()), s.text())
	}
}

// At a terminal, only problems are printed in color.
func TestColorIsForTroubleAlone(t *testing.T) {
	const red, plain = "\x1b[31m", "\x1b[0m"
	a := newAccount(t, reltio.Options{})
	a.Seed("emea")
	if text, status := a.run(t, "", "refresh", "-stack", harness.Stack, "-connection", "emea"); status != 0 {
		t.Fatal(text)
	}
	s := atTerminal(t, a.command(t, "status", "-stack", harness.Stack))
	_ = s.end()
	if strings.Count(s.text(), red) != 1 || strings.Count(s.text(), plain) != 1 || !strings.Contains(s.text(), red+"  It waits for credentials") {
		t.Errorf("what is in color is not what is wrong:\n%q", s.text())
	}
	cmd := a.command(t, "status", "-stack", harness.Stack)
	cmd.Env = append(cmd.Env, "NO_COLOR=1")
	s = atTerminal(t, cmd)
	if _ = s.end(); strings.Contains(s.text(), "\x1b") {
		t.Errorf("NO_COLOR: %q", s.text())
	}
}
