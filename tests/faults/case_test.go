package faults_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
)

// failureCase is one heartbeat with faults.
type failureCase struct {
	situation
	provider provider
	password bool
	// injections are the faults, and none in a baseline.
	injections []injection
	// operator is the index of the call before which an operator writes new
	// credentials. The index after the last call means after the run, and -1 means
	// never.
	operator int
}

func (c failureCase) String() string {
	var parts []string
	if c.operator >= 0 {
		parts = append(parts, fmt.Sprintf("operator at %d", c.operator))
	}
	for _, i := range c.injections {
		parts = append(parts, i.String())
	}
	return strings.Join(parts, ", ")
}

// result is what happened in a failure case.
type result struct {
	calls []call
	// requests and refusals are counted until the connection works again without
	// further requests.
	requests, refusals, logins int
	// rejected says that the refresh token that is stored at the end is not
	// accepted.
	rejected bool
	// loginBackedOff: see fixture.
	loginBackedOff bool
	// concurrentWrite says that an operator's credentials are no longer current.
	concurrentWrite bool
	// faulty counts the heartbeats in which a fault occurred.
	faulty int
}

const (
	faultDuration = 4 * time.Minute // how long fourMinutes lasts
	maxBeats      = 14              // until the connection is quiet at the latest
	recovery      = 2               // heartbeats, after the fault and any lease, until a live token is published
)

// run runs the case to its end and checks all promises that need no comparison
// with a baseline.
func (c failureCase) run(t *testing.T) (got result) {
	s := newFixture(t, c.provider, c.password)
	defer s.running.Wait()
	c.prepare(s)
	sent := len(s.w.Reltio.Requests())
	began := time.Now()

	var runs []*run
	heartbeat := func() *run {
		number := len(runs)
		place, counts := -1, map[call]int{}
		r := s.launch(func(r *run, met call) *fault {
			place++
			counts[met]++
			if number == 0 && (place == c.operator || c.operatorBeforeSave && met.Method == "Saver.Save" && counts[met] == 1) {
				s.reseed()
			}
			for _, i := range c.injections {
				if i.meets(number, place, met, r.began.Sub(began)) {
					r.faulty.Store(true)
					return i.fault
				}
			}
			if number == 0 && c.meanwhile != nil {
				return c.meanwhile(met, counts[met])
			}
			return nil
		})
		runs = append(runs, r)
		return r
	}

	first := heartbeat()
	dead := 0
	for beats := 1; ; beats++ {
		s.sleepUntil(s.nextBeat())
		if beats == 1 && first.over() && c.operator >= len(first.made()) {
			s.reseed()
		}
		last := runs[len(runs)-1]
		faultOver := time.Since(began) >= faultDuration || !slices.ContainsFunc(c.injections, func(i injection) bool {
			return i.lasts == fourMinutes
		})
		got.faulty = 0
		for _, r := range runs {
			if r.faulty.Load() {
				got.faulty++
				faultOver = faultOver && r.over()
			}
		}
		open, lapsed := s.leased()
		alive, rejected := s.w.Alive(connection), c.rejected(s)
		if s.deceives() {
			t.Errorf("at heartbeat %d, a job has a dead token and the state says that it is valid: %+v", beats, s.w.State(connection))
		}
		if s.harmed() {
			t.Fatalf("at heartbeat %d, the other set's token was ended before its valid_until", beats)
		}
		if dead++; alive || rejected || !faultOver || open && !lapsed {
			dead = 0
		}
		if dead > recovery {
			t.Errorf("at heartbeat %d, no live token is published yet: %+v", beats, s.w.State(connection))
		}
		if faultOver && last.over() && !open {
			outcome := result1(last.report).Outcome
			if outcome == rotator.NotDue && alive && !s.pending() || outcome == rotator.BackingOff && rejected {
				break
			}
		}
		if beats == maxBeats {
			t.Errorf("not quiet after %d heartbeats: alive %v, pending refresh token %v, lease open %v, state %+v, last %+v",
				beats, alive, s.pending(), open, s.w.State(connection), result1(last.report))
			break
		}
		heartbeat()
	}
	got.calls = first.made()
	got.requests, got.refusals = s.requests(sent)
	got.logins = s.logins(sent)
	if s.operators > 0 && !s.operatorsAreCurrent() {
		got.concurrentWrite = true
		if !s.operatorsAreReported() {
			t.Errorf("an operator's credentials are neither current nor kept and reported")
		}
	}
	got.loginBackedOff = s.loginBackedOff
	defer func() {
		if s.operators > 0 && !got.concurrentWrite && !s.operatorsAreUsed() {
			t.Errorf("an operator's credentials are current, and are not used")
		}
	}()
	got.rejected = c.checkNextRefresh(t, s)
	return got
}

// rejected reports whether only an operator can correct the result.
func (c failureCase) rejected(s *fixture) bool {
	state := s.w.State(connection)
	standing := !c.password && state.Primary.Error == rotator.RefreshTokenRejected || state.Primary.Error == rotator.LoginRejected
	return standing && state.CredentialsVersion == s.credentialsVersion()
}

// checkNextRefresh checks that the next refresh succeeds with what is stored. If the
// refresh token has expired, it checks that the password is used at once, or that
// the connection sends no request until an operator writes new credentials, and uses
// those at the next heartbeat.
func (c failureCase) checkNextRefresh(t *testing.T, s *fixture) (rejected bool) {
	if c.two {
		return c.checkNextTurns(t, s)
	}
	n := len(s.w.Reltio.Requests())
	var next rotator.Result
	if !c.rejected(s) {
		if state := s.w.State(connection); state.Published.Unchanged {
			s.sleepUntil(state.Published.ExpiresAt.Add(2 * time.Second)) // a new token comes only then
		} else {
			s.untilWindow()
		}
		next = result1(s.beatWith(noFault))
		count, refusals := s.requests(n)
		if refusals == 0 {
			if count != 1 || next.Error != "" || !s.w.Alive(connection) {
				t.Errorf("the refresh after the fault: %d requests, %+v", count, next)
			}
			return false
		}
	}
	if c.password && !c.rejected(s) {
		if count, refusals := s.requests(n); count != 2 || refusals != 1 || !s.w.Alive(connection) {
			t.Errorf("no login after a refused refresh token: %d requests, %+v", count, next)
		}
		return true
	}
	time.Sleep(time.Minute)
	n = len(s.w.Reltio.Requests())
	s.beatWith(noFault)
	if count, _ := s.requests(n); count > 0 {
		t.Errorf("a rejected refresh token was tried again")
	}
	s.reseed()
	time.Sleep(time.Minute)
	if next := result1(s.beatWith(noFault)); !s.w.Alive(connection) {
		t.Errorf("an operator's new credentials were not used at the next heartbeat: %+v", next)
	}
	return true
}
