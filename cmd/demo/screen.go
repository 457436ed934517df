package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// looks is what the place that is printed to can show.
type looks struct {
	// terminal: a last line that is drawn again and again.
	terminal bool
	color    bool
	// unicode: a bar of blocks, and an ellipsis of one character.
	unicode bool
	// width is how many columns fit; 0 is any number.
	width int
}

// looksOf judges by the file and the usual variables. Without a locale the
// terminal's is POSIX, which is ASCII.
func looksOf(file *os.File, getenv func(string) string) looks {
	width, ok := terminal(file)
	l := looks{terminal: ok && getenv("TERM") != "dumb", width: width}
	l.color = l.terminal && getenv("NO_COLOR") == ""
	locale := ""
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale = getenv(name); locale != "" {
			break
		}
	}
	l.unicode = strings.Contains(strings.ReplaceAll(strings.ToLower(locale), "-", ""), "utf8")
	return l
}

// style is a color of text, as the terminal's escape code.
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

const reset = "\x1b[0m"

// paint gives text a style where colors can be shown.
func (s *screen) paint(st style, text string) string {
	if !s.looks.color || st == plain {
		return text
	}
	return "\x1b[" + string(st) + "m" + text + reset
}

// line prints a line above the live one.
func (s *screen) line(text string) {
	s.wipe()
	_, _ = io.WriteString(s.w, s.cut(strings.TrimRight(text, " "), s.looks.width)+"\n")
}

// live draws the live line. It leaves the last column free, where some terminals
// wrap.
func (s *screen) live(text string) {
	if !s.looks.terminal {
		return
	}
	_, _ = io.WriteString(s.w, "\r\x1b[K"+s.cut(text, max(s.looks.width-1, 0)))
	s.drawn = true
}

// wipe removes the live line.
func (s *screen) wipe() {
	if s.drawn {
		_, _ = io.WriteString(s.w, "\r\x1b[K")
		s.drawn = false
	}
}

// cut cuts text to so many columns, with an ellipsis; 0 is any number. Escape
// codes take no column.
func (s *screen) cut(text string, columns int) string {
	ellipsis := "..."
	if s.looks.unicode {
		ellipsis = "…"
	}
	room := columns - len([]rune(ellipsis))
	if columns == 0 || room < 0 {
		return text
	}
	seen, end, escape := 0, 0, false
	for i, r := range text {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			if seen == room {
				end = i
			}
			seen++
		}
	}
	if seen <= columns {
		return text
	}
	if text = text[:end] + ellipsis; s.looks.color {
		text += reset
	}
	return text
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

// column pads by what is seen, so that colors do not shift anything.
func (s *screen) column(st style, text string, width int) string {
	return s.paint(st, fmt.Sprintf("%-*s", width, text))
}
