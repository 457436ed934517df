package template_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"reltio-token-rotator/tests/harness/extent"
)

// Anyone can build a deployed function again and compare it: the same sources
// make the same bytes, in another folder and without git.
func TestBuildIsReproducible(t *testing.T) {
	extent.OnlyFull(t) // it builds the function twice
	elsewhere := t.TempDir()
	for _, part := range []string{"go.mod", "go.sum", "Makefile"} {
		text := read(t, part)
		if err := os.WriteFile(filepath.Join(elsewhere, part), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{"functions", "rotator"} {
		if err := os.CopyFS(filepath.Join(elsewhere, part), os.DirFS(filepath.Join(root, part))); err != nil {
			t.Fatal(err)
		}
	}
	const version = "v9.8.7"
	here, there := bootstrap(t, root, version), bootstrap(t, elsewhere, version)
	if sha256.Sum256(here) != sha256.Sum256(there) {
		t.Error("two builds of the same sources differ")
	}
	if !bytes.Contains(here, []byte(version)) {
		t.Error("the function does not hold its version")
	}
}

func bootstrap(t *testing.T, dir, version string) []byte {
	t.Helper()
	out := t.TempDir()
	build := exec.CommandContext(t.Context(), "make", "-s", "build-RotateFunction", "ARTIFACTS_DIR="+out, "VERSION="+version)
	build.Dir = dir
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	built, err := os.ReadFile(filepath.Join(out, "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	return built
}
