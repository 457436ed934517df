package explore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
)

// outcome is the result of a run of a schedule.
type outcome struct {
	violations []violation
	calls      []place
	met        []kind // the faults, in order
}

const (
	heartbeat = time.Minute
	maxBeats  = 12 // until the connection is quiet
	maxHolds  = 6
)

// run runs a schedule to its end, in a bubble of its own.
func (s schedule) run(t *testing.T) (got outcome) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, s)
		f.live()
		got = outcome{f.violations, f.calls, f.met}
	})
	return got
}

func (f *fixture) live() {
	defer f.running.Wait()
	for turn := range f.s.turns {
		f.beat(-2-turn, "")
		f.sleepUntilDue()
	}
	f.opened = f.document()
	for number, b := range f.s.beats {
		f.sleep(b.after)
		f.beat(number, b.event)
		if f.failed() {
			return
		}
	}
	f.quiet()
}

// beat runs an invocation until its end or the next heartbeat.
func (f *fixture) beat(number int, event string) {
	began := time.Now()
	v := f.launch(number, events[event](f))
	select {
	case <-v.ended:
	case <-time.After(heartbeat):
	}
	f.actAt(nil, place{number, "", 1})
	f.check(v)
	f.atLeast = began
}

// sleep waits until the next invocation.
func (f *fixture) sleep(after time.Duration) {
	if after == untilDue {
		f.sleepUntilDue()
		return
	}
	time.Sleep(time.Until(f.atLeast.Add(after)))
}

// sleepUntilDue skips the time in which heartbeats find nothing due.
func (f *fixture) sleepUntilDue() {
	r := f.last0()
	due := r.NextRefreshAt
	if p := f.state().Published; due.IsZero() && p.UncertainSince.IsZero() && (r.Outcome == rotator.NotDue || r.Outcome == rotator.Refreshed) {
		// The resting set has an error. Its turn comes, or the token must be
		// replaced.
		for _, due = range []time.Time{turnOfResting(f.state(), f.current()), p.ValidUntil, p.ExpiresAt} {
			if due.After(time.Now()) {
				break
			}
		}
	}
	if !due.After(time.Now()) {
		due = time.Now().Add(heartbeat)
	}
	time.Sleep(time.Until(due.Add(time.Second)))
}

func (f *fixture) last0() rotator.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		return rotator.Result{}
	}
	select {
	case <-f.last.ended:
		return f.last.result()
	default:
		return rotator.Result{}
	}
}

func (f *fixture) failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.violations) > 0
}

// quiet makes heartbeats until what was promised for two heartbeats after the last
// fault can be checked, and again after the next refreshes.
func (f *fixture) quiet() {
	turns := 1
	if f.s.two {
		turns = 3
	}
	var calm time.Time
	unread := false
	for turn := range turns + 1 {
		if !f.settle() {
			return
		}
		if turn == 0 {
			calm = time.Now()
			unread = f.current().Version != f.state().CredentialsVersion
		}
		if turn < turns {
			f.sleepUntilDue()
		}
	}
	f.running.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checkPrinted()
	f.checkVersions(calm, unread)
}

// settle sends heartbeats until two of them had nothing to do. It reports whether
// everything works.
func (f *fixture) settle() bool {
	calm, holds := 0, 0
	held := false // one of the calm heartbeats may have had to wait
	for number := len(f.s.beats); ; number++ {
		time.Sleep(time.Until(f.atLeast.Add(heartbeat)))
		began := time.Now()
		lease, open := f.lease()
		held = held && calm > 0 || f.hold().After(began)
		f.beat(1000+number, "")
		if f.failed() {
			return false
		}
		f.mu.Lock()
		trouble, active := f.lastTrouble, f.active
		f.mu.Unlock()
		if calm++; active > 0 || !began.After(trouble) || open && began.Before(lease.Until) {
			calm = 0
		}
		if number > len(f.s.beats)+maxBeats {
			f.mu.Lock()
			f.violate(7, "the connection does not become quiet", "")
			f.mu.Unlock()
			return false
		}
		if calm < 2 {
			continue
		}
		if held && !f.hold().After(time.Now()) {
			calm = 0
			continue
		}
		hold := f.checkQuiet()
		if f.failed() {
			return false
		}
		if hold.IsZero() {
			return true
		}
		if holds++; holds > maxHolds {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.allUsable {
				f.violate(7, "the connection waits although the server accepts its credentials", "")
			}
			return !f.allUsable
		}
		calm = 0
		number = len(f.s.beats)
		time.Sleep(time.Until(hold))
	}
}
