package paragraph

import (
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for text, want := range map[string][]string{
		"":                  {""},
		"one":               {"- one"},
		"one two three":     {"- one two", "  three"},
		"too-long-a-word x": {"- too-long-a-word", "  x"},
		"x too-long-a-word": {"- x", "  too-long-a-word"},
		"öne twö thrée föu": {"- öne twö", "  thrée", "  föu"},
	} {
		if got := Lines(strings.Fields(text), 9, "- ", "  "); !slices.Equal(got, want) {
			t.Errorf("%q is broken into %q, want %q", text, got, want)
		}
	}
	if got, want := Wrap(" one  two\nthree", 9, " "), []string{" one two", " three"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
