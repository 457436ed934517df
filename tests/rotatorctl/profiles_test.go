package rotatorctl_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// With a profile of "aws login", the program finds the session and the existing
// stack.
func TestAProfileOfAWSLogin(t *testing.T) {
	a := newAccount(t, reltio.Options{})
	const session = "arn:aws:iam::123456789012:user/operator"
	cache := filepath.Join(a.home, ".aws", "login", "cache")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	token := `{"accessToken":{"accessKeyId":"login","secretAccessKey":"login","sessionToken":"login","accountId":"123456789012","expiresAt":"2099-01-01T00:00:00Z"},
		"tokenType":"urn:aws:params:oauth:token-type:access_token_sigv4","refreshToken":"r","clientId":"c","dpopKey":"k"}`
	for file, text := range map[string]string{
		filepath.Join(a.home, ".aws", "config"):                                      "[profile login]\nregion = us-east-1\nlogin_session = " + session + "\n",
		filepath.Join(cache, fmt.Sprintf("%x.json", sha256.Sum256([]byte(session)))): token,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	status := func() (string, int) {
		cmd := a.command(t, "status", "-stack", harness.Stack, "-profile", "login")
		// No keys but those of the session.
		cmd.Env = slices.DeleteFunc(cmd.Env, func(entry string) bool { return strings.HasPrefix(entry, "AWS_ACCESS_KEY_ID") })
		text, _ := cmd.CombinedOutput()
		return string(text), cmd.ProcessState.ExitCode()
	}
	if text, code := status(); code != 1 || !strings.Contains(text, "It waits for credentials") {
		t.Errorf("exit status %d:\n%s", code, text)
	}
	if err := os.RemoveAll(cache); err != nil {
		t.Fatal(err)
	}
	if text, code := status(); code != 2 || !strings.Contains(flat(text), "sign in (aws login --profile login") {
		t.Errorf("without its session: exit status %d:\n%s", code, text)
	}
}

// Values with blanks and quotes reach AWS through make unchanged.
func TestMakePassesValues(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("make"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no make: install it")
		}
		t.Skip("no make: install it to have the targets tested")
	}
	a := newAccount(t, reltio.Options{})
	target := func(arguments ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "make", append([]string{"--no-print-directory", "STACK=" + harness.Stack, "CONNECTION=emea"}, arguments...)...)
		cmd.Dir = "../.."
		// go build needs its own folders.
		cmd.Env = append(os.Environ(), a.environment()...)
		cmd.Env = slices.DeleteFunc(cmd.Env, func(entry string) bool {
			return strings.HasPrefix(entry, "HOME=") || strings.HasPrefix(entry, "TMPDIR=")
		})
		cmd.Env = append(cmd.Env, "HOME="+os.Getenv("HOME"), "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
		text, err := cmd.CombinedOutput()
		return string(text), err
	}
	text, err := target("add-connection", "PARAMETERS=Scope=read write RefreshBeforeSeconds=300", `TAGS=owner=Data "Team" o'brien cost-centre=42`)
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	if got, _, _ := a.AWS.Parameter(harness.ParameterName("emea", "config")); got != `{"refresh_before_seconds":300,"scope":"read write"}` {
		t.Errorf("the config is %s", got)
	}
	tags := a.stacks["test-connection-emea"].tags
	if tags["owner"] != `Data "Team" o'brien` || tags["cost-centre"] != "42" {
		t.Errorf("the tags are %q", tags)
	}
	if !strings.Contains(text, "make seed STACK=test CONNECTION=emea") {
		t.Errorf("it does not name the next target:\n%s", text)
	}
	if text, err := target("logs", "SINCE=2d"); err != nil {
		t.Errorf("SINCE=2d: %v:\n%s", err, text)
	}
	if text, err := target("remove-connection", "YES=true"); err != nil || a.stacks["test-connection-emea"] != nil {
		t.Errorf("YES=true: %v:\n%s", err, text)
	}
}
