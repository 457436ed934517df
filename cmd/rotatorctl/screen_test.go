package main

import (
	"strings"
	"testing"
	"time"
)

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{
		"short":                     "  short",
		"one two three four five":   "  one two\n  three four\n  five",
		"a-word-that-is-too-long x": "  a-word-that-is-too-long\n  x",
		"first\nsecond":             "  first\n  second",
		"":                          "",
		"make status STACK=a":       "  make \\\n    status \\\n    STACK=a",
	} {
		if got := wrap(text, 12, "  "); got != want {
			t.Errorf("%q is wrapped as\n%s\nwanted\n%s", text, got, want)
		}
	}
}

// A command is broken only where the shell continues it unchanged.
func TestShellWords(t *testing.T) {
	for line, want := range map[string]string{
		`a b  c`:                     `a|b|c`,
		`a 'b c' "d e" f`:            `a|'b c'|"d e"|f`,
		`a "$(b c 'd e "f g"' h)" i`: `a|"$(b|c|'d e "f g"'|h)"|i`,
	} {
		if got := strings.Join(shellWords(line), "|"); got != want {
			t.Errorf("%s is split as %s, wanted %s", line, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	if got := plain("a\x1b[2Jb\u009bc\x7f\xff\nd"); got != "a?[2Jb?c??\nd" {
		t.Errorf("got %q", got)
	}
}

func TestWhen(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	o := &operator{now: func() time.Time { return now }, zone: time.FixedZone("", 3600)}
	for at, want := range map[time.Time]string{
		now.Add(58 * time.Minute):  "13:58:00 (in 58 min)",
		now.Add(-58 * time.Minute): "12:02:00 (58 min ago)",
		now.Add(30 * time.Hour):    "Nov 27 19:00:00 (in 30 h)",
	} {
		if got := o.when(at); got != want {
			t.Errorf("%s, wanted %s", got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 119 * time.Second: "119 s", 2 * time.Minute: "2 min", 119 * time.Minute: "119 min",
		2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 48 * time.Hour: "2 days", -3 * time.Second: "-3 s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %q, not %q", d, got, want)
		}
	}
}
