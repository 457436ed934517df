package reltio

import (
	"context"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

const (
	tokenPath = "/oauth/token"
	checkPath = "/oauth/check_token"
	// maxForm bounds a token request's body.
	maxForm = 1 << 20
)

// Server is the fake. Make it with New; its methods may be called at any
// time from any goroutine.
type Server struct {
	mu             sync.Mutex
	options        Options
	store          *store
	script         []Fault
	faults         func() Fault
	requests       []*Request
	served         []time.Time // token requests within the last second, for the rate
	wrongPasswords map[string]int
	answersLost    int
	ahead          time.Duration // of the server's clock
	waits          map[chan struct{}]bool
	closed         bool
}

// New returns a Server at which no user has logged in yet.
func New(options Options) *Server {
	return &Server{
		options:        options.withDefaults(),
		store:          newStore(),
		wrongPasswords: make(map[string]int),
		waits:          make(map[chan struct{}]bool),
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case tokenPath:
		s.serveToken(w, r, s.takeFault())
	case "/api/whoami":
		s.serveWhoami(w, r)
	case checkPath:
		s.serveCheck(w, r)
	default:
		htmlPage(http.StatusNotFound).write(w, 0)
	}
}

// Connect implements fake.Connector: a fault may refuse the connection.
func (s *Server) Connect(r *http.Request) (http.Handler, error) {
	if r.URL.Path != tokenPath {
		return s, nil
	}
	fault := s.takeFault()
	if fault.Unreachable {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serveToken(w, r, fault) }), nil
}

// Script appends faults. Each following token request takes one.
func (s *Server) Script(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, faults...)
}

// SetFaults sets the function that each token request asks for its fault when
// the script is empty; nil removes it.
func (s *Server) SetFaults(faults func() Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faults
}

// takeFault returns the fault of a token request.
func (s *Server) takeFault() Fault {
	s.mu.Lock()
	if len(s.script) > 0 {
		defer s.mu.Unlock()
		fault := s.script[0]
		s.script = s.script[1:]
		return fault
	}
	faults := s.faults
	s.mu.Unlock()
	if faults == nil {
		return Fault{}
	}
	return faults()
}

// serveToken takes one token request through its fault.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request, fault Fault) {
	if r.Method != http.MethodPost {
		oauthError(http.StatusMethodNotAllowed, "method_not_allowed", "Request method not supported", wantsHTML(r)).write(w, 0)
		return
	}
	if fault.Unreachable { // over TCP the connection is there already
		panic(http.ErrAbortHandler)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	seen, o := s.arrive(r, fault)
	if fault.Late > 0 {
		// After the answer, also one that is cut.
		defer func() { time.AfterFunc(fault.Late, func() { s.executeLate(r, seen) }) }()
	}

	s.wait(context.Background(), o.Latency)
	var executed reply
	if fault.executes() {
		// A server does not notice that its client went away.
		s.wait(context.Background(), fault.Delay)
		executed = s.execute(r, seen)
	} else {
		s.wait(r.Context(), fault.Delay)
	}
	answered := false
	defer func() {
		if executed.issued != nil && !answered {
			s.countLost()
		}
	}()
	answered = s.answer(w, r, o, seen, fault, executed)
}

// answer sends what the fault leaves of the answer, and reports whether the
// client received the tokens in it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, o Options, seen *Request, fault Fault, executed reply) bool {
	s.wait(r.Context(), fault.AnswerDelay)
	answer := executed
	if fault.Status != 0 {
		answer = reply{status: fault.Status, header: fault.Header, body: fault.Body}
	}
	if fault.Hang {
		s.wait(r.Context(), forever)
		panic(http.ErrAbortHandler)
	}
	if fault.Cut && (fault.CutAfter == 0 || answer.status == 0) {
		panic(http.ErrAbortHandler)
	}
	if answer.issued != nil && seen.GrantType == "refresh_token" {
		s.wait(r.Context(), o.RaceWindow)
	}
	if fault.Edit != nil && answer.issued != nil {
		answer.body = fault.Edit(answer.body)
	}
	s.mu.Lock()
	seen.Status = answer.status
	s.mu.Unlock()
	answer.write(w, fault.CutAfter)
	return answer.issued != nil && r.Context().Err() == nil
}

// arrive notes the request.
func (s *Server) arrive(r *http.Request, fault Fault) (*Request, Options) {
	s.mu.Lock()
	o := s.options
	s.mu.Unlock()
	seen := newRequest(r, o, time.Now())
	seen.Fault = fault.name()

	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, seen)
	return seen, o
}

// executeLate executes the request without an answer.
func (s *Server) executeLate(r *http.Request, seen *Request) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if !closed && s.execute(r, seen).issued != nil {
		s.countLost()
	}
}

func (s *Server) countLost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answersLost++
}

// Close ends every wait. Waiting requests are cut and not executed, and no new wait
// begins.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for stop := range s.waits {
		close(stop)
	}
	clear(s.waits)
}

const forever = 1<<63 - 1

// wait waits for d. It cuts the connection if the server closes first or ctx ends
// first. Its channel is made here and not in New, so that a bubble's clock runs
// while it waits.
func (s *Server) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	stop := make(chan struct{})
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	s.waits[stop] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waits, stop)
		s.mu.Unlock()
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	case <-stop:
		panic(http.ErrAbortHandler)
	}
}
