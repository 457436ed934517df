// Package checkout_test uses the Makefile in prepared folders. What a user's machine
// has around a checkout must not matter, or one line says what is missing.
package checkout_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var root = filepath.Join("..", "..")

// program replaces rotatorctl, so that make has little to compile.
const program = `package main

import "example.com/library"

var release string

func main() { println(library.Name, release) }
`

// checkout is a folder with the Makefile and a program of its own.
func checkout(t *testing.T, dir string) string {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "Makefile"), string(makefile))
	write(t, filepath.Join(dir, "go.mod"), "module reltio-token-rotator\n\ngo 1.26.0\n\n"+
		"require example.com/library v1.0.0\n\nreplace example.com/library => ./library\n")
	write(t, filepath.Join(dir, "library", "go.mod"), "module example.com/library\n\ngo 1.26.0\n")
	write(t, filepath.Join(dir, "library", "library.go"), "package library\n\nconst Name = \"version:\"\n")
	write(t, filepath.Join(dir, "cmd", "rotatorctl", "main.go"), program)
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// command runs a program in a folder, with more in its environment.
func command(t *testing.T, dir string, more []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	// Not as a part of the make that runs this test.
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "MAKE") && !strings.HasPrefix(entry, "MFLAGS") && !strings.HasPrefix(entry, "GOFLAGS") &&
			!strings.HasPrefix(entry, "GOWORK") && !strings.HasPrefix(entry, "PIP_") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(cmd.Env, more...)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	settings := []string{"git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"}
	if output, err := command(t, dir, nil, append(settings, args...)...); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, output)
	}
}

// version is what make version says in a folder.
func version(t *testing.T, dir string, more ...string) string {
	t.Helper()
	output, err := command(t, dir, more, "make", "--no-print-directory", "version")
	said, found := strings.CutPrefix(output, "version:")
	if err != nil || !found {
		t.Fatalf("make version: %v\n%s", err, output)
	}
	return strings.TrimSpace(said)
}

func TestTheBuildDoesNotDependOnWhatIsAround(t *testing.T) {
	t.Run("a blank in the path", func(t *testing.T) {
		version(t, checkout(t, filepath.Join(t.TempDir(), "a folder of mine")))
	})
	t.Run("go.work in a folder above", func(t *testing.T) {
		above := t.TempDir()
		write(t, filepath.Join(above, "go.work"), "go 1.26.0\n\nuse ./other\n")
		write(t, filepath.Join(above, "other", "go.mod"), "module other\n\ngo 1.26.0\n")
		version(t, checkout(t, filepath.Join(above, "checkout")))
	})
	t.Run("GOFLAGS=-mod=vendor", func(t *testing.T) {
		version(t, checkout(t, t.TempDir()), "GOFLAGS=-mod=vendor")
	})
	t.Run("go env -w GOFLAGS=-mod=vendor", func(t *testing.T) {
		settings := filepath.Join(t.TempDir(), "env")
		write(t, settings, "GOFLAGS=-mod=vendor\n")
		version(t, checkout(t, t.TempDir()), "GOENV="+settings)
	})
}

func TestTheVersionIsOfTheseSources(t *testing.T) {
	const theirs, ours = "v9.9.9", "v1.2.3"
	repository := func(t *testing.T, dir, tag string) {
		git(t, dir, "init", "--quiet")
		git(t, dir, "add", ".")
		git(t, dir, "commit", "--quiet", "--message", "all")
		git(t, dir, "tag", tag)
	}
	above := t.TempDir()
	dir := checkout(t, filepath.Join(above, "checkout"))
	if got := version(t, dir); got != "" {
		t.Errorf("in no repository: version %q", got)
	}
	repository(t, above, theirs)
	if got := version(t, dir); got != "" {
		t.Errorf("in another repository: version %q", got)
	}
	repository(t, dir, ours)
	if got := version(t, dir); got != ours {
		t.Errorf("in its own repository: version %q, want %s", got, ours)
	}
}

// programs are stubs that come first in PATH.
func programs(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		write(t, filepath.Join(dir, name), "#!/bin/sh\n"+script)
	}
	return "PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH")
}

// If a tool is too old, one line says so, beside make's own, before anything is
// done.
func TestOldProgramsAreNamedInOneLine(t *testing.T) {
	for name, row := range map[string]struct {
		scripts map[string]string
		target  string
		want    string
	}{
		"Go": {
			map[string]string{"go": `case "$1" in version) echo go version go1.19.8 linux/amd64 ;; *) echo go1.19.8 ;; esac`},
			"version", "needs Go 1.26 or later (https://go.dev/dl); found: go version go1.19.8 linux/amd64",
		},
		"Go without the newer one that it would load": {
			map[string]string{"go": `case "$1" in version) echo go version go1.25.1 linux/amd64 ;; *) echo "go: download failed" >&2; exit 1 ;; esac`},
			"version", "needs Go 1.26 or later (https://go.dev/dl); found: go version go1.25.1 linux/amd64",
		},
		"Python": {
			map[string]string{"python3": `test "$1" = --version || exit 1; echo Python 3.8.1`},
			sam(t), "needs Python 3.10 or later with its venv module (Debian: apt-get install python3-venv); found: Python 3.8.1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := command(t, checkout(t, t.TempDir()), []string{programs(t, row.scripts)}, "make", "--no-print-directory", row.target)
			if err == nil {
				t.Errorf("make %s succeeded", row.target)
			}
			var lines []string
			for line := range strings.Lines(output) {
				if line = strings.TrimSpace(line); !strings.HasPrefix(line, "make") {
					lines = append(lines, line)
				}
			}
			if len(lines) != 1 || lines[0] != row.want {
				t.Errorf("said\n%s\nwant the line\n%s", output, row.want)
			}
		})
	}
}

