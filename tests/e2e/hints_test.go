package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
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

// A forged state that names the current version of the credentials holds a set that
// can only log in, until an operator acts. A refresh token is tried every hour.
func TestAForgedRefusedLogin(t *testing.T) {
	for _, c := range []struct {
		name         string
		refreshToken bool
	}{{"login", false}, {"refresh token and login", true}} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				fields := s.loginCredentials()
				if !c.refreshToken {
					delete(fields, "refresh_token")
				}
				s.seed("default", fields)
				version := ""
				for id := range s.AWS.SecretVersions(harness.SecretName("default", "credentials")) {
					version = id // the only one
				}
				s.AWS.PutParameter(harness.ParameterName("default", "state"), fmt.Sprintf(
					`{"primary":{"version":%[1]q,"refresh_token_fingerprint":%[2]q,"error":"login_rejected","failures":1,"not_before":%[3]q,"login":{"version":%[1]q,"outcome":"refused","at":%[4]q,"tries":1}},"credentials_version":%[1]q}`,
					version, secret.New(s.refreshToken("default")).Fingerprint(), time.Now().Add(time.Hour).Format(time.RFC3339), time.Now().Format(time.RFC3339)))
				sent := 0
				s.hours(3, func(r run) { sent += len(r.sent) })
				if (sent > 0) != c.refreshToken {
					t.Errorf("%d requests in three hours", sent)
				}
				if !c.refreshToken {
					s.beat().wantMetric("ActionRequired", 1)
					s.invoke(rotator.Event{Action: rotator.ActionRefresh, Force: true}).want("default", rotator.Refreshed)
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
