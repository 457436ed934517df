package e2e_test

import (
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

func TestARecordThatFailsCostsOneRefresh(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		denied("PutParameter", "/state", "AccessDeniedException")(s)
		begun := time.Now()
		r := s.beat()
		result := r.wantFailed("default", rotator.StateUnavailable)
		if !strings.Contains(result.Message, "could not be recorded") {
			t.Errorf("the message is %s", result.Message)
		}
		s.wantWorking("default")
		s.AWS.ClearFaults()
		time.Sleep(time.Until(begun.Add(time.Minute)))
		s.beat().want("default", rotator.Refreshed)
		time.Sleep(time.Minute)
		s.beat().want("default", rotator.NotDue)
		s.wantWorking("default")
	})
}

// A state that is lost, stale, damaged or edited by hand causes one refresh.
func TestAStateThatCannotBeTrue(t *testing.T) {
	for name, document := range map[string]string{
		"lost":                    "",
		"empty":                   "{}",
		"not JSON":                "expires_at: never",
		"of another type":         `{"expires_at":5}`,
		"refreshed in the future": `{"expires_at":"2100-01-01T01:00:00Z","refreshed_at":"2100-01-01T00:00:00Z"}`,
		"a life of years":         `{"expires_at":"2100-01-01T00:00:00Z","refreshed_at":"2000-01-01T00:00:00Z"}`,
		"an impossible hold":      `{"not_before":"2100-01-01T00:00:00Z","error":"throttled"}`,
		"an impossible count":     `{"failures":-3,"error":"bad_response"}`,
		"an impossible lease":     `{"lease_version":99999}`,
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.seed("default", s.credentials())
				s.beat()
				time.Sleep(2 * time.Minute)
				if document == "" {
					s.AWS.DeleteParameter(harness.ParameterName("default", "state"))
				} else {
					s.AWS.PutParameter(harness.ParameterName("default", "state"), document)
				}
				r := s.beat()
				r.want("default", rotator.Refreshed)
				r.wantSent("refresh_token → 200")
				for range 10 {
					time.Sleep(time.Minute)
					s.beat().want("default", rotator.NotDue)
				}
				s.wantWorking("default")
			})
		})
	}
}

func TestACountOfFailuresThatCannotBeTrue(t *testing.T) {
	for _, failures := range []string{"-3", "9", "9223372036854775807"} {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seed("default", s.credentials())
			s.AWS.PutParameter(harness.ParameterName("default", "state"), `{"error":"bad_response","failures":`+failures+`}`)
			s.Reltio.Script(fakereltio.NotJSON())
			s.beat().wantFailed("default", rotator.BadResponse)
			time.Sleep(16 * time.Minute)
			s.beat().want("default", rotator.Refreshed)
		})
	}
}

func TestALeaseThatWasDeletedOrDamaged(t *testing.T) {
	for _, document := range []string{"", "{}", "nonsense", `{"run":"x"}`, `{"run":"x","from":3,"until":"2100-01-01T00:00:00Z"}`} {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			if document == "" {
				s.AWS.DeleteParameter(harness.ParameterName("default", "lease"))
			} else {
				s.AWS.PutParameter(harness.ParameterName("default", "lease"), document)
			}
			s.beat().want("default", rotator.Refreshed)
			for range 5 {
				time.Sleep(time.Minute)
				s.beat().want("default", rotator.NotDue)
			}
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
			s.wantWorking("default")
		})
	}
}
