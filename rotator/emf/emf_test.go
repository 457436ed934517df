package emf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/emf"
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.UTC)

// units are the contract's metrics and CloudWatch's names for their units.
var units = map[string]string{
	"Heartbeats": "Count", "RefreshOverdue": "Count", "ActionRequired": "Count", "NoCredentials": "Count",
	"Refreshes": "Count", "Failures": "Count", "Throttles": "Count",
	"TokenSecondsRemaining": "Seconds",
	"RefreshTokenAgeDays":   "None",
	"GrantMilliseconds":     "Milliseconds",
}

var (
	alwaysKnown      = []string{"Failures", "Heartbeats", "Refreshes", "Throttles"}
	knownByListing   = []string{"RefreshOverdue", "ActionRequired", "NoCredentials"}
	oneForConnection = []string{"GrantMilliseconds", "RefreshTokenAgeDays", "TokenSecondsRemaining"}
)

// Each field of Metrics but ListingFailed is one of them.
func TestEveryFieldIsWritten(t *testing.T) {
	if fields := reflect.TypeFor[rotator.Metrics]().NumField() - 1; fields != len(units) {
		t.Errorf("rotator.Metrics has fields for %d metrics, and %d are written", fields, len(units))
	}
}

// writes keeps each call of Write apart.
type writes [][]byte

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, bytes.Clone(p))
	return len(p), nil
}

// lines writes m and returns what CloudWatch would extract from each line.
func lines(t *testing.T, m rotator.Metrics) []map[string][]float64 {
	t.Helper()
	var out writes
	if err := emf.New(&out, "my-stack").Write(now, m); err != nil {
		t.Fatal(err)
	}
	var read []map[string][]float64
	for _, line := range out {
		if bytes.Count(line, []byte("\n")) != 1 || !bytes.HasSuffix(line, []byte("\n")) {
			t.Errorf("one call wrote %q, want one line", line)
		}
		read = append(read, extract(t, line))
	}
	return read
}

// extract reads a line as the specification says that CloudWatch does, and fails the
// test if CloudWatch would drop the line or a part of it.
func extract(t *testing.T, line []byte) map[string][]float64 {
	t.Helper()
	const maxLine, maxMetrics, maxValues, maxDimensions = 256 << 10, 100, 100, 30
	if len(line) > maxLine {
		t.Errorf("a line of %d bytes", len(line))
	}
	var root map[string]json.RawMessage
	decode(t, line, &root)
	var meta struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	}
	decode(t, root["_aws"], &meta)
	if meta.Timestamp != now.UnixMilli() {
		t.Errorf("timestamp %d, want %d", meta.Timestamp, now.UnixMilli())
	}
	if len(meta.CloudWatchMetrics) != 1 {
		t.Fatalf("%d directives, want 1", len(meta.CloudWatchMetrics))
	}
	directive := meta.CloudWatchMetrics[0]
	if directive.Namespace != "ReltioTokenRotator" {
		t.Errorf("namespace %q", directive.Namespace)
	}
	if want := [][]string{{"Stack"}}; !slices.EqualFunc(directive.Dimensions, want, slices.Equal) {
		t.Errorf("dimensions %q, want %q", directive.Dimensions, want)
	}
	for _, set := range directive.Dimensions {
		if len(set) > maxDimensions {
			t.Errorf("%d dimensions in a set", len(set))
		}
		for _, name := range set {
			var value string
			decode(t, root[name], &value)
			if value != "my-stack" {
				t.Errorf("dimension %s is %q", name, value)
			}
		}
	}
	if n := len(directive.Metrics); n == 0 || n > maxMetrics {
		t.Errorf("%d metrics in the directive", n)
	}
	metrics := map[string][]float64{}
	for _, m := range directive.Metrics {
		if _, twice := metrics[m.Name]; twice {
			t.Errorf("%s is named twice", m.Name)
		}
		if want, known := units[m.Name]; !known || m.Unit != want {
			t.Errorf("metric %q in %q, want %q", m.Name, m.Unit, want)
		}
		values := numbers(t, root[m.Name])
		if len(values) == 0 || len(values) > maxValues {
			t.Errorf("%s has %d values", m.Name, len(values))
		}
		metrics[m.Name] = values
	}
	for name := range root {
		if _, named := metrics[name]; !named && name != "_aws" && name != "Stack" {
			t.Errorf("%q is at the root but not in the directive", name)
		}
	}
	return metrics
}

// numbers reads a metric's target: a number or an array of numbers.
func numbers(t *testing.T, raw json.RawMessage) []float64 {
	t.Helper()
	var one float64
	if json.Unmarshal(raw, &one) == nil && string(raw) != "null" {
		return []float64{one}
	}
	var many []float64
	decode(t, raw, &many)
	return many
}

func decode(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
}

