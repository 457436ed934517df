package alarms_test

import (
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/tests/fake/memory"
)

// A month in which all is well is a month in which nobody is called, whatever
// the server's mode and the tokens' lifetime.
func TestHealthyForThirtyDaysIsSilent(t *testing.T) {
	const life, short = 3599 * time.Second, 20*time.Minute - time.Second
	for _, test := range []struct {
		name    string
		options memory.Options
		login   bool
	}{
		{"rotating refresh tokens", memory.Options{Lifetime: life, Rotate: true}, false},
		{"with a login", memory.Options{Lifetime: life}, true},
		{"same token until expired", memory.Options{Lifetime: life, SameTokenUntilExpired: true}, true},
		{"20-minute tokens", memory.Options{Lifetime: short, Rotate: true}, false},
		{"20-minute tokens, same token until expired", memory.Options{Lifetime: short, SameTokenUntilExpired: true}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t, test.options)
				s.aws.Add("default")
				s.live(10 * time.Minute) // until somebody has the credentials at hand
				s.seed("default", test.login)
				s.live(month)
				if s.reltio.Requests() < int(month/time.Hour) {
					t.Errorf("only %d token requests: was it alive at all?", s.reltio.Requests())
				}
				s.judge(func(t *testing.T, h history) { h.only(t) })
			})
		})
	}
}

// An outage that is over before a token had to be there calls nobody, at
// whatever moment of the token's life it comes.
func TestOutageOfThreeMinutesIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t, memory.Options{Rotate: true})
		s.aws.Add("default")
		s.seed("default", false)
		s.live(5 * time.Minute)
		for range 150 { // the phase against the tokens drifts by itself
			s.set(&s.outage, true)
			s.live(3 * time.Minute)
			s.set(&s.outage, false)
			s.live(34 * time.Minute)
		}
		s.judge(func(t *testing.T, h history) { h.only(t) })
	})
}
