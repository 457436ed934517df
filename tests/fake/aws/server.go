// Package aws is a fake for the few operations of AWS Secrets Manager and
// Systems Manager Parameter Store that the rotator, its jobs and its operators
// use. It speaks the AWS JSON 1.1 protocol, so that the real SDK and the AWS CLI
// talk to it through AWS_ENDPOINT_URL. It checks no signatures.
//
// It is an http.Handler and takes the time from the standard library alone: in
// a testing/synctest bubble, with a transport that calls the handler directly,
// days of it pass in milliseconds.
//
// It is strict where AWS is silent: a request field that it does not know is an
// error, so that no test rests on something that only looks implemented.
package aws

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxRequest bounds a request body: the largest legal one is a 64 KiB secret,
// every byte of it escaped.
const maxRequest = 1 << 20

// Options are what AWS may do and a test may want. With the zero Options nothing
// limits or delays a call.
type Options struct {
	// WritesPerSecond limits PutParameter, as AWS does to 3 a second by default
	// for an account and region; what is above is ThrottlingException. 0: no limit.
	WritesPerSecond float64
	// EmptyPages puts an empty page with a NextToken before every page of
	// GetParametersByPath.
	EmptyPages bool
	// StaleReads makes the first read after each write of a parameter show the
	// version before that write. See also Server.Stale.
	StaleReads bool
	// Latency is how long every call takes.
	Latency time.Duration
	// RecreateAfter is how long the name of a deleted parameter cannot be used
	// again. AWS asks for 30 s.
	RecreateAfter time.Duration
}

// Server is the fake. Its methods may be called at any time, also from a hook.
type Server struct {
	options    Options
	operations map[string]operation

	mu         sync.Mutex
	secrets    map[string]*secret
	parameters map[string]*parameter
	deleted    map[string]time.Time // names of deleted parameters
	writes     bucket
	faults     []*Fault
	choose     func(Call) (Fault, bool)
	hook       func(operation, name string, before bool)
	lag        time.Duration // of the listing under way
	calls      map[string]int
	bytes      map[string]int64
}

// New returns an empty account.
func New(options Options) *Server {
	s := &Server{
		options:    options,
		secrets:    map[string]*secret{},
		parameters: map[string]*parameter{},
		deleted:    map[string]time.Time{},
		writes:     newBucket(options.WritesPerSecond),
		calls:      map[string]int{},
		bytes:      map[string]int64{},
	}
	s.operations = map[string]operation{
		"secretsmanager.CreateSecret":                 handle(s.createSecret),
		"secretsmanager.DeleteSecret":                 handle(s.deleteSecret),
		"secretsmanager.DescribeSecret":               handle(s.describeSecret),
		"secretsmanager.GetSecretValue":               handle(s.getSecretValue),
		"secretsmanager.ListSecretVersionIds":         handle(s.listSecretVersionIDs),
		"secretsmanager.PutSecretValue":               handle(s.putSecretValue),
		"secretsmanager.RemoveRegionsFromReplication": handle(s.removeRegions),
		"secretsmanager.UpdateSecretVersionStage":     handle(s.updateSecretVersionStage),
		"AmazonSSM.DeleteParameter":                   handle(s.deleteParameter),
		"AmazonSSM.GetParameter":                      handle(s.getParameter),
		"AmazonSSM.GetParametersByPath":               handle(s.getParametersByPath),
		"AmazonSSM.PutParameter":                      handle(s.putParameter),
	}
	return s
}

// Calls returns how often each operation was called, failed calls included.
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Bytes returns the size of the request and answer bodies of each operation.
func (s *Server) Bytes() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.bytes)
}

// ResetCalls sets the counters of calls and bytes to zero.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.calls)
	clear(s.bytes)
}

// OnCall sets the function that is called for every call, before it has any effect
// (and before latency and faults) and again after its effect and before its
// answer; nil removes it. A call that a fault keeps from its effect is announced
// once. The name is the secret's, the parameter's (without a selector) or the
// listed path. The function may block and may call the server's methods.
func (s *Server) OnCall(hook func(operation, name string, before bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// ServeHTTP implements http.Handler. Where an answer is to be lost it panics
// with http.ErrAbortHandler, which net/http turns into a cut connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	service, name, _ := strings.Cut(target, ".")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		s.answer(w, service, name, nil, refuse("SerializationException", "the request cannot be read"))
		return
	}
	prepare, known := s.operations[target]
	if !known {
		s.answer(w, service, name, nil, refuse("UnknownOperationException", "the fake does not have "+target))
		return
	}
	call, err := prepare(body)
	if err != nil {
		s.answer(w, service, name, nil, err)
		return
	}

	hook := s.arrive(name, len(body))
	fault := s.fault(name, call.subject)
	if hook != nil {
		hook(name, call.subject, true)
	}
	// A server continues a request whose client has given up, so this sleep
	// does not end with the request: a late effect is part of what is tested.
	time.Sleep(s.options.Latency + fault.Latency)
	if fault.strikes(Before) {
		s.answer(w, service, name, nil, fault.strike(r))
		return
	}
	result, err := s.perform(call, fault.Lag)
	if hook != nil {
		hook(name, call.subject, false)
	}
	if fault.strikes(After) {
		s.answer(w, service, name, nil, fault.strike(r))
		return
	}
	s.answer(w, service, name, result, err)
}

// arrive counts a call and returns the hook function.
func (s *Server) arrive(name string, size int) func(operation, name string, before bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[name]++
	s.bytes[name] += int64(size)
	return s.hook
}

// perform executes a call. A listing sees what existed lag ago.
func (s *Server) perform(c call, lag time.Duration) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = lag
	return c.do()
}

func (s *Server) answer(w http.ResponseWriter, service, name string, result any, failure error) {
	status := http.StatusOK
	if failure != nil {
		status, result = describe(service, failure)
	}
	body, err := json.Marshal(result)
	if err != nil {
		panic(fmt.Sprintf("fake/aws: %s: %v", name, err)) // a mistake in this package
	}
	s.mu.Lock()
	s.bytes[name] += int64(len(body))
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Requestid", newID())
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone is its own affair
}

// operation reads a request body.
type operation func(body []byte) (call, error)

// call is a request that is ready to be performed, under the server's lock.
type call struct {
	subject string
	do      func() (any, error)
}

// request is implemented by every request: it names the secret or parameter that the
// request is about.
type request interface{ subject() string }

func handle[In request, Out any](do func(In) (Out, error)) operation {
	return func(body []byte) (call, error) {
		var in In
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&in); err != nil {
			return call{}, refuse("SerializationException", "the fake cannot read this request: "+err.Error())
		}
		return call{in.subject(), func() (any, error) { return do(in) }}, nil
	}
}

// apiError is an error in the form of AWS.
type apiError struct {
	code, message string
	status        int
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// refuse returns a client error. Both services answer those with status 400.
func refuse(code, message string) error {
	return &apiError{code: code, message: message, status: http.StatusBadRequest}
}

// describe returns an error's status and body.
func describe(service string, failure error) (int, any) {
	e, ok := errors.AsType[*apiError](failure)
	if !ok {
		e = &apiError{code: "InternalFailure", message: failure.Error(), status: http.StatusInternalServerError}
	}
	key := "message"
	if service == "secretsmanager" {
		key = "Message"
	}
	return cmp.Or(e.status, http.StatusBadRequest), map[string]string{"__type": e.code, key: e.message}
}
