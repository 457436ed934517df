package aws

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// When says at which point of a call a fault occurs.
type When int

const (
	// Before makes the call fail without any effect.
	Before When = iota
	// After makes the call take effect and loses or replaces its answer.
	After
	// Slow only delays the call. It takes effect and is answered after Latency.
	Slow
)

// Fault is a failure or a delay of the calls that match it. A call gets the first
// fault that matches.
type Fault struct {
	// Operation is the name of the operation, such as "PutParameter"; "" is any.
	Operation string
	// Name is a suffix of the secret's or parameter's name, or of the listed
	// path; "" is any. A secret asked for by ARN has the ARN as its name here.
	Name string
	// Times is how many calls get the fault. 0 means one, and a negative number all
	// until ClearFaults.
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
	// Hang never answers. The connection is cut when the client gives up.
	Hang bool
	// Lag makes a listing show what existed so long ago.
	Lag time.Duration
}

// Call is one call, as the function of SetFaults sees it.
type Call struct {
	// Operation is the name of the operation, and Name the secret's, the
	// parameter's (without a selector) or the listed path.
	Operation, Name string
}

// Inject adds a fault after the existing ones.
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

// SetFaults sets the function that returns the fault of each call that no injected
// fault matches. It returns false for no fault. Nil removes the function. Operation,
// Name and Times of the faults that it returns are ignored.
func (s *Server) SetFaults(choose func(Call) (Fault, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.choose = choose
}

// fault returns a call's fault. If there is none, that is a delay of 0.
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

// takeFault returns the first injected fault that matches and counts it. The caller
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

// strike returns the error for the answer, or does not return.
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
