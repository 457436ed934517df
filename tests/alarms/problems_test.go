package alarms_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/alarms"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/extent"
	"reltio-token-rotator/tests/harness/race"
)

// seeded returns a fixture in which a connection has its first token.
func seeded(t *testing.T, options fakereltio.Options) *fixture {
	s := newFixture(t, options)
	s.Add("default")
	s.seed("default", false)
	s.runFor(5 * time.Minute)
	return s
}

// refresh-overdue fires for an outage that lasts into the last minutes of a token,
// before the token expires, and returns to OK after the outage.
func TestRefreshOverdueFiresBeforeTheTokenExpires(t *testing.T) {
	// How long before the token's expiry the outage begins. The refresh window is
	// the last ten minutes, plus a spread of at most a fifth.
	for _, before := range []time.Duration{13 * time.Minute, 16 * time.Minute} {
		t.Run(before.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := seeded(t, fakereltio.Options{RotateRefreshToken: true})
				s.runFor(3 * time.Hour)
				end := s.expiry("default")
				s.runFor(time.Until(end.Add(-before)))
				if s.expiry("default") != end {
					t.Fatal("the token was refreshed before the outage")
				}
				s.outageFor(20*time.Minute, fakereltio.Fault{Unreachable: true})
				s.runFor(2 * time.Hour)
				s.replay(func(t *testing.T, h history) {
					h.only(t, "refresh-overdue")
					for _, at := range h.fired("refresh-overdue") {
						t.Logf("refresh-overdue fired %v before the token's expiry", end.Sub(at))
						if !at.Before(end) {
							t.Errorf("refresh-overdue fired %v after the token's expiry", at.Sub(end))
						}
					}
				})
			})
		})
	}
}

// refresh-overdue fires for a token that stays uncertain, long before it expires: a
// gateway answers a forced refresh, which the server executes, and all that follow.
func TestRefreshOverdueFiresForAnUncertainToken(t *testing.T) {
	for _, status := range []int{502, 504} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := seeded(t, fakereltio.Options{})
				began, end := time.Now(), s.expiry("default")
				s.running.Go(func() {
					time.Sleep(time.Second)
					_, _ = s.Invoke(t.Context(), rotator.Event{Action: rotator.ActionRefresh, Force: true})
				})
				s.outageFor(20*time.Minute, fakereltio.Fault{Status: status, Executed: true})
				if s.Alive("default") {
					t.Fatal("the published token still works: is it uncertain?")
				}
				s.runFor(2 * time.Hour)
				s.replay(func(t *testing.T, h history) {
					h.only(t, "refresh-overdue")
					for _, at := range h.fired("refresh-overdue") {
						t.Logf("refresh-overdue fired after %v, %v before the token's expiry", at.Sub(began), end.Sub(at))
						if after := at.Sub(began); after > 12*time.Minute {
							t.Errorf("refresh-overdue fired after %v", after)
						}
					}
				})
			})
		})
	}
}

// refresh-overdue fires when the state cannot be recorded, long before the token that the
// state names expires, and returns to OK when it can be recorded again.
func TestRefreshOverdueFiresWhenTheStateCannotBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := seeded(t, fakereltio.Options{RotateRefreshToken: true})
		began, end := time.Now(), s.expiry("default")
		s.set(&s.noState, true)
		s.running.Go(func() {
			time.Sleep(time.Second)
			_, _ = s.Invoke(t.Context(), rotator.Event{Action: rotator.ActionRefresh, Force: true})
		})
		s.runFor(3 * time.Hour)
		s.set(&s.noState, false)
		ended := time.Now()
		s.runFor(time.Hour)
		if !s.Alive("default") {
			t.Error("the published token does not work")
		}
		s.replay(func(t *testing.T, h history) {
			h.only(t, "refresh-overdue")
			for _, at := range h.fired("refresh-overdue") {
				t.Logf("refresh-overdue fired after %v, %v before the token's expiry", at.Sub(began), end.Sub(at))
				if after := at.Sub(began); after > 20*time.Minute {
					t.Errorf("refresh-overdue fired after %v", after)
				}
			}
			last := h["refresh-overdue"][len(h["refresh-overdue"])-1]
			if late := last.At.Sub(ended); last.To != alarms.OK || late > 40*time.Minute {
				t.Errorf("refresh-overdue is %v %v after the state could be written", last.To, late)
			}
		})
	})
}

// action-required fires for a refresh token that Reltio rejects, before the access
// token expires, and returns to OK after new credentials are seeded.
func TestActionRequiredFiresBeforeTheTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := seeded(t, fakereltio.Options{})
		s.runFor(3 * time.Hour)
		s.write("default", "of-another-time", false)
		// Until the refresh is due.
		end := s.expiry("default")
		for time.Until(end) < 12*time.Minute {
			s.runFor(time.Minute)
			end = s.expiry("default")
		}
		s.runFor(time.Until(end) + 30*time.Minute)
		if s.Alive("default") {
			t.Fatal("the token still works")
		}
		s.seed("default", false)
		s.runFor(2 * time.Hour)
		s.replay(func(t *testing.T, h history) {
			h.only(t, "action-required", "refresh-overdue")
			for _, at := range h.fired("action-required") {
				t.Logf("action-required fired %v before the token's expiry", end.Sub(at))
				if !at.Before(end) {
					t.Errorf("action-required fired %v after the token's expiry", at.Sub(end))
				}
			}
		})
	})
}

