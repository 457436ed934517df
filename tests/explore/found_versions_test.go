package explore_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
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

// After nine runs that could not record the state, the next heartbeat requests a token, as
// always. After ten, it reports why it does not and until when, and a forced refresh does.
func TestTheStateCannotBeRecordedForAShortTime(t *testing.T) {
	for _, runs := range []int{9, 10} {
		synctest.Test(t, func(t *testing.T) {
			s := schedule{provider: "rotates", credentials: "refresh token"}
			for number := range runs {
				s.faults = append(s.faults, injection{place{number, "Parameters.Put(state)", 1}, "refused", thisRun})
			}
			f := newFixture(t, s)
			defer f.running.Wait()
			for number := range runs + 1 {
				f.beat(number, "")
				f.sleep(heartbeat)
			}
			r := f.last0()
			if runs == 10 {
				lease, _ := f.lease()
				if r.Outcome != rotator.BackingOff || r.Error != rotator.StateUnavailable || !r.RetryAt.Equal(lease.Until.Add(30*time.Minute)) || r.Message == "" || !r.NextRefreshAt.IsZero() {
					t.Errorf("after ten runs: %+v", r)
				}
				f.beat(runs+1, "force")
				r = f.last0()
			}
			if r.Outcome != rotator.Refreshed || r.Error != "" {
				t.Errorf("after %d runs: %+v, want refreshed", runs, r)
			}
		})
	}
}

// The alternate set's tokens live 30 minutes, the primary's three hours, and refresh tokens
// change: a token that would expire before the published one is not requested every minute.
func TestTwoSetsOfUnequalLivesAndChangingRefreshTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, schedule{provider: "3 h and 30 minutes, rotates", credentials: "refresh token", two: true})
		defer f.running.Wait()
		published := map[rotator.SetName]bool{}
		for number := range 24 * 60 {
			f.beat(number, "")
			published[f.last0().Set] = true
			if r := f.last0(); r.Error != "" {
				t.Fatalf("%+v", r)
			}
			f.sleep(heartbeat)
		}
		for _, v := range f.violations {
			t.Error(v)
		}
		if len(published) != 2 {
			t.Errorf("tokens of %v were published", published)
		}
		for _, kind := range []string{"credentials", "token"} {
			n := len(f.h.AWS.SecretVersions(harness.SecretName(connection, kind)))
			if t.Logf("%d versions of the %s secret", n, kind); n > 60 {
				t.Errorf("the %s secret got %d versions in a day", kind, n)
			}
		}
	})
}

// A set's token is lost in a response that cannot be used. The server returns it until it
// has expired, which is before the published one does, with a new refresh token each time.
func TestTheSameTokenThatExpiresEarlier(t *testing.T) {
	holds(t, schedule{
		provider: "same until expired, rotates", credentials: "refresh token", two: true, turns: 2,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		faults: []injection{
			{place{1, "Endpoint.RequestToken(refresh_token)", 1}, "error beside the token", once},
		},
	})
}

// By its clock, the server's tokens live longer than by the function's: a set that gets its
// own old token is asked again at the next heartbeat, until that token has expired.
func TestASetGetsItsOwnOldToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, schedule{provider: "keeps", credentials: "refresh token", two: true})
		defer f.running.Wait()
		for number := range 2 {
			f.beat(number, "")
			f.sleepUntilDue()
		}
		f.h.Reltio.SetOptions(func(o *fakereltio.Options) { o.SameTokenUntilExpired = true })
		f.h.Reltio.SetClock(-5 * time.Minute)
		outcomes := []rotator.Outcome{}
		for number := range 6 {
			f.beat(2+number, "")
			outcomes = append(outcomes, f.last0().Outcome)
			f.sleep(heartbeat)
		}
		if outcomes[0] != rotator.Unchanged || !slices.Contains(outcomes, rotator.Refreshed) {
			t.Errorf("the heartbeats were %v, want unchanged, and refreshed within six minutes", outcomes)
		}
	})
}
