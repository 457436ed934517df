package scale_test

import (
	"io"
	"net/http"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// readsPerSecond is what Parameter Store takes of an account of GetParameter,
// GetParameters and GetParametersByPath together.
const readsPerSecond = 40

// reads refuses listings above the limit as AWS does.
type reads struct {
	http.Handler

	limit   *rate.Limiter
	refused atomic.Int64
}

func (r *reads) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Header.Get("X-Amz-Target") == "AmazonSSM.GetParametersByPath" && !r.limit.Allow() {
		r.refused.Add(1)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
		return
	}
	r.Handler.ServeHTTP(w, request)
}
