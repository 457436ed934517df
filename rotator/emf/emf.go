// Package emf writes a run's metrics as log lines in the embedded metric format,
// from which CloudWatch Logs extracts metrics. It needs no call, no permission and
// no client: the lines only have to reach a log group unchanged.
//
// See "Specification: Embedded metric format" in the CloudWatch user guide.
package emf

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"reltio-token-rotator/rotator"
)

const (
	namespace = "ReltioTokenRotator"
	dimension = "Stack"

	// maxValues is how many values of a metric the format allows in a line.
	maxValues = 100
)

// The units, in CloudWatch's words. CloudWatch has none for days.
const (
	unitCount        = "Count"
	unitSeconds      = "Seconds"
	unitMilliseconds = "Milliseconds"
	unitNone         = "None"
)

// Writer writes the metrics of one stack.
type Writer struct {
	w     io.Writer
	stack string
}

// New returns a Writer of lines to w, the function's standard output. The dimension
// is the stack's name.
func New(w io.Writer, stack string) *Writer { return &Writer{w: w, stack: stack} }

// Write writes one run's metrics with the time now. Each line is one call of the
// underlying Write, so that no other log line can be written into it. If a metric
// has more than 100 values, the others follow in further lines, without the counts.
func (w *Writer) Write(now time.Time, m rotator.Metrics) error {
	for _, line := range w.lines(now, m) {
		encoded, err := json.Marshal(line)
		if err != nil {
			return fmt.Errorf("encode metrics: %w", err)
		}
		if _, err := w.w.Write(append(encoded, '\n')); err != nil {
			return fmt.Errorf("write metrics: %w", err)
		}
	}
	return nil
}

func (w *Writer) lines(now time.Time, m rotator.Metrics) []map[string]any {
	series := []struct {
		name, unit string
		values     []float64
	}{
		{"TokenSecondsRemaining", unitSeconds, m.TokenSecondsRemaining},
		{"RefreshTokenAgeDays", unitNone, m.RefreshTokenAgeDays},
		{"GrantMilliseconds", unitMilliseconds, m.GrantMilliseconds},
	}
	longest := 0
	for _, s := range series {
		longest = max(longest, len(s.values))
	}

	first := w.newLine(now)
	first.addCounts(m)
	lines := []map[string]any{first.root}
	for from := 0; from < longest; from += maxValues {
		line := first
		if from > 0 {
			line = w.newLine(now)
			lines = append(lines, line.root)
		}
		for _, s := range series {
			if from < len(s.values) {
				line.add(s.name, s.unit, s.values[from:min(from+maxValues, len(s.values))])
			}
		}
	}
	return lines
}

// line is one JSON object: the values at its root, and under "_aws" the directive
// that names the metrics among them.
type line struct {
	root      map[string]any
	directive *directive
}

type metadata struct {
	Timestamp         int64 // milliseconds since 1970
	CloudWatchMetrics []*directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct{ Name, Unit string }

func (w *Writer) newLine(now time.Time) line {
	d := &directive{Namespace: namespace, Dimensions: [][]string{{dimension}}}
	return line{
		directive: d,
		root: map[string]any{
			dimension: w.stack,
			"_aws":    metadata{Timestamp: now.UnixMilli(), CloudWatchMetrics: []*directive{d}},
		},
	}
}

func (l line) add(name, unit string, value any) {
	l.root[name] = value
	l.directive.Metrics = append(l.directive.Metrics, definition{name, unit})
}

// addCounts adds every count that is known, also if it is 0: for an alarm a missing
// count is missing data.
func (l line) addCounts(m rotator.Metrics) {
	l.add("Heartbeats", unitCount, m.Heartbeats)
	l.add("Refreshes", unitCount, m.Refreshes)
	l.add("Failures", unitCount, m.Failures)
	l.add("Throttles", unitCount, m.Throttles)
	if m.ListingFailed {
		return
	}
	l.add("RefreshOverdue", unitCount, m.RefreshOverdue)
	l.add("ActionRequired", unitCount, m.ActionRequired)
	l.add("NoCredentials", unitCount, m.NoCredentials)
}
