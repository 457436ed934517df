package e2e_test

import (
	"bytes"
	"net/http"
	"slices"
	"sync"

	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// front stands before the token endpoint. It can let every request meet a
// fault until it is told otherwise, and sees which tokens go out.
type front struct {
	server *fakereltio.Server

	mu      sync.Mutex
	fault   *fakereltio.Fault
	granted []string
}

// always makes every coming request meet a fault.
func (f *front) always(fault fakereltio.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = &fault
}

// mend lets requests through again.
func (f *front) mend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = nil
}

func (f *front) secrets() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.granted)
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if f.fault != nil {
		f.server.Script(*f.fault)
	}
	f.mu.Unlock()
	seen := &tap{ResponseWriter: w}
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.granted = append(f.granted, secretValues(seen.body.String())...)
	}()
	f.server.ServeHTTP(seen, r)
}

// tap keeps a copy of a reply's body.
type tap struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (t *tap) Write(p []byte) (int, error) {
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}

func (t *tap) Flush() { t.ResponseWriter.(http.Flusher).Flush() }
