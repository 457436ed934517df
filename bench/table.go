package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is one line of the table: a figure, and where there is one, what it is
// compared with.
type row struct {
	what string
	// unit writes a figure.
	unit func(float64) string
	// figures has one value a repetition, and references the one that was
	// measured beside it. The table shows medians, and the ratios of the pairs.
	figures, references []float64
	// against says what the reference is.
	against string
	// goal is the most that is allowed: of the ratio where there is a reference,
	// else of the figure. 0: none.
	goal float64
	// count marks a figure that no busy machine changes: above its goal it fails
	// the run.
	count bool
}

// The units.
func milliseconds(v float64) string { return fmt.Sprintf("%.1f ms", v*1e3) }
func seconds(v float64) string      { return fmt.Sprintf("%.1f s", v) }
func megabytes(v float64) string    { return fmt.Sprintf("%.1f MB", v/1e6) }
func kilobytes(v float64) string    { return fmt.Sprintf("%.1f kB", v/1e3) }
func times(v float64) string        { return fmt.Sprintf("%.0f", v) }

// plain writes a ratio.
func plain(ratio float64) string { return fmt.Sprintf("%.2f", ratio) }

// fraction writes a small one, so that it reads as "so many times less".
func fraction(ratio float64) string { return fmt.Sprintf("1/%.0f", 1/ratio) }

// ratios are the figures over their references.
func (r row) ratios() []float64 {
	var all []float64
	for i, reference := range r.references {
		all = append(all, r.figures[i]/reference)
	}
	return all
}

// measured is what the goal is about.
func (r row) measured() float64 {
	if len(r.references) > 0 {
		return median(r.ratios())
	}
	return median(r.figures)
}

func (r row) missed() bool { return r.goal > 0 && r.measured() > r.goal }

func (r row) cells() []string {
	figure := r.unit(median(r.figures))
	goal, mark := "", ""
	limit := r.unit
	var reference, ratio string
	if len(r.references) > 0 {
		if limit = plain; median(r.ratios()) < 0.1 {
			limit = fraction
		}
		reference = r.unit(median(r.references)) + " " + r.against
		ratio = spread(r.ratios(), limit)
	} else {
		figure = spread(r.figures, r.unit)
	}
	if r.goal > 0 {
		goal = "≤ " + limit(r.goal)
	}
	if r.missed() {
		mark = "MISSED"
	}
	return []string{"  " + r.what, figure, reference, ratio, goal, mark}
}

// spread is a median with the least and the most.
func spread(values []float64, unit func(float64) string) string {
	text, least, most := unit(median(values)), unit(slices.Min(values)), unit(slices.Max(values))
	if least == most {
		return text
	}
	return fmt.Sprintf("%s (%s–%s)", text, least, most)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// table is what the run prints.
type table struct {
	section string // the last one
	lines   [][]string
	failed  []string
}

func (t *table) add(section string, rows []row) {
	if len(rows) == 0 {
		return
	}
	if section != t.section {
		t.section = section
		t.lines = append(t.lines, []string{section})
	}
	for _, r := range rows {
		t.lines = append(t.lines, r.cells())
		if r.count && r.missed() {
			t.failed = append(t.failed, section+", "+r.what)
		}
	}
}

// String aligns the columns.
func (t *table) String() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.Join([]string{"", "figure", "reference", "ratio (min–max)", "goal", ""}, "\t"))
	for _, line := range t.lines {
		_, _ = fmt.Fprintln(w, strings.Join(append(line, slices.Repeat([]string{""}, 6-len(line))...), "\t"))
	}
	_ = w.Flush() // a strings.Builder takes everything
	var trimmed strings.Builder
	for line := range strings.Lines(text.String()) {
		trimmed.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return trimmed.String()
}

// failure names the counts that are above their goals.
func (t *table) failure() error {
	if len(t.failed) == 0 {
		return nil
	}
	slices.SortFunc(t.failed, cmp.Compare)
	return fmt.Errorf("above the goal: %s", strings.Join(t.failed, "; "))
}
