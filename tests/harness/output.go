package harness

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
)

// Output is everything that was printed: logs and metrics.
func (h *Harness) Output() string { return h.out.String() }

// Discard prints nothing any more, for long simulations.
func (h *Harness) Discard() { h.Logs, h.MetricLines = io.Discard, io.Discard }

// ParseOutput returns the log lines of an output and its last metrics.
func ParseOutput(t testing.TB, text string) (logs []map[string]any, metrics map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Errorf("a printed line is not JSON: %s", line)
			continue
		}
		if _, ok := fields["_aws"]; ok {
			metrics = fields
		} else {
			logs = append(logs, fields)
		}
	}
	return logs, metrics
}

// output is the function's standard output.
type output struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept.String()
}
