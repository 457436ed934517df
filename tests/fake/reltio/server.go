package reltio

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxForm bounds a token request's body.
const maxForm = 1 << 20

// Server is the fake. Make it with New; its methods may be called at any
// time from any goroutine.
type Server struct {
	mu       sync.Mutex
	options  Options
	store    *store
	script   []Fault
	requests []*Request
	served   []time.Time // token requests within the last second, for the rate
	waits    map[chan struct{}]bool
	closed   bool
}

// New returns a Server in which nobody has logged in yet.
func New(options Options) *Server {
	return &Server{
		options: options.withDefaults(),
		store:   newStore(),
		waits:   make(map[chan struct{}]bool),
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/oauth/token":
		s.serveToken(w, r)
	case "/api/whoami":
		s.serveWhoami(w, r)
	default:
		htmlPage(http.StatusNotFound).write(w, 0)
	}
}

// serveToken takes one token request through its fault, if it has one.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		oauthError(http.StatusMethodNotAllowed, "method_not_allowed", "Request method not supported", wantsHTML(r)).write(w, 0)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	seen, fault, o := s.arrive(r)

	var answer reply
	if fault.Effect {
		answer = s.execute(r, seen)
	}
	s.wait(context.Background(), o.Latency)
	switch {
	case fault.Effect || fault.Status != 0 || fault.Hang || fault.Cut:
		s.wait(r.Context(), fault.Delay)
	default:
		s.wait(context.Background(), fault.Delay)
		answer = s.execute(r, seen)
	}
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
	if answer.granted != nil && seen.GrantType == "refresh_token" {
		s.wait(r.Context(), o.RaceWindow)
	}
	s.mu.Lock()
	seen.Status = answer.status
	s.mu.Unlock()
	answer.write(w, fault.CutAfter)
}

// arrive notes the request and takes the next fault of the script.
func (s *Server) arrive(r *http.Request) (*Request, Fault, Options) {
	s.mu.Lock()
	o := s.options
	s.mu.Unlock()
	seen := newRequest(r, o, time.Now())

	s.mu.Lock()
	defer s.mu.Unlock()
	var fault Fault
	if len(s.script) > 0 {
		fault, s.script = s.script[0], s.script[1:]
	}
	seen.Fault = fault.name()
	s.requests = append(s.requests, seen)
	return seen, fault, o
}

// serveWhoami is the protected resource.
func (s *Server) serveWhoami(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") && s.Alive(token) {
		jsonReply(http.StatusOK, map[string]string{"status": "welcome"}).write(w, 0)
		return
	}
	oauthError(http.StatusUnauthorized, "invalid_token", "Invalid access token", false).write(w, 0)
}

// Login logs the user in as a person would, without a request: it seeds the
// first tokens, and is what another login of the same user does. While an
// access token lives it returns that one.
func (s *Server) Login() (access, refresh string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.options
	token := s.store.login(o.Username, o.Scope, true, o, time.Now())
	return token.value, token.refresh.value
}

// AddRefreshToken makes value a refresh token of the user, as if a login had
// just given it, without an access token beside it.
func (s *Server) AddRefreshToken(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.options
	s.store.families++
	s.store.refresh[value] = &refreshToken{
		value: value, user: o.Username, scope: o.Scope,
		family: s.store.families, expires: time.Now().Add(o.RefreshLifetime),
	}
}

// EndAccessTokens ends every live access token early. Refresh tokens stay.
func (s *Server) EndAccessTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.endAll()
}

// ExpireRefreshTokens brings day 28 for every refresh token.
func (s *Server) ExpireRefreshTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	past := time.Now().Add(-time.Nanosecond)
	for _, token := range s.store.refresh {
		if token.expires.After(past) {
			token.expires = past
		}
	}
}

// Script appends faults; each coming token request takes one.
func (s *Server) Script(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, faults...)
}

// Alive reports whether the protected resource would accept the access token.
func (s *Server) Alive(accessToken string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.alive(accessToken, time.Now())
}

// SetOptions changes modes while the server runs. Tokens that are out keep the
// lifetimes they got.
func (s *Server) SetOptions(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.options
	o.Grants = slices.Clone(o.Grants)
	change(&o)
	s.options = o.withDefaults()
}

// Requests returns the token requests seen so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := make([]Request, len(s.requests))
	for i, request := range s.requests {
		seen[i] = *request
	}
	return seen
}

// Close ends every wait: requests in the middle of one are cut, their grants
// are not executed any more, and no new wait begins.
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

// wait lets d pass and cuts the connection when the server closes first or when
// ctx ends first: the client's, or none that ends where a server would not
// notice. Its channel is made here and not
// in New, so that a bubble's clock runs while it waits.
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
