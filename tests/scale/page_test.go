package scale_test

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rows of the table in docs/scale.md.
const (
	rowParameters = "parameters, of 10,000"
	rowPages      = "calls of a listing, per heartbeat"
	rowMean       = "refreshes per minute"
	rowRequests   = "token requests per second, of 10"
	rowWrites     = "parameter writes per second, of 3"
	rowLongest    = "longest run, seconds"
	rowLine       = "log line of a run with refreshes, kB"
	rowAtOnce     = "all due at once: time until the last token, minutes"
	rowBeats      = "all due at once: heartbeats"
)

// ofSets names the row of connections with so many credential sets.
func ofSets(row string, sets int) string {
	if sets == 2 {
		return "two sets: " + row
	}
	return row
}

// page is the table: numbers by row and number of connections.
type page map[string]map[int]float64

func readPage(t *testing.T) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "scale.md"))
	if err != nil {
		t.Fatal(err)
	}
	p := page{}
	var connections []int
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		var numbers []float64
		for _, cell := range cells[1:] {
			if n, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(cell), ",", ""), 64); err == nil {
				numbers = append(numbers, n)
			}
		}
		if len(numbers) != len(cells)-1 || len(numbers) == 0 {
			continue
		}
		if row := strings.TrimSpace(cells[0]); row == "connections" {
			for _, n := range numbers {
				connections = append(connections, int(n))
			}
		} else if len(numbers) == len(connections) {
			p[row] = map[int]float64{}
			for i, n := range connections {
				p[row][n] = numbers[i]
			}
		}
	}
	return p
}

// want compares a number of the page with the measured one. They may differ by a
// tenth, because the SDK's pauses are random.
func (p page) want(t *testing.T, row string, connections int, found float64) {
	t.Helper()
	said, ok := p[row][connections]
	if _, column := p[rowPages][connections]; !column {
		return // the page has only some of the numbers
	}
	if !ok || math.Abs(said-found) > 0.1*found {
		t.Errorf("docs/scale.md says %q of %d connections: %v; found %.3g", row, connections, said, found)
	}
}

// What is not simulated is calculated.
func TestThePage(t *testing.T) {
	p := readPage(t)
	rows := []string{rowParameters, rowPages, rowAtOnce, rowBeats}
	for _, sets := range []int{1, 2} {
		for _, row := range []string{rowMean, rowRequests, rowWrites, rowLongest, rowLine} {
			rows = append(rows, ofSets(row, sets))
		}
	}
	if got := slices.Sorted(maps.Keys(p)); !slices.Equal(got, slices.Sorted(slices.Values(rows))) {
		t.Errorf("docs/scale.md has the rows\n%q, want\n%q", got, rows)
	}
	for _, connections := range []int{100, 300, 1000} {
		if _, ok := p[rowPages][connections]; !ok {
			t.Errorf("docs/scale.md has no column for %d connections", connections)
		}
		p.want(t, rowParameters, connections, float64(3*connections))
		for _, sets := range []int{1, 2} {
			perSecond := float64(connections) / between(sets).Seconds()
			p.want(t, ofSets(rowMean, sets), connections, 60*perSecond)
			p.want(t, ofSets(rowRequests, sets), connections, perSecond)
			p.want(t, ofSets(rowWrites, sets), connections, 2*perSecond)
		}
	}
}
