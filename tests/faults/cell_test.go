package crash_test

import (
	"fmt"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
)

// cell is one way in which one heartbeat is disturbed.
type cell struct {
	situation
	provider provider
	password bool
	strike   strike
	// person is the call before which a person puts new credentials; one more
	// than the last is after the run; -1 is never.
	person int
}

func (c cell) String() string {
	if c.person < 0 {
		return c.strike.String()
	}
	return fmt.Sprintf("a person at %d, %v", c.person, c.strike)
}

// found is what became of a cell.
type found struct {
	calls []call
	// requests and refusals are those until all was quiet again.
	requests, refusals, logins int
	// rejected: the refresh token that was stored in the end is dead.
	rejected bool
	// loginBackedOff: see stage.
	loginBackedOff bool
	// displaced: a person's credentials are not current any more.
	concurrentWrite bool
	// struck counts the heartbeats that met the fault.
	struck int
}

const (
	faultDuration = 4 * time.Minute // how long fourMinutes lasts
	maxBeats      = 14              // until all is quiet at the latest
	patience      = 2               // heartbeats, after the fault and any lease, until a live token is out
)

// play runs the cell to its end and holds it to everything that needs no
// comparison with an undisturbed run.
func (c cell) play(t *testing.T) (f found) {
	s := newFixture(t, c.provider, c.password)
	defer s.running.Wait()
	c.prepare(s)
	sent := len(s.w.Reltio.Requests())
	began := time.Now()

	var runs []*run
	disturbed := func() *run {
		number := len(runs)
		place, counts := -1, map[call]int{}
		r := s.launch(func(r *run, met call) fault {
			place++
			counts[met]++
			if number == 0 && (place == c.person || c.personBeforeSave && met.method == "Saver.Save" && counts[met] == 1) {
				s.reseed()
			}
			if c.strikes(number, place, met, r.began.Sub(began)) {
				r.struck.Store(true)
				return c.strike.fault
			}
			if number == 0 && c.meanwhile != nil {
				return c.meanwhile(met, counts[met])
			}
			return noFault
		})
		runs = append(runs, r)
		return r
	}

	first := disturbed()
	dead := 0
	for beats := 1; ; beats++ {
		s.sleepUntil(s.nextBeat())
		if beats == 1 && first.over() && c.person >= len(first.made()) {
			s.reseed()
		}
		last := runs[len(runs)-1]
		faultOver := c.strike.lasts != fourMinutes || time.Since(began) >= faultDuration
		struck := 0
		for _, r := range runs {
			if r.struck.Load() {
				struck++
				faultOver = faultOver && r.over()
			}
		}
		f.struck = struck
		open, lapsed := s.leased()
		alive, rejected := s.w.Alive(connection), c.rejected(s)
		if s.deceives() {
			t.Errorf("at heartbeat %d, a job has a dead token and the state says that it lives: %+v", beats, s.w.State(connection))
		}
		if dead++; alive || rejected || !faultOver || open && !lapsed {
			dead = 0
		}
		if dead > patience {
			t.Errorf("at heartbeat %d, still no live token is out: %+v", beats, s.w.State(connection))
		}
		if faultOver && last.over() && !open {
			outcome := only1(last.report).Outcome
			if outcome == rotator.NotDue && alive && !s.pending() || outcome == rotator.BackingOff && rejected {
				break
			}
		}
		if beats == maxBeats {
			t.Errorf("not quiet after %d heartbeats: alive %v, pending refresh token %v, lease open %v, state %+v, last %+v",
				beats, alive, s.pending(), open, s.w.State(connection), only1(last.report))
			break
		}
		disturbed()
	}
	f.calls = first.made()
	f.requests, f.refusals = s.requests(sent)
	f.logins = s.logins(sent)
	if s.persons > 0 && !s.personStands() {
		f.concurrentWrite = true
		if !s.personReported() {
			t.Errorf("a person's credentials are neither current nor findable and reported")
		}
	}
	f.loginBackedOff = s.loginBackedOff
	defer func() {
		if s.persons > 0 && !f.concurrentWrite && !s.personUsed() {
			t.Errorf("a person's credentials stand, and are not used")
		}
	}()
	f.rejected = c.goOn(t, s)
	return f
}

// strikes reports whether the cell's fault meets a call.
func (c cell) strikes(run, place int, met call, since time.Duration) bool {
	x := c.strike
	switch {
	case x.fault == noFault:
		return false
	case run == 0 && place == x.at:
		return true
	case met != x.call || x.lasts == once:
		return false
	case run == 0:
		return place > x.at
	}
	return x.lasts == fourMinutes && since < faultDuration
}

// rejected reports whether only a person can help.
func (c cell) rejected(s *fixture) bool {
	state := s.w.State(connection)
	standing := !c.password && state.Error == rotator.RefreshTokenRejected || state.Error == rotator.LoginRejected
	return standing && state.CredentialsVersion == s.credentialsVersion()
}

// goOn shows that what is stored is good: the next refresh works. Where the
// refresh token is dead it shows that the connection waits without a request
// until a person puts new credentials, which are used at the next heartbeat, or
// that the password is used at once.
func (c cell) goOn(t *testing.T, s *fixture) (rejected bool) {
	calm := func(*run, call) fault { return noFault }
	n := len(s.w.Reltio.Requests())
	var got rotator.Result
	if !c.rejected(s) {
		if state := s.w.State(connection); state.Unchanged {
			s.sleepUntil(state.ExpiresAt.Add(2 * time.Second)) // a new token comes only then
		} else {
			s.untilWindow()
		}
		got = only1(s.beatStruck(calm))
		count, refusals := s.requests(n)
		if refusals == 0 {
			if count != 1 || got.Error != "" || !s.w.Alive(connection) {
				t.Errorf("the refresh after the fault: %d requests, %+v", count, got)
			}
			return false
		}
	}
	if c.password && !c.rejected(s) {
		if count, refusals := s.requests(n); count != 2 || refusals != 1 || !s.w.Alive(connection) {
			t.Errorf("no login after a refused refresh token: %d requests, %+v", count, got)
		}
		return true
	}
	time.Sleep(time.Minute)
	n = len(s.w.Reltio.Requests())
	s.beatStruck(calm)
	if count, _ := s.requests(n); count > 0 {
		t.Errorf("a rejected refresh token was tried again")
	}
	s.reseed()
	time.Sleep(time.Minute)
	if got := only1(s.beatStruck(calm)); !s.w.Alive(connection) {
		t.Errorf("a person's new credentials were not used at the next heartbeat: %+v", got)
	}
	return true
}