// A refresh token expires after 28 days. refresh-token-expiring fires a week
// before, and action-required when it has expired.
func TestRefreshTokenExpires(t *testing.T) {
	if race.Enabled {
		t.Skip("takes long")
	}
	synctest.Test(t, func(t *testing.T) {
		s := seeded(t, fakereltio.Options{})
		s.runFor(29 * day)
		s.seed("default", false)
		s.runFor(2 * time.Hour)
		s.replay(func(t *testing.T, h history) {
			h.only(t, "refresh-token-expiring", "action-required", "refresh-overdue")
			for name, days := range map[string]float64{"refresh-token-expiring": 21, "action-required": 28} {
				for _, at := range h.fired(name) {
					if late := at.Sub(s.created).Hours()/24 - days; late < 0 || late > 0.1 {
						t.Errorf("%s fired after %.2f days", name, days+late)
					}
				}
			}
		})
	})
}

// No alarm fires when the operator logs in before day 21.
func TestRefreshTokenReplacedInTime(t *testing.T) {
	extent.OnlyFull(t)
	if race.Enabled {
		t.Skip("takes long")
	}
	synctest.Test(t, func(t *testing.T) {
		s := seeded(t, fakereltio.Options{})
		s.runFor(20 * day)
		s.Reltio.Revoke(user("default")) // as Reltio's documentation says
		s.seed("default", false)
		s.runFor(3 * day)
		s.runFor(time.Hour)
		s.replay(func(t *testing.T, h history) { h.only(t) })
	})
}

// action-required fires for one failing connection among a hundred.
func TestOneFailingConnectionAmongAHundred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t, fakereltio.Options{RotateRefreshToken: true})
		for i := range 100 {
			name := fmt.Sprintf("tenant-%02d", i)
			s.Add(name)
			s.seed(name, false)
		}
		s.runFor(5 * time.Hour)
		s.write("tenant-42", "of-another-time", false)
		from := time.Now()
		s.runFor(2 * time.Hour)
		s.seed("tenant-42", false)
		s.runFor(time.Hour)
		s.replay(func(t *testing.T, h history) {
			h.only(t, "action-required", "refresh-overdue")
			for _, at := range h.fired("action-required") {
				if at.Before(from) || at.Sub(from) > time.Hour {
					t.Errorf("action-required fired %v after the refresh token was replaced", at.Sub(from))
				}
			}
		})
	})
}

// heartbeats-missing fires when no run lists the connections, and returns to OK.
func TestHeartbeatsMissing(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  func(s *fixture) *bool
		atMost time.Duration
	}{
		{"function deleted or schedule disabled", func(s *fixture) *bool { return &s.stopped }, 27 * time.Minute},
		{"connections cannot be listed", func(s *fixture) *bool { return &s.noList }, 13 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := seeded(t, fakereltio.Options{RotateRefreshToken: true})
				s.runFor(3*time.Hour + 20*time.Minute)
				from := time.Now()
				s.set(test.fault(s), true)
				s.runFor(40 * time.Minute) // less than the rest of the token's lifetime
				s.set(test.fault(s), false)
				s.runFor(2 * time.Hour)
				s.replay(func(t *testing.T, h history) {
					h.only(t, "heartbeats-missing")
					for _, at := range h.fired("heartbeats-missing") {
						t.Logf("heartbeats-missing fired after %v", at.Sub(from).Round(time.Minute))
						if at.Sub(from) > test.atMost {
							t.Errorf("heartbeats-missing fired after %v, want at most %v", at.Sub(from), test.atMost)
						}
					}
				})
			})
		})
	}
}

// heartbeats-missing fires for a stack whose schedule never invokes the function.
func TestScheduleThatNeverRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t, fakereltio.Options{})
		s.set(&s.stopped, true)
		s.runFor(time.Hour)
		s.replay(func(t *testing.T, h history) {
			fired := h.fired("heartbeats-missing")
			if len(fired) != 1 || fired[0].Sub(s.created) > 16*time.Minute {
				t.Errorf("heartbeats-missing fired at %v, the stack was created at %v", fired, s.created)
			}
		})
	})
}

// no-credentials fires once, an hour after the stack was created, and returns to OK
// when the operator seeds credentials.
func TestStackWithoutCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t, fakereltio.Options{RotateRefreshToken: true})
		s.Add("default")
		s.runFor(2 * day)
		s.seed("default", false)
		s.runFor(time.Hour)
		s.replay(func(t *testing.T, h history) {
			h.only(t, "no-credentials")
			for _, at := range h.fired("no-credentials") {
				if after := at.Sub(s.created); after < time.Hour || after > 66*time.Minute {
					t.Errorf("no-credentials fired after %v", after)
				}
			}
		})
	})
}
