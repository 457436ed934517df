package readers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/extent"
)

// blocks are what the page gives to paste, in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/reading-the-token.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(string(page), -1) {
		all = append(all, match[1])
	}
	return all
}

// What the page gives to paste works: each block is run with this stack's names.
func TestThePagesBlocksRun(t *testing.T) {
	extent.OnlyFull(t)
	s := deploy(t)
	for _, c := range []struct {
		language, file string
		command        func(t *testing.T, file string) *exec.Cmd
	}{
		{"java", "Job.java", func(t *testing.T, file string) *exec.Cmd {
			command := java(t)
			command.Args = append(command.Args[:len(command.Args)-1], file)
			return command
		}},
		{"js", "job.mjs", func(t *testing.T, file string) *exec.Cmd {
			command := node(t)
			// Within the package, where its own name leads to it.
			inside := filepath.Join(built.dir, "node", filepath.Base(file))
			if err := os.Rename(file, inside); err != nil {
				t.Fatal(err)
			}
			command.Args[1] = inside
			return command
		}},
		{"python", "job.py", func(t *testing.T, file string) *exec.Cmd {
			command := python("")(t)
			command.Args[1] = file
			return command
		}},
		{"sh", "job.sh", func(t *testing.T, file string) *exec.Cmd {
			command := shell("bash")(t)
			command.Args[1], command.Dir = file, "../.."
			return command
		}},
	} {
		t.Run(c.language, func(t *testing.T) {
			ran := 0
			for _, block := range blocks(t, c.language) {
				text := strings.NewReplacer(
					"reltio-token-rotator/STACK/default/token", harness.SecretName("default", "token"),
					"https://dev.reltio.com/reltio/api/TENANT", s.apiURL, "FUNCTION", "rotate-page",
				).Replace(block)
				if text == block {
					continue // not a reader
				}
				ran++
				file := filepath.Join(t.TempDir(), c.file)
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				j := startProcess(t, c.command(t, file), s.awsURL)
				if !j.lines.Scan() || j.lines.Text() != "got entities" {
					t.Errorf("%q\n%s", j.lines.Text(), j.output)
				}
			}
			if ran == 0 {
				t.Error("the page has no such block: does this test still see it?")
			}
		})
	}
}

// A module that names this one with a replace compiles the reader.
func TestTheGoReaderInAnotherModule(t *testing.T) {
	extent.OnlyFull(t)
	dir, project := t.TempDir(), folder(t, "../..")
	sums, err := os.ReadFile(filepath.Join(project, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod": "module job\n\ngo 1.26\n\nrequire reltio-token-rotator v0.0.0\n\nreplace reltio-token-rotator => " + project + "\n",
		"go.sum": string(sums),
		"job.go": "package main\n\nimport \"reltio-token-rotator/rotator/reader\"\n\nfunc main() { reader.New(reader.Config{}) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-mod=mod", "-o", filepath.Join(dir, "job"), ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOSUMDB=off", "GOWORK=off")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	requires, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(requires)) {
		path, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(path, "github.com/") && !strings.HasPrefix(path, "github.com/aws/aws-sdk-go-v2") && path != "github.com/aws/smithy-go" {
			t.Errorf("go.mod gets %s", path)
		}
	}
}
