package template_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// CloudFormation and some consoles replace other characters with question marks.
func TestTemplatesAreASCII(t *testing.T) {
	for _, file := range []string{"template.yaml", "connection.yaml", "samconfig.toml"} {
		for number, line := range strings.Split(read(t, file), "\n") {
			if strings.ContainsFunc(line, func(r rune) bool { return r > 126 }) {
				t.Errorf("%s:%d: %s", file, number+1, line)
			}
		}
	}
}

// In other partitions (China, GovCloud) an ARN does not start with "arn:aws:".
func TestNoARNOfOnePartition(t *testing.T) {
	for _, pattern := range []string{"*.yaml", "*.md", "docs/*.md", "rotator/*.go", "rotator/*/*.go", "functions/*/*.go", "cmd/rotatorctl/*.go", "examples/*/*"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			if info, err := os.Stat(file); err != nil || info.IsDir() || strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for number, line := range strings.Split(string(text), "\n") {
				if strings.Contains(line, "arn:aws:") {
					t.Errorf("%s:%d: %s", file, number+1, strings.TrimSpace(line))
				}
			}
		}
	}
}
