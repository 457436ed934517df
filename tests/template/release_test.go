package template_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"reltio-token-rotator/tests/harness/extent"
)

// released makes a release in a copy of the sources, and returns its folder.
func released(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"go.mod", "go.sum", "Makefile", "template.yaml", "connection.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, part), []byte(read(t, part)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{"functions", "rotator", filepath.Join("cmd", "release")} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(root, part))); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "make", "-s", "release", "VERSION="+version)
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("make release: %v\n%s", err, output)
	}
	return filepath.Join(dir, ".build", "release")
}

// What a release publishes can be made again by anyone, holds what its checksums
// say, and needs no SAM CLI.
func TestRelease(t *testing.T) {
	extent.OnlyFull(t) // it builds the function twice
	const version, code = "v9.8.7", "reltio-token-rotator-v9.8.7.zip"
	folder := released(t, version)
	file := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	sums := ""
	for _, name := range []string{code, "template.yaml", "connection.yaml"} {
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256(file(name)), name)
	}
	if got := string(file("SHA256SUMS")); got != sums {
		t.Errorf("the checksums are\n%swant\n%s", got, sums)
	}
	again, err := os.ReadFile(filepath.Join(released(t, version), "SHA256SUMS"))
	if err != nil || string(again) != sums {
		t.Errorf("a second release of the same sources has the checksums\n%s%v", again, err)
	}

	archive, err := zip.NewReader(bytes.NewReader(file(code)), int64(len(file(code))))
	if err != nil || len(archive.File) != 1 || archive.File[0].Name != "bootstrap" || archive.File[0].Mode() != 0o755 {
		t.Fatalf("the zip does not hold the program bootstrap alone: %v", err)
	}
	content, err := archive.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if function, err := io.ReadAll(content); err != nil || !bytes.Contains(function, []byte(version)) {
		t.Errorf("the function does not hold its version: %v", err)
	}
	if got := string(file("connection.yaml")); got != read(t, "connection.yaml") {
		t.Error("connection.yaml is not that of the sources")
	}

	s := translatedFile(t, filepath.Join(folder, "template.yaml"), map[string]string{"CodeBucket": "artifacts"})
	want := object{"S3Bucket": "artifacts", "S3Key": code}
	if got := s.properties(t, "RotateFunction")["Code"]; !reflect.DeepEqual(got, want) {
		t.Errorf("the function's code is %v, want %v", got, want)
	}
}

// Without a version, the zip of the next release would have the same name.
func TestReleaseNeedsAVersion(t *testing.T) {
	for _, version := range []string{"", "899f4ce", "v1/../.."} {
		command := exec.CommandContext(t.Context(), "go", "run", "./cmd/release", "-version", version, "-bootstrap", "go.mod", "-to", t.TempDir())
		command.Dir = root
		output, err := command.CombinedOutput()
		if err == nil || !strings.Contains(string(output), "make release VERSION=v0.1.0") {
			t.Errorf("the version %q: %v\n%s", version, err, output)
		}
	}
}
