package scale_test

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// readsPerSecond is what Parameter Store takes of an account of GetParameter,
// GetParameters and GetParametersByPath together.
const readsPerSecond = 40

// reads refuses listings above the limit as AWS does.
type reads struct {
	http.Handler

	mu      sync.Mutex
	level   float64
	filled  time.Time
	refused int
}

func (r *reads) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Header.Get("X-Amz-Target") == "AmazonSSM.GetParametersByPath" && !r.take() {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
		return
	}
	r.Handler.ServeHTTP(w, request)
}

func (r *reads) take() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.level = min(readsPerSecond, r.level+readsPerSecond*now.Sub(r.filled).Seconds())
	r.filled = now
	if r.level < 1 {
		r.refused++
		return false
	}
	r.level--
	return true
}
