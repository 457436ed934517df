// Package paragraph breaks text into lines for a terminal.
package paragraph

import (
	"strings"
	"unicode/utf8"
)

// Wrap breaks text at its blanks into lines of at most width characters, each with the
// indent. A longer word has a line of its own. Without words there is one empty line.
func Wrap(text string, width int, indent string) []string {
	return Lines(strings.Fields(text), width, indent, indent)
}

// Lines is Wrap for text that is already split into words. The first line begins with
// first, the others with next.
func Lines(words []string, width int, first, next string) []string {
	var lines []string
	line := ""
	for i, word := range words {
		switch {
		case i == 0:
			line = first + word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = next + word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
