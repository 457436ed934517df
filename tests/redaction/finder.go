// Package redaction searches for secrets in output that must not contain them.
//
// A [Finder] knows secrets, and finds any eight consecutive characters of them in a
// text: unchanged, and in each encoding that logs, errors, URLs and headers use. The
// tests of this package use secrets that are easy to find, cause every failure that
// they can, and search all output.
package redaction

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// window is how many consecutive characters of a secret count as a leak. Fewer occur
// by chance.
const window = 8

// Finder finds secrets. The zero Finder knows none.
type Finder struct {
	// byLength has the encoded forms of all windows, by their length in bytes, so
	// that one map look-up finds one.
	byLength map[int]map[string]form
}

// form is how a window of a secret is written.
type form struct{ secret, kind string }

// Add makes value a secret. Find uses name for it. A value must have at least eight
// characters, because a shorter one would be found by chance.
func (f *Finder) Add(name, value string) {
	runes := []rune(value)
	if len(runes) < window {
		panic("redaction: " + name + " is too short to be found")
	}
	if f.byLength == nil {
		f.byLength = map[int]map[string]form{}
	}
	for from := range len(runes) - window + 1 {
		for _, way := range ways(string(runes[from : from+window])) {
			for _, text := range way.written {
				if f.byLength[len(text)] == nil {
					f.byLength[len(text)] = map[string]form{}
				}
				if _, there := f.byLength[len(text)][text]; !there { // what most ways leave as it is, is plain text
					f.byLength[len(text)][text] = form{name, way.kind}
				}
			}
		}
	}
}

// Find returns the secrets in a text, each once, sorted, as "NAME as KIND". It does
// not return the value, so that a test can print the result.
func (f *Finder) Find(text string) []string {
	var found []string
	for length, forms := range f.byLength {
		for from := range len(text) - length + 1 {
			if hit, ok := forms[text[from:from+length]]; ok {
				found = append(found, hit.secret+" as "+hit.kind)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// way is one of the ways to write a piece of a secret.
type way struct {
	kind    string
	written []string
}

// ways returns the ways to write a piece of a secret. Each of them writes character
// by character, or in base64 with one of the three alignments, so that the piece
// looks the same whatever is around it.
func ways(piece string) []way {
	return []way{
		{"plain text", []string{piece}},
		{"base64", base64Forms(piece)},
		{"hex", bothCases(hex.EncodeToString([]byte(piece)), fmt.Sprintf("% x", piece))},
		{"bytes", []string{decimals(piece, " "), decimals(piece, ",")}},
		{"URL encoding", bothCases(url.QueryEscape(piece), url.PathEscape(piece), everyByte(piece, "%%%02x"))},
		{"JSON", jsonForms(piece)},
		{"JSON inside JSON", jsonForms(jsonForms(piece)[0])},
		{"a Go string", []string{inside(strconv.Quote(piece)), inside(strconv.QuoteToASCII(piece)), everyByte(piece, `\x%02x`)}},
		{"HTML", []string{html.EscapeString(piece)}},
		{"a Unicode escape", bothCases(everyRune(piece, `\u%04x`))},
		{"an HTML character", []string{everyRune(piece, "&#%d;")}},
	}
}

// base64Forms returns the base64 characters that depend only on the piece, if 0, 1
// or 2 bytes come before it in its group of three.
func base64Forms(piece string) []string {
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := encoding.EncodeToString([]byte(strings.Repeat("\x00", before) + piece))
			from, to := (8*before+5)/6, 8*(before+len(piece))/6
			forms = append(forms, text[from:to])
		}
	}
	return forms
}

func jsonForms(piece string) []string {
	var plain strings.Builder
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(piece) // cannot fail: a string
	escaped, _ := json.Marshal(piece)
	return []string{inside(string(escaped)), inside(strings.TrimSpace(plain.String())), strings.ReplaceAll(inside(string(escaped)), "/", `\/`)}
}

func inside(quoted string) string { return quoted[1 : len(quoted)-1] }

func decimals(piece, between string) string {
	var numbers []string
	for i := range len(piece) {
		numbers = append(numbers, strconv.Itoa(int(piece[i])))
	}
	return strings.Join(numbers, between)
}

func everyByte(piece, format string) string {
	var text strings.Builder
	for i := range len(piece) {
		fmt.Fprintf(&text, format, piece[i])
	}
	return text.String()
}

func everyRune(piece, format string) string {
	var text strings.Builder
	for _, r := range piece {
		fmt.Fprintf(&text, format, r)
	}
	return text.String()
}

// bothCases returns the forms with hex digits in upper and in lower case.
func bothCases(texts ...string) []string {
	var forms []string
	for _, text := range texts {
		forms = append(forms, text, capitals(text))
	}
	return forms
}

// capitals writes hex digits in upper case, in escapes and in pure hex.
func capitals(text string) string {
	if !strings.ContainsAny(text, `%\`) {
		return strings.ToUpper(text)
	}
	var capital strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '%' && i+2 < len(text):
			capital.WriteString("%" + strings.ToUpper(text[i+1:i+3]))
			i += 2
		case text[i] == '\\' && i+5 < len(text):
			capital.WriteString(`\u` + strings.ToUpper(text[i+2:i+6]))
			i += 5
		default:
			capital.WriteByte(text[i])
		}
	}
	return capital.String()
}
