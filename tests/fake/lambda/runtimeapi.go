package lambda

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	functionName = "rotate"
	functionARN  = "arn:aws:lambda:us-east-1:123456789012:function:" + functionName

	// maxAnswer is Lambda's limit of a synchronous answer.
	maxAnswer = 6 << 20
)

// invocation is one event on its way.
type invocation struct {
	id       string
	arn      string // of the function, with the qualifier of the invocation
	traceID  string
	payload  []byte
	deadline time.Time
}

func qualified(arn, qualifier string) string {
	if qualifier == "" {
		return arn
	}
	return arn + ":" + qualifier
}

// answer is a process's answer to its invocation.
type answer struct {
	payload                 []byte
	errorType, errorMessage string
}

// runtimeAPI is the Runtime API, version 2018-06-01, of one process.
type runtimeAPI struct {
	mux *http.ServeMux
	// asked gets one value each time the process asks for an invocation.
	asked chan struct{}
	// work brings the invocation to the waiting question.
	work   chan *invocation
	exited <-chan struct{}

	mu      sync.Mutex
	current string // request id of the invocation under way
	answer  *answer
}

func newRuntimeAPI(exited <-chan struct{}) *runtimeAPI {
	a := &runtimeAPI{mux: http.NewServeMux(), asked: make(chan struct{}), work: make(chan *invocation), exited: exited}
	a.mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	a.mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", a.response)
	a.mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", a.failure)
	a.mux.HandleFunc("POST /2018-06-01/runtime/init/error", a.failure)
	return a
}

// ServeHTTP implements http.Handler.
func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// deliver passes an event to the process. It returns false if the process has ended.
func (a *runtimeAPI) deliver(work *invocation) bool {
	a.mu.Lock()
	a.current, a.answer = work.id, nil
	a.mu.Unlock()
	select {
	case a.work <- work:
		return true
	case <-a.exited:
		return false
	}
}

// takeAnswer returns the last answer of the process, once.
func (a *runtimeAPI) takeAnswer() (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	said := a.answer
	a.current, a.answer = "", nil
	if said == nil {
		return answer{}, false
	}
	return *said, true
}

func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	select {
	case a.asked <- struct{}{}:
	case <-a.exited:
		return
	case <-r.Context().Done():
		return
	}
	select {
	case work := <-a.work:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", work.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(work.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", work.arn)
		h.Set("Lambda-Runtime-Trace-Id", work.traceID)
		_, _ = w.Write(work.payload) // a process that is gone is seen by its exit
	case <-a.exited:
	case <-r.Context().Done():
	}
}

// newTraceID is of the form that X-Ray uses, not sampled.
func newTraceID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), b[:12], b[12:])
}

func (a *runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	body, ok := a.read(w, r)
	if ok {
		a.accept(w, answer{payload: body})
	}
}

func (a *runtimeAPI) failure(w http.ResponseWriter, r *http.Request) {
	body, ok := a.read(w, r)
	if !ok {
		return
	}
	var failed struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(body, &failed) != nil || failed.Type == "" {
		failed.Type = r.Header.Get("Lambda-Runtime-Function-Error-Type")
	}
	if failed.Type == "" {
		failed.Type = "Function.Unknown"
	}
	a.accept(w, answer{payload: body, errorType: failed.Type, errorMessage: failed.Message})
}

// read reads an answer's body and refuses one to another invocation.
func (a *runtimeAPI) read(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge")
		return nil, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if id := r.PathValue("id"); id != a.current || a.answer != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequestID")
		return nil, false
	}
	return body, true
}

func (a *runtimeAPI) accept(w http.ResponseWriter, said answer) {
	a.mu.Lock()
	a.answer = &said
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, errorType string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errorType":%q,"errorMessage":"refused"}`, errorType)
}
