// Package docs_test compares the pages with the code: what a page names exists, and
// what exists has its page.
package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"reltio-token-rotator/rotator"
)

var root = filepath.Join("..", "..")

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are the project's documents, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "tests/*.md", "examples/*.md", "examples/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.ToSlash(name)] = read(t, name)
		}
	}
	return all
}

// sections are a page's headings, as links name them, with the text below.
func sections(page string) map[string]string {
	all, anchor, fenced := map[string]string{}, "", false
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") && !fenced {
			anchor = regexp.MustCompile(`[^a-z0-9_ -]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			anchor = strings.ReplaceAll(anchor, " ", "-")
			all[anchor] = ""
			continue
		}
		all[anchor] += line
	}
	return all
}

// constants are the values of a type's string constants, in a file's order.
func constants(t *testing.T, file, typeName string) []string {
	t.Helper()
	var values []string
	for _, c := range declared(t, file, typeName) {
		values = append(values, c.value)
	}
	return values
}

type constant struct{ name, value string }

// declared are the string constants of a type in a file of the project.
func declared(t *testing.T, file, typeName string) []constant {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []constant
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		name, ok := spec.Type.(*ast.Ident)
		literal, isText := spec.Values[0].(*ast.BasicLit)
		if ok && isText && name.Name == typeName {
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, constant{spec.Names[0].Name, value})
		}
		return true
	})
	if len(found) == 0 {
		t.Fatalf("%s has no constant of type %s", file, typeName)
	}
	return found
}

// Every error code has a page that says what happened and what to do, and a row
// in the table above the pages.
func TestEveryErrorCodeHasItsPage(t *testing.T) {
	runbook := sections(read(t, "docs/runbook.md"))
	for _, code := range constants(t, "rotator/errors.go", "Code") {
		page, ok := runbook[code]
		if !ok || !strings.Contains(page, "**What happened.**") || !strings.Contains(page, "**What to do.**") {
			t.Errorf("docs/runbook.md: %s has no page that says what happened and what to do", code)
		}
		if !strings.Contains(runbook["error-codes"], "\n| `"+code+"` |") {
			t.Errorf("docs/runbook.md: the table of error codes has no row for %s", code)
		}
	}
}

// The list of codes is complete, and each code has a row in the table.
func TestEveryErrorCodeIsInTheTable(t *testing.T) {
	var listed []string
	for _, code := range rotator.Codes() {
		listed = append(listed, string(code))
		if code.Advice() == rotator.Code("").Advice() {
			t.Errorf("rotator/errors.go: the table has no row for %s", code)
		}
	}
	if want := constants(t, "rotator/errors.go", "Code"); !slices.Equal(listed, want) {
		t.Errorf("rotator/errors.go: Codes returns %v, and the constants are %v", listed, want)
	}
}

// Every grant type is sent, is answered by the fake, and is in the README.
func TestEveryGrantTypeIsEverywhere(t *testing.T) {
	request, server := read(t, "rotator/reltio/request.go"), ""
	for _, file := range tracked(t) {
		if strings.HasPrefix(file, "tests/fake/reltio/") && !strings.HasSuffix(file, "_test.go") {
			server += read(t, file)
		}
	}
	for _, c := range declared(t, "rotator/grant_type.go", "GrantType") {
		if !regexp.MustCompile(`case rotator\.` + c.name + `\b`).MatchString(request) {
			t.Errorf("rotator/reltio/request.go has no case for %s", c.name)
		}
		if !strings.Contains(server, `"`+c.value+`"`) {
			t.Errorf("tests/fake/reltio does not answer %s", c.value)
		}
		if !strings.Contains(read(t, "README.md"), c.value) {
			t.Errorf("README.md does not say when %s is used", c.value)
		}
	}
}

// The page about reading names every example.
func TestEveryExampleIsInItsPage(t *testing.T) {
	page := read(t, "docs/reading-the-token.md")
	entries, err := os.ReadDir(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.Contains(page, "](../examples/"+entry.Name()) {
			t.Errorf("docs/reading-the-token.md has no link to examples/%s", entry.Name())
		}
	}
}

// An alarm names its page, and the page is there. The last part of an alarm's
// name is the page.
func TestEveryAlarmHasItsPage(t *testing.T) {
	runbook := sections(read(t, "docs/runbook.md"))
	names := regexp.MustCompile(`AlarmName: !Sub reltio-token-rotator/\$\{AWS::StackName\}/([a-z-]+)`).FindAllStringSubmatch(read(t, "template.yaml"), -1)
	if len(names) < 5 {
		t.Errorf("the template has %d alarms that are named as the runbook's pages are", len(names))
	}
	for _, name := range names {
		page, ok := runbook[name[1]]
		if !ok || !strings.Contains(page, "**What happened.**") || !strings.Contains(page, "**What to do.**") {
			t.Errorf("docs/runbook.md: the alarm %s has no page that says what happened and what to do", name[1])
		}
	}
}

func TestEveryOutcomeIsInTheRunbook(t *testing.T) {
	table := sections(read(t, "docs/runbook.md"))["outcomes"]
	for _, outcome := range constants(t, "rotator/report.go", "Outcome") {
		if !strings.Contains(table, "\n| `"+outcome+"` |") {
			t.Errorf("docs/runbook.md: the table of outcomes has no row for %s", outcome)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every link between the pages has a target.
func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	checked := 0
	for name, text := range all {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			checked++
			file := name
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(name), target))
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s links to %s, which is not there", name, match[1])
				continue
			}
			if _, ok := sections(all[file])[anchor]; anchor != "" && !ok {
				t.Errorf("%s links to %s, where no such heading is", name, match[1])
			}
		}
	}
	if checked == 0 {
		t.Error("no links found: does this test still see them?")
	}
}

// The paths in the pages for contributors exist. A path is in code style and has a
// slash or an ending.
func TestPathsNamedInThePagesExist(t *testing.T) {
	code := regexp.MustCompile("`(?:\\./)?([\\w.-]+(?:/[\\w.-]+)*/?)`")
	for _, page := range []string{"CONTRIBUTING.md", "tests/README.md"} {
		seen := 0
		for _, match := range code.FindAllStringSubmatch(read(t, page), -1) {
			if name := match[1]; strings.Contains(name, "/") || regexp.MustCompile(`^\w+\.(go|md|yaml|toml|mod)$`).MatchString(name) {
				seen++
				if _, err := os.Stat(filepath.Join(root, name)); err != nil {
					t.Errorf("%s names %s, which is not there", page, name)
				}
			}
		}
		if seen == 0 {
			t.Errorf("%s names no path: does this test still see them?", page)
		}
	}
}

// The pages that programs print exist, whatever names them: the code, the
// template, the tests.
func TestPagesNamedByTheCodeExist(t *testing.T) {
	runbook := sections(read(t, "docs/runbook.md"))
	named := regexp.MustCompile(`docs/runbook\.md#([a-z0-9_-]+)|page\("([a-z0-9_-]+)"\)`)
	seen := 0
	for _, pattern := range []string{"*.yaml", "operate/*.go", "rotator/*.go", "rotator/*/*.go", "functions/*/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range named.FindAllStringSubmatch(string(text), -1) {
				seen++
				if _, ok := runbook[match[1]+match[2]]; !ok {
					t.Errorf("%s names the page %s, which docs/runbook.md does not have", file, match[1]+match[2])
				}
			}
		}
	}
	if seen == 0 {
		t.Error("nothing names a page: does this test still see it?")
	}
}

