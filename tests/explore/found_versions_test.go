package explore_test

import (
	"testing"
	"testing/synctest"

	"reltio-token-rotator/tests/harness"
)

// Schedules in which a secret got so many versions that Secrets Manager refused more.

// The state cannot be recorded for twelve hours, so that each heartbeat finds a lease without
// a record: no secret gets a version a minute, and when the state can be recorded again,
// everything works.
func TestTheStateCannotBeRecordedForHours(t *testing.T) {
	for _, provider := range []string{"keeps", "rotates"} {
		synctest.Test(t, func(t *testing.T) {
			s := schedule{provider: provider, credentials: "refresh token", turns: 1}
			for number := range 12 * 60 {
				s.beats = append(s.beats, beat{heartbeat, ""})
				s.faults = append(s.faults, injection{place{number, "Parameters.Put(state)", 1}, "refused", thisRun})
			}
			f := newFixture(t, s)
			f.live()
			for _, v := range f.violations {
				t.Error(v)
			}
			for _, kind := range []string{"credentials", "token"} {
				if n := len(f.h.AWS.SecretVersions(harness.SecretName(connection, kind))); n > 40 {
					t.Errorf("%s: the %s secret got %d versions", provider, kind, n)
				}
			}
		})
	}
}

// Nine runs could not record the state: the next heartbeat requests a token, as always.
func TestTheStateCannotBeRecordedForAShortTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schedule{provider: "rotates", credentials: "refresh token", turns: 1}
		for number := range 9 {
			s.faults = append(s.faults, injection{place{number, "Parameters.Put(state)", 1}, "refused", thisRun})
		}
		f := newFixture(t, s)
		defer f.running.Wait()
		for number := range 10 {
			f.beat(number, "")
			f.sleep(heartbeat)
		}
		if r := f.last0(); r.Outcome != "refreshed" {
			t.Errorf("the first heartbeat that can record the state is %s, want refreshed", r.Outcome)
		}
	})
}
