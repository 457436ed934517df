package alarms_test

import (
	"testing"
	"testing/synctest"
	"time"

	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/extent"
	"reltio-token-rotator/tests/harness/race"
)

// No alarm fires in a month without faults, in each mode of the server and for
// each lifetime of the tokens.
func TestHealthyForThirtyDaysIsSilent(t *testing.T) {
	const life, short = 3599 * time.Second, 20*time.Minute - time.Second
	month := 30 * day
	if race.Enabled || !extent.Full() {
		month = 3 * day // otherwise it takes minutes
	}
	for _, test := range []struct {
		name    string
		options fakereltio.Options
		login   bool
	}{
		{"rotating refresh tokens", fakereltio.Options{Lifetime: life, RotateRefreshToken: true}, false},
		{"with a login", fakereltio.Options{Lifetime: life}, true},
		{"same token until expired", fakereltio.Options{Lifetime: life, SameTokenUntilExpired: true}, true},
		{"20-minute tokens", fakereltio.Options{Lifetime: short, RotateRefreshToken: true}, false},
		{"20-minute tokens, same token until expired", fakereltio.Options{Lifetime: short, SameTokenUntilExpired: true}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t, test.options)
				s.Add("default")
				s.runFor(10 * time.Minute) // until the operator has the credentials
				s.seed("default", test.login)
				s.runFor(month)
				if len(s.Reltio.Requests()) < int(month/time.Hour) {
					t.Errorf("only %d token requests in a month", len(s.Reltio.Requests()))
				}
				s.replay(func(t *testing.T, h history) { h.only(t) })
			})
		})
	}
}

// No alarm fires for an outage of three minutes, whenever in the token's lifetime it
// starts, and whether the server executes what a gateway gives up or not.
func TestOutageOfThreeMinutesIsSilent(t *testing.T) {
	for name, outage := range map[string]struct {
		fault  fakereltio.Fault
		rotate bool
	}{
		"unreachable":   {fakereltio.Fault{Unreachable: true}, true},
		"502":           {fakereltio.Fault{Status: 502}, true},
		"502, executed": {fakereltio.Fault{Status: 502, Executed: true}, false},
		"504, executed": {fakereltio.Fault{Status: 504, Executed: true}, false},
		"504, later":    {fakereltio.Fault{Status: 504, Late: 90 * time.Second}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t, fakereltio.Options{RotateRefreshToken: outage.rotate})
				s.Add("default")
				s.seed("default", false)
				s.runFor(5 * time.Minute)
				for range 100 { // the phase against the tokens drifts by itself
					s.outageFor(3*time.Minute, outage.fault)
					s.runFor(34 * time.Minute)
				}
				s.replay(func(t *testing.T, h history) { h.only(t) })
			})
		})
	}
}
