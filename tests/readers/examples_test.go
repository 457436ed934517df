package readers_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/tests/harness/extent"
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
	extent.OnlyFull(t)
	check(t, nil, "cfn-lint", files(t, "*/*.yaml")...)
}

func TestThePythonExamplesLint(t *testing.T) {
	extent.OnlyFull(t)
	config := filepath.Join(examples, "python", "pyproject.toml")
	folders := []string{filepath.Join(examples, "python"), filepath.Join(examples, "glue")}
	check(t, nil, "ruff", append([]string{"check", "--no-cache", "--config", config}, folders...)...)
	check(t, nil, "ruff", append([]string{"format", "--check", "--no-cache", "--config", config}, folders...)...)
	// Glue and Spark have no types here, and none of their own.
	check(t, []string{"MYPYPATH=" + folders[0]}, "mypy",
		append([]string{"--strict", "--ignore-missing-imports", "--cache-dir", t.TempDir()}, folders...)...)
}

func TestTheShellExamplesLint(t *testing.T) {
	scripts := append(files(t, "*/*.sh"), "jobs/job.sh")
	check(t, nil, "shellcheck", append([]string{"--external-sources", "--source-path=../.."}, scripts...)...)
}

// What pip installs has its types.
func TestThePythonPackageInstalls(t *testing.T) {
	extent.OnlyFull(t)
	command := python("requests")(t)
	source, target := t.TempDir(), t.TempDir()
	if err := os.CopyFS(source, os.DirFS(filepath.Join(examples, "python"))); err != nil {
		t.Fatal(err)
	}
	if err := run(source, command.Path, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", target, "."); err != nil {
		t.Fatal(err)
	}
	use := filepath.Join(t.TempDir(), "use.py")
	if err := os.WriteFile(use, []byte("from reltio_auth import TokenSource\nfrom reltio_auth.httpx import ReltioAuth\n\nnot_text: int = TokenSource('x').token().reveal()\nReltioAuth()\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mypy := exec.Command(find(t, "mypy"), "--strict", "--cache-dir", t.TempDir(), use)
	mypy.Env = append(os.Environ(), "MYPYPATH="+target)
	if output, _ := mypy.CombinedOutput(); strings.Count(string(output), "error:") != 2 {
		t.Errorf("mypy does not see the types:\n%s", output)
	}
}

// What npm packs is what package.json promises.
func TestTheNodePackagePacks(t *testing.T) {
	extent.OnlyFull(t)
	node(t)
	out := filepath.Join(built.dir, "node")
	if err := run(out, "npm", "pack", "--silent", "--offline"); err != nil {
		t.Fatal(err)
	}
	listing, err := exec.Command("tar", "-tzf", filepath.Join(out, "reltio-token-0.1.0.tgz")).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"dist/reltio-token.js", "dist/reltio-token.d.ts", "dist/token-source.js", "dist/token-source.d.ts"} {
		if !strings.Contains(string(listing), "package/"+file+"\n") {
			t.Errorf("the package lacks %s:\n%s", file, listing)
		}
	}
}

// The Go reader's folder works in a module of its own: it imports the AWS SDK and
// nothing else that is not in Go.
func TestTheGoReaderNeedsOnlyTheSDK(t *testing.T) {
	output, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "reltio-token-rotator/rotator/reader").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(output)) {
		if path != "reltio-token-rotator/rotator/reader" && !strings.HasPrefix(path, "github.com/aws/aws-sdk-go-v2") && !strings.HasPrefix(path, "github.com/aws/smithy-go") {
			t.Errorf("it needs %s", path)
		}
	}
}

// The examples contain no real names, and read the token as the stack allows it.
func TestTheExamplesHoldNothingOfAnyone(t *testing.T) {
	private := map[string]*regexp.Regexp{
		"an account number":    regexp.MustCompile(`\b[0-9]{12}\b`),
		"a region":             regexp.MustCompile(`\b(af|ap|ca|cn|eu|il|me|mx|sa|us)(-gov)?-(central|east|north|south|west)[a-z]*-[0-9]\b`),
		"an access key":        regexp.MustCompile(`\bA[KS]IA[A-Z0-9]{8,}`),
		"a partition":          regexp.MustCompile(`arn:aws:`),
		"a registry's address": regexp.MustCompile(`https?://registry\.|"resolved"`),
	}
	policy := regexp.MustCompile(`(?s)ManagedPolicyArns:.{0,150}!Ref ReaderPolicyArn`)
	err := filepath.WalkDir(examples, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if err == nil && (entry.Name() == "target" || entry.Name() == "node_modules") {
				return fs.SkipDir
			}
			return err
		}
		text, err := os.ReadFile(file)
		for what, pattern := range private {
			if found := pattern.FindString(string(text)); found != "" {
				t.Errorf("%s holds %s: %s", file, what, found)
			}
		}
		if filepath.Ext(file) == ".yaml" && !policy.Match(text) {
			t.Errorf("%s attaches the reader policy to no role", file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A token that was injected at start is used only if it is valid until the
// program has ended.
func TestEnoughLeft(t *testing.T) {
	for _, c := range []struct {
		name string
		left time.Duration // until valid_until
		exit int
		says string
	}{
		{"plenty", time.Hour, 0, ""},
		{"just enough", 10*time.Minute + 5*time.Second, 0, ""},
		{"a bit too little", 10*time.Minute - time.Second, 75, "waiting 7"},
		{"nothing", -time.Hour, 75, "waiting 0 s"},
	} {
		for _, shell := range []string{"bash", "dash"} {
			t.Run(c.name+" in "+shell, func(t *testing.T) {
				find(t, shell)
				folder := t.TempDir()
				// The script prints how long it would wait, and does not wait.
				if err := os.WriteFile(filepath.Join(folder, "sleep"), []byte("#!/bin/sh\n"), 0o700); err != nil {
					t.Fatal(err)
				}
				process := exec.Command(shell, filepath.Join(examples, "shell", "enough-left.sh"), "600", "echo", "done  so")
				process.Env = []string{
					"PATH=" + pathWith(folder), "RELTIO_TOKEN_VALID_UNTIL=" + time.Now().Add(c.left).UTC().Format(time.RFC3339),
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
}
