package harness

import (
	"bytes"
	"io"
	"sync"
)

// Output is everything that was printed: logs and metrics.
func (h *Harness) Output() string { return h.out.String() }

// Discard prints nothing any more, for long simulations.
func (h *Harness) Discard() { h.Logs, h.MetricLines = io.Discard, io.Discard }

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
