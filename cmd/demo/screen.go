package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// looks is what the place that is printed to can show.
type looks struct {
	// terminal: colours, and a last line that is drawn again and again.
	terminal bool
	// unicode: a bar of blocks instead of ASCII.
	unicode bool
}

// looksOf judges by the file and the usual variables.
func looksOf(file *os.File, getenv func(string) string) looks {
	info, err := file.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && getenv("TERM") != "dumb" && getenv("NO_COLOR") == ""
	locale := ""
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale = getenv(name); locale != "" {
			break
		}
	}
	locale = strings.ReplaceAll(strings.ToLower(locale), "-", "")
	return looks{terminal: terminal, unicode: strings.Contains(locale, "utf8") || locale == ""}
}

// style is a colour of text, as the terminal's escape code.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "1;31"
	green  style = "32"
	yellow style = "33"
)

// tokenStyles tell one token from the next.
var tokenStyles = [...]style{"36", "35", "34", "33", "32"}

// screen prints lines and, on a terminal, keeps one live line below them.
// Use it from one goroutine.
type screen struct {
	w     io.Writer
	looks looks
	drawn bool
}

func newScreen(w io.Writer, l looks) *screen { return &screen{w: w, looks: l} }

// paint gives text a style where colours can be shown.
func (s *screen) paint(st style, text string) string {
	if !s.looks.terminal || st == plain {
		return text
	}
	return "\x1b[" + string(st) + "m" + text + "\x1b[0m"
}

// line prints a line above the live one.
func (s *screen) line(text string) {
	s.wipe()
	_, _ = io.WriteString(s.w, strings.TrimRight(text, " ")+"\n")
}

// live draws the live line, cut at the terminal's right edge.
func (s *screen) live(text string) {
	if !s.looks.terminal {
		return
	}
	const wrapOff, wrapOn = "\x1b[?7l", "\x1b[?7h"
	_, _ = io.WriteString(s.w, "\r\x1b[K"+wrapOff+text+wrapOn)
	s.drawn = true
}

// wipe removes the live line.
func (s *screen) wipe() {
	if s.drawn {
		_, _ = io.WriteString(s.w, "\r\x1b[K")
		s.drawn = false
	}
}

// bar shows a part between 0 and 1.
func (s *screen) bar(part float64, width int, st style) string {
	full, empty := "#", "-"
	if s.looks.unicode {
		full, empty = "█", "░"
	}
	n := min(max(int(part*float64(width)+0.5), 0), width)
	return s.paint(st, strings.Repeat(full, n)) + s.paint(dim, strings.Repeat(empty, width-n))
}

// column pads by what is seen, so that colours do not shift anything.
func (s *screen) column(st style, text string, width int) string {
	return s.paint(st, fmt.Sprintf("%-*s", width, text))
}