// sam is the file that marks the SAM CLI as installed.
func sam(t *testing.T) string {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`(?m)^SAM_VERSION *:= (\S+)$`).FindSubmatch(makefile)
	if match == nil {
		t.Fatal("the Makefile has no SAM_VERSION")
	}
	return ".tools/sam/installed-" + string(match[1])
}

// python is a Python whose virtual environments are two scripts, and whose pip
// refuses PIP_USER as the real one does in a virtual environment.
const python = `case "$1 $2" in
"-m venv")
	mkdir -p "$3/bin" && dir=$(cd "$3/bin" && pwd) && cp "$0" "$dir/python"
	case $dir in
	*" "*) printf "#!/bin/sh\n'''exec' \"%s\" \"\$0\" \"\$@\"\n' '''\n" "$dir/python" >"$dir/pip" ;;
	*) printf '#!%s\n' "$dir/python" >"$dir/pip" ;;
	esac ;;
"-m pip")
	test -z "$INTERRUPTED" || exit 130
	case "$PIP_USER" in 1|true|yes) echo "Can not perform a '--user' install" >&2; exit 1 ;; esac ;;
esac
`

func TestToolsAreInstalledWhereTheyWork(t *testing.T) {
	for _, folder := range []string{"plain", "with a blank"} {
		t.Run(folder, func(t *testing.T) {
			above := t.TempDir()
			dir := checkout(t, filepath.Join(above, folder))
			path := programs(t, map[string]string{"python3": python})
			installed := func(what string, want bool) {
				t.Helper()
				output, err := command(t, dir, []string{path, "PIP_USER=1"}, "make", "--no-print-directory", sam(t))
				if err != nil {
					t.Fatalf("%s: %v\n%s", what, err, output)
				}
				if got := strings.Contains(output, "installing aws-sam-cli"); got != want {
					t.Errorf("%s: installed is %t, want %t\n%s", what, got, want, output)
				}
			}
			output, err := command(t, dir, []string{path, "INTERRUPTED=1"}, "make", "--no-print-directory", sam(t))
			if err == nil {
				t.Errorf("it goes on after an interruption:\n%s", output)
			}
			installed("after it was interrupted", true)
			installed("again", false)

			renamed := filepath.Join(above, folder+" renamed")
			if err := os.Rename(dir, renamed); err != nil {
				t.Fatal(err)
			}
			dir = renamed
			installed("after the folder was renamed", true)
			installed("again", false)

			if err := os.Remove(filepath.Join(dir, ".tools", "sam", "bin", "python")); err != nil {
				t.Fatal(err)
			}
			installed("after Python vanished", true)
			installed("again", false)

			if err := os.RemoveAll(filepath.Join(dir, ".tools", "sam", "bin")); err != nil {
				t.Fatal(err)
			}
			installed("after its programs vanished", true)
		})
	}
}

// macOS has GNU make 3.81 and bash 3.2. What came after them is not used.
func TestNothingNewerThanMacOSHas(t *testing.T) {
	listed, err := command(t, root, nil, "git", "ls-files", "Makefile", "*.sh", ".ci")
	if err != nil {
		t.Skip("needs git and a repository")
	}
	newer := map[bool]*regexp.Regexp{
		true: regexp.MustCompile(`(?m)^\.ONESHELL|^\.RECIPEPREFIX|^\.SHELLFLAGS|^\s*(undefine|private) |::=|!=\s*\$|^define .*=|\$\((file|guile|let|intcmp) |^load `),
		false: regexp.MustCompile(`\b(mapfile|readarray|coproc)\b|\b(declare|local|typeset) -[a-zA-Z]*[Ang]|\bwait -n|\$\{\w+(\[[^]]*\])?(,|\^)|&>>|\|&|` +
			`\$\{\w+@[A-Z]\}|\$\{\w+: -|;;&|;&|\$EPOCH|\bshopt -s globstar`),
	}
	files := strings.Fields(listed)
	if len(files) < 5 {
		t.Errorf("found only %v: does this test still see the scripts?", files)
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for number, line := range strings.Split(string(text), "\n") {
			if found := newer[file == "Makefile"].FindString(line); found != "" {
				t.Errorf("%s:%d: %q is newer than GNU make 3.81 and bash 3.2", file, number+1, found)
			}
		}
	}
}
