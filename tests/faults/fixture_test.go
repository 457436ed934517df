package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/calls"
)

const connection = "default"

// fixture is the stack of one failure case, with its processes.
type fixture struct {
	t        *testing.T
	w        *harness.Harness
	real     *rotator.Rotator
	password bool

	running sync.WaitGroup // heartbeats and late effects
	beats   int
	// loginBackedOff says that lost logins were not repeated for an hour.
	loginBackedOff bool

	// held is the token of the alternate set that jobs hold, if there is one.
	held harness.Token

	// operators counts the operators who wrote new credentials. operatorsToken is
	// the refresh token of the last one.
	operators        int
	operatorsToken   string
	operatorsVersion string
}

func newFixture(t *testing.T, p provider, password bool) *fixture {
	w := harness.New(t, fakeaws.Options{Latency: 10 * time.Millisecond, WritesPerSecond: 3}, withLatency(p.options))
	return &fixture{t: t, w: w, real: w.Process(), password: password}
}

func withLatency(o fakereltio.Options) fakereltio.Options {
	o.Latency = 100 * time.Millisecond
	o.Users = map[string]string{second: "password"}
	return o
}

// beat is one heartbeat without a fault.
func (s *fixture) beat(want rotator.Outcome) {
	if got := result1(s.beatWith(noFault)); got.Outcome != want {
		s.t.Fatalf("the preparation: %+v, want %s", got, want)
	}
}

// beatWith is one heartbeat, to its end.
func (s *fixture) beatWith(faultOf func(*run, call) *fault) rotator.Report {
	r := s.launch(faultOf)
	<-r.ended
	return r.report
}

// noFault is no fault at any call.
func noFault(*run, call) *fault { return nil }

// run is one heartbeat.
type run struct {
	*process
	faulty atomic.Bool // it met the fault of the failure case
	began  time.Time
	ended  chan struct{}
	report rotator.Report
	err    error
}

func (r *run) over() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// launch sends a heartbeat and does not wait for its end, as the schedule does not
// either.
func (s *fixture) launch(faultOf func(*run, call) *fault) *run {
	s.beats++
	r := &run{began: time.Now(), ended: make(chan struct{})}
	var mu sync.Mutex // a run that saves for long publishes beside it
	r.process = &process{faultOf: func(c call) *fault {
		mu.Lock()
		defer mu.Unlock()
		return faultOf(r, c)
	}, server: s.w.Reltio, late: &s.running}
	rotating := calls.Wrap(*s.real, r)
	id := fmt.Sprintf("request-%d", s.beats)
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.Timeout)
	r.cancel = cancel
	r.rival = func() { s.beatWith(noFault) }
	s.running.Go(func() {
		defer close(r.ended)
		defer cancel()
		r.report, r.err = rotating.Run(ctx, id, rotator.Event{})
	})
	return r
}

// leased reports whether a run without a record has the lease, and whether the lease
// has expired.
func (s *fixture) leased() (open, lapsed bool) {
	document, _, _ := s.w.AWS.Parameter(harness.ParameterName(connection, "lease"))
	var c rotator.Lease
	_ = json.Unmarshal([]byte(document), &c)
	open = !c.Until.IsZero() && c.From+1 > s.w.State(connection).LeaseVersion
	if c.Set == "" && !time.Now().Before(c.Until) {
		open = false // its run made no token request: nothing is uncertain
	}
	return open, open && !time.Now().Before(c.Until)
}

func (s *fixture) pending() bool {
	_, _, ok := s.w.AWS.Parameter(harness.ParameterName(connection, "pending"))
	return ok
}

// requests are the token requests since the first n, and how many refresh
// tokens were refused among them.
func (s *fixture) requests(n int) (count, refusals int) {
	seen := s.w.Reltio.Requests()[n:]
	for _, r := range seen {
		if r.GrantType == "refresh_token" && (r.Status == 400 || r.Status == 401) {
			refusals++
		}
	}
	return len(seen), refusals
}

// logins counts the logins since the first n requests.
func (s *fixture) logins(n int) (count int) {
	for _, r := range s.w.Reltio.Requests()[n:] {
		if r.GrantType == "password" {
			count++
		}
	}
	return count
}

// deceives reports whether the published token is not accepted while the state says
// that it is valid. While a lease is open, the token counts as uncertain.
func (s *fixture) deceives() bool {
	open, _ := s.leased()
	state := s.w.State(connection)
	return !open && state.Published.UncertainSince.IsZero() && state.Published.ExpiresAt.After(time.Now()) && !s.w.Alive(connection)
}

// operatorsAreCurrent reports whether the current credentials are the last
// operator's, with or without a refresh token that the rotator changed since.
func (s *fixture) operatorsAreCurrent() bool {
	document, _ := s.w.AWS.Secret(harness.SecretName(connection, "credentials"))
	var fields struct{ Owner string }
	return json.Unmarshal([]byte(document), &fields) == nil && fields.Owner == s.operatorsToken
}

// operatorsAreReported reports whether the log asks to write the credentials again
// and they are still there: as the previous version, or by the id in the log.
func (s *fixture) operatorsAreReported() bool {
	version, there := s.w.AWS.SecretVersions(harness.SecretName(connection, "credentials"))[s.operatorsVersion]
	if !there || !strings.Contains(s.w.Output(), "write them again") {
		return false
	}
	return slices.Contains(version.Labels, "AWSPREVIOUS") || strings.Contains(s.w.Output(), `"replaced_version":"`+s.operatorsVersion+`"`)
}

// operatorsAreUsed reports whether the last operator's refresh token was used.
func (s *fixture) operatorsAreUsed() bool {
	fingerprint := secret.New(s.operatorsToken).Fingerprint()
	return slices.ContainsFunc(s.w.Reltio.Requests(), func(r fakereltio.Request) bool {
		return r.RefreshToken == fingerprint && r.Status == 200
	})
}

// credentialsVersion is the current version of the credentials secret.
func (s *fixture) credentialsVersion() string {
	for id, version := range s.w.AWS.SecretVersions(harness.SecretName(connection, "credentials")) {
		if slices.Contains(version.Labels, "AWSCURRENT") {
			return id
		}
	}
	return ""
}

// nextBeat is a minute later, or at the end of a backoff after repeated logins whose
// answers were lost. Such logins may count as wrong passwords, and accounts get
// locked.
func (s *fixture) nextBeat() time.Time {
	next := time.Now().Add(time.Minute)
	state := s.w.State(connection)
	if state.Primary.Error != rotator.AnswerLost || state.Primary.Login.Outcome == "" || state.Primary.NotBefore.Before(next) {
		return next
	}
	s.loginBackedOff = true
	if backoff := time.Until(state.Primary.NotBefore); backoff > time.Hour {
		s.t.Errorf("a login is not sent for %v", backoff)
	}
	return state.Primary.NotBefore
}