func TestCounts(t *testing.T) {
	counted := rotator.Metrics{
		Heartbeats: 1, RefreshOverdue: 2, ActionRequired: 3, NoCredentials: 4, Refreshes: 5, Failures: 6, Throttles: 7,
	}
	blind := counted
	blind.Heartbeats, blind.ListingFailed = 0, true
	for _, c := range []struct {
		name string
		m    rotator.Metrics
		want map[string][]float64
	}{
		{"every count", counted, map[string][]float64{
			"Heartbeats": {1}, "RefreshOverdue": {2}, "ActionRequired": {3}, "NoCredentials": {4},
			"Refreshes": {5}, "Failures": {6}, "Throttles": {7},
		}},
		{"zeros too", rotator.Metrics{}, map[string][]float64{
			"Heartbeats": {0}, "RefreshOverdue": {0}, "ActionRequired": {0}, "NoCredentials": {0},
			"Refreshes": {0}, "Failures": {0}, "Throttles": {0},
		}},
		{"no count that needs a listing", blind, map[string][]float64{
			"Heartbeats": {0}, "Refreshes": {5}, "Failures": {6}, "Throttles": {7},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := lines(t, c.m)
			if len(got) != 1 || !maps.EqualFunc(got[0], c.want, slices.Equal) {
				t.Errorf("wrote %v, want one line with %v", got, c.want)
			}
		})
	}
}

// Any number of connections: every value is written once and in order, and
// every count once.
func TestConnections(t *testing.T) {
	for _, c := range []struct{ tokens, ages, grants, lines int }{
		{0, 0, 0, 1},
		{1, 1, 1, 1},
		{1, 0, 0, 1},
		{0, 0, 3, 1},
		{100, 100, 100, 1},
		{101, 101, 101, 2},
		{101, 100, 0, 2},
		{3, 101, 0, 2},
		{200, 5, 150, 2},
		{250, 250, 250, 3},
		{250, 101, 1, 3},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			m := rotator.Metrics{
				Heartbeats:            1,
				TokenSecondsRemaining: upTo(c.tokens, -60),
				RefreshTokenAgeDays:   upTo(c.ages, 0.25),
				GrantMilliseconds:     upTo(c.grants, 0),
			}
			got := lines(t, m)
			if len(got) != c.lines {
				t.Errorf("%d lines, want %d", len(got), c.lines)
			}
			written := map[string][]float64{}
			for i, line := range got {
				for name, values := range line {
					if i > 0 && !slices.Contains(oneForConnection, name) {
						t.Errorf("line %d repeats %s", i+1, name)
					}
					written[name] = append(written[name], values...)
				}
			}
			for name, want := range map[string][]float64{
				"TokenSecondsRemaining": m.TokenSecondsRemaining,
				"RefreshTokenAgeDays":   m.RefreshTokenAgeDays,
				"GrantMilliseconds":     m.GrantMilliseconds,
			} {
				if !slices.Equal(written[name], want) {
					t.Errorf("%s: wrote %v, want %v", name, written[name], want)
				}
			}
			for _, name := range slices.Concat(alwaysKnown, knownByListing) {
				if len(written[name]) != 1 {
					t.Errorf("%s: wrote %v, want one value", name, written[name])
				}
			}
		})
	}
}

func upTo(n int, first float64) []float64 {
	var values []float64
	for i := range n {
		values = append(values, first+float64(i))
	}
	return values
}

func TestALineReadsAsTheSpecificationShowsIt(t *testing.T) {
	var out bytes.Buffer
	m := rotator.Metrics{Heartbeats: 1, ListingFailed: true, GrantMilliseconds: []float64{81.5, 90}}
	if err := emf.New(&out, "my-stack").Write(now, m); err != nil {
		t.Fatal(err)
	}
	want := `{"Failures":0,"GrantMilliseconds":[81.5,90],"Heartbeats":1,"Refreshes":0,"Stack":"my-stack",` +
		`"Throttles":0,"_aws":{"Timestamp":1795428000123,"CloudWatchMetrics":[{"Namespace":"ReltioTokenRotator",` +
		`"Dimensions":[["Stack"]],"Metrics":[{"Name":"Heartbeats","Unit":"Count"},{"Name":"Refreshes","Unit":"Count"},` +
		`{"Name":"Failures","Unit":"Count"},{"Name":"Throttles","Unit":"Count"},` +
		`{"Name":"GrantMilliseconds","Unit":"Milliseconds"}]}]}}` + "\n"
	if got := out.String(); got != want {
		t.Errorf("wrote %swant  %s", got, want)
	}
}

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestErrors(t *testing.T) {
	if err := emf.New(full{}, "my-stack").Write(now, rotator.Metrics{}); !errors.Is(err, errFull) {
		t.Errorf("Write = %v, want %v", err, errFull)
	}
	impossible := rotator.Metrics{GrantMilliseconds: []float64{math.NaN()}}
	if err := emf.New(&bytes.Buffer{}, "my-stack").Write(now, impossible); err == nil {
		t.Error("a value that is no number was written")
	}
}
