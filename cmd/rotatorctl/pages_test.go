package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every page that a message names exists.
func TestPagesExist(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(page|deploying)\("([a-z-]+)"\)`)
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range named.FindAllStringSubmatch(string(source), -1) {
			found++
			document := map[string]string{"page": "runbook.md", "deploying": "deploying.md"}[match[1]]
			if !strings.Contains(anchors(t, document), "#"+match[2]+"\n") {
				t.Errorf("%s names docs/%s#%s, which is not there", file, document, match[2])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d pages are named", found)
	}
}

// anchors are those of a document's headings, as GitHub makes them.
func anchors(t *testing.T, document string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + document)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			all.WriteString("#" + strings.ReplaceAll(strings.ToLower(strings.TrimSpace(heading)), " ", "-") + "\n")
		}
	}
	return all.String()
}