// Every test that a page names exists.
func TestTestsNamedInThePagesExist(t *testing.T) {
	there := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root:
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, match := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			there[match[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, text := range pages(t) {
		for _, match := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z0-9]\\w+)`").FindAllStringSubmatch(text, -1) {
			seen++
			if !there[match[1]] {
				t.Errorf("%s names %s, which is not there", name, match[1])
			}
		}
	}
	if seen == 0 {
		t.Error("no page names a test: does this test still see them?")
	}
}

// metrics are the names that the function writes.
func metrics(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?:add\(|\{)"([A-Z][A-Za-z]+)", (?:unit|m\.)`).FindAllStringSubmatch(read(t, "rotator/emf/emf.go"), -1) {
		found[match[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// Every metric that the specification of the function names is written and on
// the dashboard, and none besides.
func TestEveryMetricIsWrittenAndOnTheDashboard(t *testing.T) {
	want := []string{
		"ActionRequired", "Failures", "GrantMilliseconds", "Heartbeats", "NoCredentials", "RefreshOverdue", "RefreshTokenAgeDays",
		"Refreshes", "Throttles", "TokenSecondsRemaining",
	}
	if got := metrics(t); !slices.Equal(got, want) {
		t.Errorf("rotator/emf writes %v, wanted %v", got, want)
	}
	_, dashboard, _ := strings.Cut(read(t, "template.yaml"), "DashboardBody")
	for _, name := range want {
		if !strings.Contains(dashboard, `"`+name+`"`) {
			t.Errorf("%s is not on the dashboard", name)
		}
	}
}

func TestEveryMakeTargetNamedExists(t *testing.T) {
	makefile := read(t, "Makefile")
	targets := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^([a-zA-Z-]+):`).FindAllStringSubmatch(makefile, -1) {
		targets[match[1]] = true
	}
	// In code alone: prose says "make sure" as well.
	code := regexp.MustCompile("(?m)`make ([a-z][a-z-]*)|^(?:\\$ )?make ([a-z][a-z-]*)")
	named := 0
	all := pages(t)
	for file, text := range all {
		for _, match := range code.FindAllStringSubmatch(text, -1) {
			named++
			if target := match[1] + match[2]; !targets[target] {
				t.Errorf("%s says make %s, which the Makefile does not have", file, target)
			}
		}
	}
	if named == 0 && len(all) > 0 {
		t.Error("no document names a make target: does this test still see them?")
	}
}

// The list of the targets fits a terminal.
func TestMakeHelpFits(t *testing.T) {
	help := exec.Command("make", "--no-print-directory", "help")
	help.Dir = root
	listed, err := help.Output()
	if err != nil {
		t.Fatalf("make help: %v", err)
	}
	for line := range strings.Lines(string(listed)) {
		if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 80 {
			t.Errorf("make help: %d columns: %s", width, line)
		}
	}
}
