package readers_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const examples = "../../examples"

// files are the examples that match a pattern.
func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(examples, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no examples %s: %v", pattern, err)
	}
	return found
}

// check runs a checker over files and fails with what it says.
func check(t *testing.T, env []string, command string, args ...string) {
	t.Helper()
	process := exec.Command(find(t, command), args...)
	process.Env = append(os.Environ(), env...)
	if output, err := process.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", command, err, output)
	}
}

func TestTheTemplatesLint(t *testing.T) {
	check(t, nil, "cfn-lint", files(t, "*/*.yaml")...)
}

func TestThePythonExamplesLint(t *testing.T) {
	// Glue and Spark have no types here, and none of their own.
	args := append([]string{"--strict", "--ignore-missing-imports", "--cache-dir", t.TempDir()}, files(t, "*/*.py")...)
	check(t, []string{"MYPYPATH=" + filepath.Join(examples, "python")}, "mypy", args...)
}

func TestTheShellExamplesLint(t *testing.T) {
	args := append([]string{"--external-sources", "--source-path=../.."}, files(t, "*/*.sh")...)
	check(t, nil, "shellcheck", args...)
}

// Who pastes an example gets nothing of ours and reads the token as the stack
// allows it.
func TestTheExamplesHoldNothingOfAnyone(t *testing.T) {
	private := map[string]*regexp.Regexp{
		"an account number": regexp.MustCompile(`\b[0-9]{12}\b`),
		"a region":          regexp.MustCompile(`\b(af|ap|ca|cn|eu|il|me|mx|sa|us)(-gov)?-(central|east|north|south|west)[a-z]*-[0-9]\b`),
		"an access key":     regexp.MustCompile(`\bA[KS]IA[A-Z0-9]{8,}`),
		"a partition":       regexp.MustCompile(`arn:aws:`),
	}
	for _, file := range files(t, "*/*") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for what, pattern := range private {
			if found := pattern.FindString(string(text)); found != "" {
				t.Errorf("%s holds %s: %s", file, what, found)
			}
		}
		policy := regexp.MustCompile(`(?s)ManagedPolicyArns:.{0,150}!Ref ReaderPolicyArn`)
		if filepath.Ext(file) == ".yaml" && !policy.Match(text) {
			t.Errorf("%s attaches the reader policy to no role", file)
		}
	}
}

// A token that was injected at start is used only if no refresh can end it
// before the program has ended.
func TestEnoughLeft(t *testing.T) {
	for _, c := range []struct {
		name   string
		left   time.Duration // of the token's life
		window string        // RELTIO_REFRESH_BEFORE
		exit   int
		says   string
	}{
		{"all of it", time.Hour, "", 0, ""},
		{"just enough before the earliest refresh, 12 minutes before its end", 22*time.Minute + 5*time.Second, "", 0, ""},
		{"a bit too little", 22*time.Minute - time.Second, "", 75, "waiting 8"},
		{"enough before a later refresh", 13 * time.Minute, "120", 0, ""},
		{"nothing", -time.Hour, "", 75, "waiting 0 s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			find(t, "bash")
			folder := t.TempDir()
			// What it would wait is said, and not waited.
			if err := os.WriteFile(filepath.Join(folder, "sleep"), []byte("#!/bin/sh\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			process := exec.Command("bash", filepath.Join(examples, "shell", "enough-left.sh"), "600", "echo", "done  so")
			process.Env = []string{
				"PATH=" + folder + string(os.PathListSeparator) + os.Getenv("PATH"),
				"RELTIO_TOKEN_EXPIRES_AT=" + time.Now().Add(c.left).UTC().Format(time.RFC3339),
			}
			if c.window != "" {
				process.Env = append(process.Env, "RELTIO_REFRESH_BEFORE="+c.window)
			}
			output, err := process.CombinedOutput()
			exit := 0
			if failure, ok := errors.AsType[*exec.ExitError](err); ok {
				exit = failure.ExitCode()
			}
			if exit != c.exit || !strings.Contains(string(output), c.says) || (exit == 0) != (string(output) == "done  so\n") {
				t.Errorf("exit %d, want %d: %s", exit, c.exit, output)
			}
		})
	}
}
