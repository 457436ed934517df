package main

import (
	"context"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"reltio-token-rotator/tests/harness/pty"
)

// atTerminal returns what a terminal is shown.
func atTerminal(t *testing.T, columns int, env map[string]string, show func(*screen)) string {
	t.Helper()
	keys, tty := pty.Open(t)
	pty.Resize(t, tty, columns)
	var shown strings.Builder
	var reading sync.WaitGroup
	reading.Go(func() {
		chunk := make([]byte, 4096)
		for {
			n, err := keys.Read(chunk)
			shown.Write(chunk[:n])
			if err != nil {
				return // the program's side was closed
			}
		}
	})
	show(newScreen(tty, looksOf(tty, func(name string) string { return env[name] })))
	_ = tty.Close()
	reading.Wait()
	return shown.String()
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*[a-zA-Z]`)

// atATerminal runs the first seconds of make run.
func firstSeconds(t *testing.T, columns int, env map[string]string) string {
	t.Helper()
	s := at(time.Second / 5)
	s.bootstrap = rotate.Path(t)
	return atTerminal(t, columns, env, func(to *screen) {
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		if _, err := show(ctx, s, to, func(*fixture) { time.AfterFunc(4*time.Second, interrupt) }); err != nil {
			t.Error(err)
		}
	})
}

// mustFit: no line is longer than the terminal is wide, so that none is wrapped.
func mustFit(t *testing.T, shown string, columns int) {
	t.Helper()
	for _, line := range regexp.MustCompile(`[\r\n]+`).Split(escapes.ReplaceAllString(shown, ""), -1) {
		if utf8.RuneCountInString(line) > columns {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
}

func TestMakeRunAtATerminal(t *testing.T) {
	t.Parallel()
	shown := firstSeconds(t, 80, map[string]string{"LANG": "en_US.UTF-8", "TERM": "xterm"})
	mustContain(t, shown, "\x1b[32m█", "░", "\r\x1b[K", "\x1b[1m", " min  ", "reads 0/")
	mustFit(t, shown, 80)
	if end := shown[strings.LastIndex(shown, "the job"):]; strings.Contains(end, "█") {
		t.Errorf("the bar stays below the table: %q", end)
	}
}

func TestMakeRunWithoutColorAtANarrowTerminal(t *testing.T) {
	t.Parallel()
	shown := firstSeconds(t, 50, map[string]string{"LANG": "de_DE.ISO-8859-1", "NO_COLOR": "1"})
	mustContain(t, shown, "####", "----", "\r\x1b[K", "...")
	mustFit(t, shown, 50)
	if strings.Contains(shown, "m\x1b") || regexp.MustCompile(`\x1b\[[0-9;]*m`).MatchString(shown) {
		t.Error("there is color")
	}
	if strings.ContainsFunc(shown, func(r rune) bool { return r > '~' }) {
		t.Error("there is more than ASCII")
	}
}

func TestLooks(t *testing.T) {
	_, tty := pty.Open(t)
	pty.Resize(t, tty, 60)
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tests := []struct {
		name string
		file *os.File
		env  map[string]string
		want looks
	}{
		{"UTF-8", tty, map[string]string{"LANG": "C.UTF-8"}, looks{terminal: true, color: true, unicode: true, width: 60}},
		{"utf8", tty, map[string]string{"LC_CTYPE": "de_DE.utf8", "LANG": "C"}, looks{terminal: true, color: true, unicode: true, width: 60}},
		{"another locale stands above it", tty, map[string]string{"LC_ALL": "C", "LANG": "C.UTF-8"}, looks{terminal: true, color: true, width: 60}},
		{"no locale", tty, nil, looks{terminal: true, color: true, width: 60}},
		{"no color", tty, map[string]string{"NO_COLOR": "1", "LANG": "C.UTF-8"}, looks{terminal: true, unicode: true, width: 60}},
		{"a terminal that knows no codes", tty, map[string]string{"TERM": "dumb"}, looks{width: 60}},
		{"a file", file, map[string]string{"LANG": "C.UTF-8"}, looks{unicode: true}},
	}
	for _, test := range tests {
		if got := looksOf(test.file, func(name string) string { return test.env[name] }); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestLinesAreCut(t *testing.T) {
	unicode, ascii := looks{unicode: true, color: true}, looks{}
	tests := []struct {
		looks looks
		text  string
		width int
		want  string
	}{
		{ascii, "twelve chars", 0, "twelve chars"},
		{ascii, "twelve chars", 12, "twelve chars"},
		{ascii, "twelve chars", 11, "twelve c..."},
		{unicode, "twelve chars", 11, "twelve cha…" + reset},
		{unicode, "\x1b[31mred\x1b[0m and ████", 8, "\x1b[31mred\x1b[0m and ████"[:len("\x1b[31mred\x1b[0m and")] + "…" + reset},
		{unicode, "\x1b[31mred\x1b[0m", 3, "\x1b[31mred\x1b[0m"},
		{ascii, "twelve chars", 2, "twelve chars"},
	}
	for _, test := range tests {
		if got := newScreen(nil, test.looks).cut(test.text, test.width); got != test.want {
			t.Errorf("%q at %d columns is %q, want %q", test.text, test.width, got, test.want)
		}
	}
}

// Before anything is requested, the operator is asked.
func TestTheQuestion(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "yes\n": true, "n\n": false, "\n": false} {
		keys, tty := pty.Open(t)
		if _, err := keys.WriteString(answer); err != nil {
			t.Fatal(err)
		}
		if err := confirm(t.Context(), tty, newScreen(tty, looks{})); (err == nil) != want {
			t.Errorf("%q: %v", answer, err)
		}
	}
	_, tty := pty.Open(t)
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	if err := confirm(ctx, tty, newScreen(tty, looks{})); err == nil {
		t.Error("Ctrl-C is an answer")
	}
}
