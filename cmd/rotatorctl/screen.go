package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"reltio-token-rotator/cmd/internal/paragraph"
)

// width is the largest width of a line.
const width = 80

// say prints a paragraph, wrapped at words.
func (o *operator) say(format string, args ...any) {
	fmt.Fprintln(o.out, plain(wrap(fmt.Sprintf(format, args...), width, "")))
}

// indented prints an indented paragraph.
func (o *operator) indented(indent, format string, args ...any) {
	fmt.Fprintln(o.out, plain(wrap(fmt.Sprintf(format, args...), width, indent)))
}

// trouble is indented for problems. At a terminal they are in color.
func (o *operator) trouble(indent, format string, args ...any) {
	text := plain(wrap(fmt.Sprintf(format, args...), width, indent))
	if o.color {
		text = "\x1b[31m" + text + "\x1b[0m"
	}
	fmt.Fprintln(o.out, text)
}

// printJSON prints a value for machines.
func (o *operator) printJSON(value any) error {
	encoder := json.NewEncoder(o.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// wrap breaks text at words so that its lines fit, each with the indent. Existing
// line ends stay. A word that is longer than a line stays whole. A line that begins
// with a command is broken so that it can still be pasted.
func wrap(text string, width int, indent string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		blanks := line[:len(line)-len(strings.TrimLeft(line, " "))]
		if isCommand(strings.TrimSpace(line)) {
			lines = append(lines, wrapCommand(strings.TrimSpace(line), width, indent+blanks)...)
			continue
		}
		lines = append(lines, paragraph.Wrap(line, width, indent+blanks)...)
	}
	return strings.Join(lines, "\n")
}

func isCommand(line string) bool {
	return strings.HasPrefix(line, "aws ") || strings.HasPrefix(line, "make ") || strings.HasPrefix(line, "rotatorctl ")
}

// wrapCommand breaks a command between its words, and never inside quotes, with the
// backslash that the shell needs.
func wrapCommand(line string, width int, indent string) []string {
	lines := paragraph.Lines(shellWords(line), width-2, indent, indent+"  ")
	for i := range len(lines) - 1 {
		lines[i] += ` \`
	}
	return lines
}

// shellWords splits a command at the blanks where a line may be continued:
// outside quotes, and in a command inside them.
func shellWords(line string) []string {
	var words []string
	var quote rune
	inner := false // in "$( )"
	begin := 0
	for i, r := range line {
		switch {
		case quote == '\'':
			if r == quote {
				quote = 0
				if inner {
					quote = '"'
				}
			}
		case r == '(' && strings.HasSuffix(line[:i], "$"):
			inner = true
		case r == ')' && inner:
			inner = false
		case r == '\'' && (inner || quote == 0):
			quote = r
		case r == '"' && quote == 0:
			quote = r
		case r == '"' && !inner:
			quote = 0
		case r == ' ' && (quote == 0 || inner):
			if i > begin {
				words = append(words, line[begin:i])
			}
			begin = i + 1
		}
	}
	if begin < len(line) {
		words = append(words, line[begin:])
	}
	return words
}

// apart puts the command at the end of a message on a line of its own.
func apart(message string) string {
	for _, program := range []string{"aws ", "make ", "rotatorctl "} {
		if before, after, ok := strings.Cut(message, ": "+program); ok {
			return before + ":\n" + program + after
		}
	}
	return message
}

// plain returns text without control characters, so that the content of parameters
// and logs cannot control the terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if (r < ' ' && r != '\n') || (r >= 0x7f && r < 0xa0) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text)
}

// clock returns an instant as the operator's clock shows it, with the date if it is
// another day.
func (o *operator) clock(t time.Time) string {
	t, now := t.In(o.zone), o.now().In(o.zone)
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05")
	}
	return t.Format("Jan 2 15:04:05")
}

// when returns an instant and its distance, such as "14:28:15 (in 58 min)".
func (o *operator) when(t time.Time) string {
	distance := t.Sub(o.now())
	if distance < 0 {
		return fmt.Sprintf("%s (%s ago)", o.clock(t), span(-distance))
	}
	return fmt.Sprintf("%s (in %s)", o.clock(t), span(distance))
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
