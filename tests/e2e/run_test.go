package e2e_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// run has everything that one invocation printed, returned and called.
type run struct {
	t       *testing.T
	report  rotator.Report
	err     error
	logs    []map[string]any // without the metrics
	metrics map[string]any
	sent    []fakereltio.Request
	calls   map[string]int
}

// of returns what the report says about a connection.
func (r run) of(name string) rotator.Result {
	r.t.Helper()
	for _, result := range r.report.Connections {
		if result.Name == name {
			return result
		}
	}
	r.t.Fatalf("the report says nothing about %s: %+v, %v", name, r.report, r.err)
	return rotator.Result{}
}

// want checks an outcome and returns the result for further checks.
func (r run) want(name string, outcome rotator.Outcome) rotator.Result {
	r.t.Helper()
	result := r.of(name)
	if result.Outcome != outcome {
		r.t.Errorf("%s is %s (%s %s %q), want %s", name, result.Outcome, result.Reason, result.Error, result.Message, outcome)
	}
	return result
}

func (r run) wantFailed(name string, code rotator.Code) rotator.Result {
	r.t.Helper()
	result := r.want(name, rotator.Failed)
	if result.Error != code {
		r.t.Errorf("%s has the error %s (%q), want %s", name, result.Error, result.Message, code)
	}
	return result
}

// wantSent checks the token requests of a run, each as "grant → status (fault)".
func (r run) wantSent(requests ...string) {
	r.t.Helper()
	var sent []string
	for _, request := range r.sent {
		sent = append(sent, request.String())
	}
	if !slices.Equal(sent, requests) {
		r.t.Errorf("token requests were %q, want %q", sent, requests)
	}
}

func (r run) wantCalls(want map[string]int) {
	r.t.Helper()
	if !maps.Equal(r.calls, want) {
		r.t.Errorf("AWS calls were %v, want %v", r.calls, want)
	}
}

// level is that of the run's log line, "" when there is none.
func (r run) level() string {
	for _, line := range r.logs {
		if line["msg"] == "run" {
			return line["level"].(string)
		}
	}
	return ""
}

// wantMetric checks a count.
func (r run) wantMetric(name string, want float64) {
	r.t.Helper()
	if got, ok := r.metrics[name].(float64); !ok || got != want {
		r.t.Errorf("metric %s is %v, want %v", name, r.metrics[name], want)
	}
}

// wantLogged looks for a line with these words at a level.
func (r run) wantLogged(level, words string) {
	r.t.Helper()
	for _, line := range r.logs {
		if msg, _ := line["msg"].(string); line["level"] == level && strings.Contains(msg, words) {
			return
		}
	}
	r.t.Errorf("no %s line says %q: %v", level, words, r.logs)
}

func decode(t *testing.T, document string) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(document), &fields); err != nil {
		t.Fatalf("%q: %v", document, err)
	}
	return fields
}
