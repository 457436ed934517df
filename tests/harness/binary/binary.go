// Package binary builds the function as it is deployed, or another program of
// the project, for tests that look at it from outside.
//
// A test package that needs it builds it once, when the first test asks:
//
//	var rotate binary.Once
//
//	func TestMain(m *testing.M) { os.Exit(rotate.Run(m)) }
//
//	func TestX(t *testing.T) { path := rotate.Path(t) }
package binary

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// function is the package of the Lambda function. By its import path it is
// found from every folder of the module.
const function = "reltio-token-rotator/functions/rotate"

// Build compiles the function into dir and returns the file's path. The flags
// are those of the Makefile's build-RotateFunction, for this machine's system.
// It needs the go command and a working folder inside the module.
func Build(ctx context.Context, dir string) (path string, err error) {
	path = filepath.Join(dir, "bootstrap")
	return path, BuildProgram(ctx, function, path)
}

// BuildProgram compiles a main package with the same flags into the file path.
// The version is passed as the Makefile does. Otherwise the function would need time
// at every start to find it.
func BuildProgram(ctx context.Context, program, path string) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
		"-ldflags", "-s -w -X main.release=test", "-o", path, program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", program, err, output)
	}
	return nil
}

// Once builds a program when it is first asked for and removes it after the
// last test. The zero Once builds the function.
type Once struct {
	// Program is the import path of a main package; empty is the function's.
	Program string

	once sync.Once
	dir  string
	path string
	err  error
}

// Path returns the program's path. If it cannot be built, the test fails.
func (o *Once) Path(t testing.TB) string {
	t.Helper()
	o.once.Do(func() {
		program := cmp.Or(o.Program, function)
		if o.dir, o.err = os.MkdirTemp("", "rotate-*"); o.err == nil {
			// This does not use the test's context, because all tests of the package
			// use the file.
			o.path = filepath.Join(o.dir, "bootstrap")
			o.err = errors.Join(BuildProgram(context.Background(), program, o.path), dependOnSources(program))
		}
	})
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.path
}

// Run runs a package's tests and returns their exit code; see TestMain. Tests that
// start processes wait more than they work: unless go test is told otherwise, more
// of them run at once than there are processors.
func (o *Once) Run(m *testing.M) int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", "16")
	}
	defer func() {
		if o.dir != "" {
			_ = os.RemoveAll(o.dir)
		}
	}()
	return m.Run()
}

// dependOnSources makes `go test` run the tests again when the program has changed.
// Its cache depends on what a test imports and on the files that it reads, and no
// test imports the function.
func dependOnSources(program string) error {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", program)
	folders, err := list.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	for folder := range strings.Lines(string(folders)) {
		folder = strings.TrimSpace(folder)
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			return err
		}
		for _, file := range append(files, folder) {
			if _, err := os.Stat(file); err != nil {
				return err
			}
		}
	}
	return nil
}
