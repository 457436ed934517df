package aws

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// When says where in a call a fault strikes.
type When int

const (
	// Before fails the call without any effect.
	Before When = iota
	// After lets the call have its effect and loses or replaces its answer.
	After
	// Slow only delays: the call has its effect and its answer, after Latency.
	Slow
)

// Fault is something that goes wrong, or slowly, with calls that match it. A
// call meets the first fault that matches.
type Fault struct {
	// Operation is the name of the operation, such as "PutParameter"; "" is any.
	Operation string
	// Name is a suffix of the secret's or parameter's name, or of the listed
	// path; "" is any. A secret asked for by ARN has the ARN as its name here.
	Name string
	// Times is how many calls are hit: 0 means one, a negative number all until
	// ClearFaults.
	Times int
	// When is Before, After or Slow.
	When When
	// Code is the AWS error code to answer with, such as "AccessDeniedException",
	// "ThrottlingException", "TooManyUpdates" or "InternalServiceError". "" cuts
	// the connection.
	Code string
	// Status is the HTTP status that goes with Code; 0 means 500 for codes that
	// begin with "Internal" and 400 for all others.
	Status int
	// Latency delays the call before its effect, and in addition to
	// Options.Latency.
	Latency time.Duration
	// Hang never answers: the connection is cut when the client gives up.
	Hang bool
	// Lag makes a listing show what was there so long ago.
	Lag time.Duration
}

// Call is one call as SetFaults sees it.
type Call struct {
	// Operation is the name of the operation, and Name the secret's, the
	// parameter's (without a selector) or the listed path.
	Operation, Name string
}

// Inject adds a fault behind those that are there.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Times = cmp.Or(f.Times, 1)
	s.faults = append(s.faults, &f)
}

// ClearFaults removes every injected fault.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// SetFaults sets the function that each call asks for its fault when no injected
// one matches; false is none. Nil removes it. Operation, Name and Times of what
// it returns count for nothing.
func (s *Server) SetFaults(choose func(Call) (Fault, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.choose = choose
}

// fault returns a call's fault. Where there is none it is a delay of nothing.
func (s *Server) fault(operation, name string) Fault {
	s.mu.Lock()
	fault, found := s.takeFault(operation, name)
	choose := s.choose
	s.mu.Unlock()
	if !found && choose != nil {
		fault, found = choose(Call{operation, name})
	}
	if !found {
		return Fault{When: Slow}
	}
	return fault
}

// takeFault uses up one hit of the first injected fault that matches. The caller
// holds the lock.
func (s *Server) takeFault(operation, name string) (Fault, bool) {
	for _, f := range s.faults {
		if !f.matches(operation, name) {
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		return *f, true
	}
	return Fault{}, false
}

func (f Fault) strikes(at When) bool { return f.When == at }

// strike returns the error to answer with, or does not return.
func (f Fault) strike(r *http.Request) error {
	if f.Hang {
		<-r.Context().Done()
	}
	if f.Hang || f.Code == "" {
		panic(http.ErrAbortHandler)
	}
	status := http.StatusBadRequest
	if strings.HasPrefix(f.Code, "Internal") {
		status = http.StatusInternalServerError
	}
	return &apiError{code: f.Code, message: "injected", status: cmp.Or(f.Status, status)}
}
