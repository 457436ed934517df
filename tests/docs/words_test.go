package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// terms are the words that this project does not use, and what it says instead.
// A pattern matches whole words, in lower case, of a file's path and of its text
// as plain returns it: fooBar and foo_bar are the words foo and bar.
var terms = []struct{ pattern, say string }{
	{`claim(s|ed|ing|ant)?`, "lease, take the lease"},
	{`escrow(s|ed)?`, "pending refresh token"},
	{`granting|granted (answer|reply|response)|grant (answer|reply|response)`, "token request, token response"},
	{`displac(e|es|ed|ing)`, "concurrent write"},
	{`(gives?|gave|given|giving) back`, "restore the previous version"},
	{`doubt(s|ed|ful|ing)?|unsure`, "uncertain"},
	{`(held|holds?|holding) back`, "backoff, waiting for new credentials"},
	{`most reads`, "concurrent reads"},
	{`tidy time`, "cleanup timeout"},
	{`needs? (a )?person`, "action required"},
	{`unseeded`, "no credentials"},
	{`stand-ins?|standins?`, "fake"},
	{`worlds?|wards?|stages?`, "fake, harness, fixture"},
	{`cells?|weathers?|ailments?`, "failure case, faults, failure"},
	{`story|stories`, "scenario, refresh"},
	{`tokens? (that|which) (is|are) out|already out`, "the published token"},
	{`tokens? (is|are|was|were) (over|dead)`, "the token expires, is no longer accepted"},
	{`servers err too|leans? on|ordinary times|looks? whom`, "a plain sentence"},
	{`rings?|rang|ringing`, "the alarm fires"},
	{`somebody|nobody|anybody|everybody`, "the operator, no subscriber, everyone who may"},
	{`a person|the person|persons?`, "an operator"},
	{`tells? whether`, "reports whether"},
	{`mend(s|ed|ing)?`, "correct, solve, fix"},
	{`anew`, "again"},
	{`comes? of it|came of it`, "the result"},
	{`\w+ time ?= \d+ \* time\.\w+|\w+ time +time\.duration`, "a Timeout, Reserve or Interval for a duration"},
}

// legitimate are uses of such a word in its ordinary sense: the pattern covers
// the whole use. in is a folder or a file, empty is everywhere.
var legitimate = []struct{ in, pattern, because string }{
	{"LICENSE", `.+`, "a text of others"},
	{"tests/docs/words_test.go", `.+`, "the table above"},
	{"", `jwt claims?|claims? (of|in) (a|the) jwt`, "RFC 7519's name for a JWT's fields"},
	{"", `versions?( (ids )?to)?[ -]stages?`, "Secrets Manager's API: VersionStage, UpdateSecretVersionStage"},
	{"", `(version|left)\.stages`, "the same, in the fake"},
	{"rotator/awsstore", `stages?`, "the same: a version's stages are its labels"},
	{"tests/fake/aws", `stages?`, "the same"},
	{"tests/contract", `stages?`, "the same"},
	{"", `hello world`, "the usual name of the smallest program"},
	{"bench", `cells`, "of a table"},
	{"tests/cost", `cells`, "of a table"},
	{"tests/simulation", `cells?`, "of a table"},
	{"tests/scale", `cells?`, "of a table"},
}

// plain returns a text as words in lower case, with one blank between two lines. So
// a phrase is also found in an identifier and across the lines of a comment. line[i]
// is the line number of byte i.
func plain(text string) (words string, line []int) {
	var b strings.Builder
	number := 0
	for each := range strings.Lines(text) {
		number++
		letters := []rune(strings.TrimLeft(strings.TrimSpace(each), "/#*>;- "))
		for i, r := range letters {
			if i > 0 && unicode.IsUpper(r) {
				ends := i+1 < len(letters) && unicode.IsLower(letters[i+1])
				if unicode.IsLower(letters[i-1]) || unicode.IsUpper(letters[i-1]) && ends {
					b.WriteByte(' ')
				}
			}
			if r == '_' {
				r = ' '
			}
			b.WriteRune(unicode.ToLower(r))
		}
		b.WriteByte(' ')
		for len(line) < b.Len() {
			line = append(line, number)
		}
	}
	return b.String(), line
}

func wholeWords(pattern string) *regexp.Regexp { return regexp.MustCompile(`\b(?:` + pattern + `)\b`) }

// misused returns what a text says in words that the project does not use.
func misused(file, text string) []string {
	var patterns []string
	for _, term := range terms {
		patterns = append(patterns, term.pattern)
	}
	every := wholeWords(strings.Join(patterns, "|"))
	words, line := plain(text)
	hits := every.FindAllStringIndex(words, -1)
	if hits == nil {
		return nil
	}
	var allowed [][]int
	for _, use := range legitimate {
		if file == use.in || strings.HasPrefix(file, use.in+"/") || use.in == "" {
			allowed = append(allowed, wholeWords(use.pattern).FindAllStringIndex(words, -1)...)
		}
	}
	var found []string
	for _, hit := range hits {
		if slices.ContainsFunc(allowed, func(use []int) bool { return use[0] <= hit[0] && hit[1] <= use[1] }) {
			continue
		}
		word := words[hit[0]:hit[1]]
		for _, term := range terms {
			if wholeWords(term.pattern).FindString(word) == word {
				found = append(found, fmt.Sprintf("%s:%d: %q: say %s", file, line[hit[0]], word, term.say))
				break
			}
		}
	}
	return found
}

// tracked returns the files of the project, including new ones that git does not
// ignore.
func tracked(t *testing.T) []string {
	t.Helper()
	listed, err := exec.Command("git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("git ls-files: %v", err)
		}
		t.Skip("needs a git clone: git ls-files names the files")
	}
	var files []string
	for file := range strings.Lines(string(listed)) {
		file = strings.TrimSpace(file)
		// A file that was deleted and not yet committed is still listed.
		if _, err := os.Stat(filepath.Join(root, file)); err == nil {
			files = append(files, file)
		}
	}
	return files
}

// Code and pages use the usual words of the field: those of CONTRIBUTING.md, and
// none of the table above.
func TestWords(t *testing.T) {
	for _, file := range tracked(t) {
		for _, name := range misused(file, strings.ReplaceAll(file, "/", ". ")) {
			t.Errorf("in the name of %s", name)
		}
		for _, use := range misused(file, read(t, file)) {
			t.Error(use)
		}
	}
}

func TestWordsAreFound(t *testing.T) {
	for text, want := range map[string]int{
		"func claimParameter()":                              1,
		"const needs_person = 1":                             1,
		"// the token that\n\t// is out":                     1,
		"type EMFWorld struct{}":                             1,
		"It tells whether somebody reads.":                   2,
		"tidyTime = 5 * time.Second":                         1,
		"func f(storeTime time.Duration)":                    1,
		"a JWT's claims":                                     1,
		"the JWT claims of a token":                          0,
		"UpdateSecretVersionStage, --version-stage":          0,
		"a proclaimed reward, an excellent history, strings": 0,
	} {
		if got := misused("x.go", text); len(got) != want {
			t.Errorf("%q: found %q, wanted %d", text, got, want)
		}
	}
}
