package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// shown runs it between fakes, which is to go well or not, at the speed of make run:
// the times of a token are whole seconds, so that it cannot be faster.
func shown(t *testing.T, want bool, ready func(*fixture)) (output string) {
	t.Helper()
	s, err := readSettings(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return played(t, want, show, func() settings { return s }, ready)
}

// In a pipe it prints plain lines of 80 columns at most. They are those that the
// README shows, but for the numbers.
func TestMakeRunInAPipe(t *testing.T) {
	t.Parallel()
	var hidden secrets
	output := shown(t, true, func(st *fixture) {
		hidden = secrets{}
		hidden.watch(st)
	})
	mustBePlain(t, output, 80)
	hidden.mustBeMissing(t, output)
	reads, once := tableRow(t, output, "reads the secret before"), tableRow(t, output, "reads the secret once")
	caches, asks := tableRow(t, output, "reads the secret, keeps"), tableRow(t, output, "requests its own")
	if reads.failed != 0 || reads.refused == 0 || reads.calls < 100 || (once != counts{calls: onceFor}) {
		t.Errorf("the jobs that read the secret: %+v, %+v", reads, once)
	}
	if caches.refused == 0 || caches.failed != caches.refused || asks.refused == 0 || asks.failed == 0 {
		t.Errorf("the other jobs: %+v, %+v", caches, asks)
	}

	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```sh\nmake run\n```")
	_, block, _ = strings.Cut(block, "```\n")
	block, _, _ = strings.Cut(block, "```")
	if strings.Count(block, "\n") < 10 {
		t.Fatal("README.md does not show what make run prints: does this test still see it?")
	}
	number := regexp.MustCompile(`[0-9]+`)
	for line := range strings.Lines(block) {
		line = strings.TrimSpace(number.ReplaceAllString(line, "0"))
		if !strings.Contains(line, "...") && !strings.Contains(squeezed(number.ReplaceAllString(output, "0")), squeezed(line)) {
			t.Errorf("README.md shows a line that make run does not print: %s", line)
		}
	}
}

var blanks = regexp.MustCompile(` +`)

func squeezed(text string) string { return blanks.ReplaceAllString(text, " ") }

// mustBePlain: no escape code and nothing but ASCII, in lines that fit.
func mustBePlain(t *testing.T, output string, columns int) {
	t.Helper()
	for line := range strings.Lines(output) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) > columns {
			t.Errorf("%d columns: %s", len(line), line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("not plain: %q", line)
		}
	}
}

// tableRow reads a row of the table.
func tableRow(t *testing.T, output, job string) counts {
	t.Helper()
	_, table, _ := strings.Cut(output, "the job ")
	match := regexp.MustCompile(regexp.QuoteMeta(job) + `.* (\d+) +(\d+) +(\d+)\n`).FindStringSubmatch(table)
	if match == nil {
		t.Fatalf("no row %q in\n%s", job, output)
	}
	var numbers [3]int
	for i := range numbers {
		for _, digit := range match[i+1] {
			numbers[i] = 10*numbers[i] + int(digit-'0')
		}
	}
	return counts{numbers[0], numbers[1], numbers[2]}
}

// Where something does not happen as it is told, it says so, and make run fails.
func TestWhatDoesNotHappenIsNotTold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		ready func(*fixture)
		says  string
	}{
		{
			"a client that is refused",
			func(st *fixture) { st.reltio.SetOptions(func(o *fakereltio.Options) { o.ClientSecret = "another" }) },
			"the function published no token (client_rejected: ",
		},
		{
			"tokens that live on after a refresh",
			func(st *fixture) { st.reltio.SetOptions(func(o *fakereltio.Options) { o.JWT = true }) },
			"the job that keeps its token was never refused",
		},
		{
			"logins elsewhere, again and again",
			func(st *fixture) {
				end := time.NewTicker(2 * time.Second)
				go func() {
					for range end.C {
						st.reltio.EndAccessTokensOf(user)
					}
				}()
				st.closers = append(st.closers, end.Stop)
			},
			"the job that reads the secret failed",
		},
		{
			"two users that are one login there",
			func(st *fixture) {
				go func() { // the first three parts need users of their own
					for len(st.reltio.RefreshTokens(alternateUser)) == 0 {
						time.Sleep(10 * time.Millisecond)
					}
					st.reltio.SetOptions(func(o *fakereltio.Options) { o.OneToken = true })
				}()
			},
			"Not as told",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			output := shown(t, false, test.ready)
			mustContain(t, strings.ReplaceAll(output, "\n", " "), "Not as told: ", test.says, "the job  ")
			mustBePlain(t, output, 80)
		})
	}
}

func TestCtrlCEndsMakeRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := at(time.Second / 5)
	s.bootstrap = rotate.Path(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	well, err := show(ctx, s, newScreen(&out, looks{}), func(*fixture) { time.AfterFunc(3*time.Second, interrupt) })
	if err != nil || !well {
		t.Errorf("well %v, %v", well, err)
	}
	mustContain(t, out.String(), "the job  ", "Ended early: not everything was shown.")
}
