package alarms_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/tests/fake/memory"
)

// seeded returns a stage on which a connection has its first token.
func seeded(t *testing.T, options memory.Options) *fixture {
	s := newFixture(t, options)
	s.aws.Add("default")
	s.seed("default", false)
	s.live(5 * time.Minute)
	return s
}

// An outage that lasts into the last minutes of a token calls a person while
// the token still lives, and says when it is over.
func TestOutageOfTwentyMinutesIsLateBeforeTheTokenDies(t *testing.T) {
	// How long before the token's end the outage begins. Its window is the last
	// ten minutes and a fifth of that at most.
	for _, before := range []time.Duration{13 * time.Minute, 16 * time.Minute} {
		t.Run(before.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := seeded(t, memory.Options{Rotate: true})
				s.live(3 * time.Hour)
				end := s.expiry("default")
				s.live(time.Until(end.Add(-before)))
				if s.expiry("default") != end {
					t.Fatal("the token was renewed before the outage")
				}
				s.set(&s.outage, true)
				s.live(20 * time.Minute)
				s.set(&s.outage, false)
				s.live(2 * time.Hour)
				s.judge(func(t *testing.T, h history) {
					h.only(t, "refresh-overdue")
					for _, at := range h.raised("refresh-overdue") {
						t.Logf("late went off %v before the token's end", end.Sub(at))
						if !at.Before(end) {
							t.Errorf("late went off %v after the token's end", at.Sub(end))
						}
					}
				})
			})
		})
	}
}

// A refresh token that Reltio does not know calls a person while the access
// token still lives, and is over when somebody has logged in.
func TestDeadRefreshTokenNeedsAPersonBeforeTheTokenDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := seeded(t, memory.Options{})
		s.live(3 * time.Hour)
		s.write("default", "of-another-time", false)
		// Until it is tried.
		end := s.expiry("default")
		for time.Until(end) < 12*time.Minute {
			s.live(time.Minute)
			end = s.expiry("default")
		}
		s.live(time.Until(end) + 30*time.Minute)
		if s.works("default") {
			t.Fatal("the token still works")
		}
		s.seed("default", false)
		s.live(2 * time.Hour)
		s.judge(func(t *testing.T, h history) {
			h.only(t, "action-required", "refresh-overdue")
			for _, at := range h.raised("action-required") {
				t.Logf("action-required went off %v before the token's end", end.Sub(at))
				if !at.Before(end) {
					t.Errorf("action-required went off %v after the token's end", at.Sub(end))
				}
			}
		})
	})
}

// A refresh token lives 28 days, whatever is done with it. A person hears of it
// a week before, and again when nothing was done; never of what is well.
func TestRefreshTokenThatGrowsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := seeded(t, memory.Options{})
		s.live(29 * day)
		s.seed("default", false)
		s.live(2 * time.Hour)
		s.judge(func(t *testing.T, h history) {
			h.only(t, "refresh-token-expiring", "action-required", "refresh-overdue")
			for name, days := range map[string]float64{"refresh-token-expiring": 21, "action-required": 28} {
				for _, at := range h.raised(name) {
					if late := at.Sub(s.created).Hours()/24 - days; late < 0 || late > 0.1 {
						t.Errorf("%s went off after %.2f days", name, days+late)
					}
				}
			}
		})
	})
}

// A login in good time is enough.
func TestRefreshTokenRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := seeded(t, memory.Options{})
		s.live(20 * day)
		s.reltio.Revoke(user + "default") // as Reltio says to: revoke, log in again
		s.seed("default", false)
		s.live(3 * day)
		s.live(time.Hour)
		s.judge(func(t *testing.T, h history) { h.only(t) })
	})
}

// One dead connection is not lost among a hundred.
func TestOneDeadAmongAHundred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t, memory.Options{Rotate: true})
		for i := range 100 {
			name := fmt.Sprintf("tenant-%02d", i)
			s.aws.Add(name)
			s.seed(name, false)
		}
		s.live(5 * time.Hour)
		s.write("tenant-42", "of-another-time", false)
		from := time.Now()
		s.live(2 * time.Hour)
		s.seed("tenant-42", false)
		s.live(time.Hour)
		s.judge(func(t *testing.T, h history) {
			h.only(t, "action-required", "refresh-overdue")
			for _, at := range h.raised("action-required") {
				if at.Before(from) || at.Sub(from) > time.Hour {
					t.Errorf("action-required went off %v after the refresh token died", at.Sub(from))
				}
			}
		})
	})
}

// Silence is noticed, whatever it comes from, and its end is told.
func TestSilence(t *testing.T) {
	for _, test := range []struct {
		name   string
		what   func(s *fixture) *bool
		atMost time.Duration
	}{
		{"function deleted or schedule disabled", func(s *fixture) *bool { return &s.stopped }, 27 * time.Minute},
		{"connections cannot be listed", func(s *fixture) *bool { return &s.blind }, 13 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := seeded(t, memory.Options{Rotate: true})
				s.live(3*time.Hour + 20*time.Minute)
				from := time.Now()
				s.set(test.what(s), true)
				s.live(40 * time.Minute) // less than what the token has left
				s.set(test.what(s), false)
				s.live(2 * time.Hour)
				s.judge(func(t *testing.T, h history) {
					h.only(t, "heartbeats-missing")
					for _, at := range h.raised("heartbeats-missing") {
						t.Logf("heartbeats went off after %v", at.Sub(from).Round(time.Minute))
						if at.Sub(from) > test.atMost {
							t.Errorf("heartbeats went off after %v, want %v at the latest", at.Sub(from), test.atMost)
						}
					}
				})
			})
		})
	}
}

// A stack whose schedule never fires says so.
func TestStackThatNeverRan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t, memory.Options{})
		s.set(&s.stopped, true)
		s.live(time.Hour)
		s.judge(func(t *testing.T, h history) {
			raised := h.raised("heartbeats-missing")
			if len(raised) != 1 || raised[0].Sub(s.created) > 16*time.Minute {
				t.Errorf("heartbeats went off at %v, the stack was made at %v", raised, s.created)
			}
		})
	})
}

// A new stack that nobody has seeded is one message after an hour, and one more
// when somebody has.
func TestStackThatNobodySeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t, memory.Options{Rotate: true})
		s.aws.Add("default")
		s.live(2 * day)
		s.seed("default", false)
		s.live(time.Hour)
		s.judge(func(t *testing.T, h history) {
			h.only(t, "no-credentials")
			for _, at := range h.raised("no-credentials") {
				if after := at.Sub(s.created); after < time.Hour || after > 66*time.Minute {
					t.Errorf("no_credentials went off after %v", after)
				}
			}
		})
	})
}
