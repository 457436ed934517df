package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// longest is how many lines a file of the program may have. A longer one is two.
const longest = 300

func TestFilesAreShort(t *testing.T) {
	for _, file := range tracked(t) {
		if path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		if lines := strings.Count(read(t, file), "\n"); lines > longest {
			t.Errorf("%s has %d lines, more than %d: make it two", file, lines, longest)
		}
	}
}

// What is tracked is text: a program that was built is not.
func TestFilesAreText(t *testing.T) {
	for _, file := range tracked(t) {
		if text := read(t, file); !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			t.Errorf("%s is not text: a built program or other binary file is not for git", file)
		}
	}
}

// A folder under tests has suites or what they share, and no program. The tests
// beside a program are unit tests: they are of its package.
func TestProgramsAndSuitesAreApart(t *testing.T) {
	clause := regexp.MustCompile(`(?m)^package (\w+)$`)
	programs, outside := map[string]bool{}, map[string]bool{}
	for _, file := range tracked(t) {
		if path.Ext(file) != ".go" {
			continue
		}
		match := clause.FindStringSubmatch(read(t, file))
		if match == nil {
			t.Errorf("%s has no package clause", file)
			continue
		}
		switch {
		case strings.HasSuffix(match[1], "_test"):
			outside[path.Dir(file)] = true
		case match[1] == "main":
			programs[path.Dir(file)] = true
		}
	}
	if len(programs) == 0 {
		t.Error("no program found: does this test still see them?")
	}
	for folder := range programs {
		if outside[folder] {
			t.Errorf("%s holds a program and a suite", folder)
		}
		if strings.HasPrefix(folder, "tests/") {
			t.Errorf("%s holds a program: it belongs in cmd", folder)
		}
	}
}

// suites are the folders of tests that are not what suites share.
func suites(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "tests"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "fake" && entry.Name() != "harness" {
			names = append(names, entry.Name())
		}
	}
	return names
}

// tests/README.md has a row for each suite that exists, and for no other.
func TestEverySuiteHasItsRow(t *testing.T) {
	var rows []string
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z0-9]+)` \\|.*\\|$").FindAllStringSubmatch(read(t, "tests/README.md"), -1) {
		rows = append(rows, match[1])
	}
	if want := suites(t); !slices.Equal(rows, want) {
		t.Errorf("tests/README.md has rows for %v, and the suites are %v", rows, want)
	}
}
