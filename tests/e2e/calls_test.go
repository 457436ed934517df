package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

func TestAnIdleHeartbeatOfThreeConnectionsIsOneCall(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		for _, name := range []string{"a", "b", "c"} {
			s.seed(name, s.credentials())
		}
		s.beat()
		time.Sleep(time.Minute)
		r := s.beat()
		r.wantCalls(map[string]int{"GetParametersByPath": 1})
		r.wantSent()
		if len(r.logs) > 0 {
			t.Errorf("an idle heartbeat logged more than its metrics: %v", r.logs)
		}
		r.wantMetric("Heartbeats", 1)
		for _, name := range []string{"Refreshes", "Failures", "Throttles", "RefreshOverdue", "ActionRequired", "NoCredentials"} {
			r.wantMetric(name, 0)
		}
		if values, _ := r.metrics["TokenSecondsRemaining"].([]any); len(values) != 3 {
			t.Errorf("TokenSecondsRemaining is %v, want a value a connection", r.metrics["TokenSecondsRemaining"])
		}
	})
}

func TestARefreshIsFiveCallsAndOneTokenRequest(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		r := s.beat()
		r.want("default", rotator.Refreshed)
		r.wantSent("refresh_token → 200")
		r.wantCalls(map[string]int{
			"GetParametersByPath": 1,
			"GetSecretValue":      1, // the credentials
			"PutParameter":        2, // lease and record
			"PutSecretValue":      1, // the token
		})
		s.wantWorking("default")
	})
}

func TestAChangedRefreshTokenCostsTwoCallsMore(t *testing.T) {
	simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		r := s.beat()
		r.wantSent("refresh_token → 200")
		r.wantCalls(map[string]int{
			"GetParametersByPath": 1, "GetSecretValue": 1, "PutParameter": 2,
			"PutSecretValue": 2, // the refresh token, the token
			"DescribeSecret": 1, // whom the first replaced
		})
	})
}

func TestEveryPageOfAListingIsRead(t *testing.T) {
	simulateAWS(t, fakeaws.Options{EmptyPages: true}, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		for i := range 8 {
			s.seed(fmt.Sprintf("c%d", i), s.credentials())
		}
		s.beat()
		time.Sleep(time.Minute)
		r := s.beat()
		if len(r.report.Connections) != 8 {
			t.Errorf("%d connections of 8 were seen", len(r.report.Connections))
		}
		// There are 24 parameters in pages of 10, with an empty page before each.
		r.wantCalls(map[string]int{"GetParametersByPath": 6})
	})
}

func TestAHeldLeaseIsLeftAlone(t *testing.T) {
	lease := func(s *fixture) string {
		_, version, _ := s.AWS.Parameter(harness.ParameterName("default", "lease"))
		return fmt.Sprintf(`{"run":"other/ABCDEFGH","from":%d,"until":%q,"set":"primary"}`, version, time.Now().Add(40*time.Second).Format(time.RFC3339))
	}

	t.Run("seen in the listing", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			others := lease(s)
			s.AWS.PutParameter(harness.ParameterName("default", "lease"), others)
			state := s.parameter("default", "state")

			r := s.beat()
			r.want("default", rotator.Busy)
			r.wantSent()
			r.wantCalls(map[string]int{"GetParametersByPath": 1})
			if s.parameter("default", "lease") != others || s.parameter("default", "state") != state {
				t.Error("the other run's lease or record was touched")
			}
			if r.err != nil {
				t.Errorf("a busy connection failed the invocation: %v", r.err)
			}
		})
	})

	t.Run("written a moment before ours", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			_, version, _ := s.AWS.Parameter(harness.ParameterName("default", "lease"))
			others := lease(s)
			first := true
			s.AWS.OnCall(func(operation, name string, before bool) {
				if first && before && operation == "PutParameter" {
					first = false
					s.AWS.PutParameter(harness.ParameterName("default", "lease"), others)
				}
			})
			r := s.beat()
			r.want("default", rotator.Busy)
			r.wantSent()

			// The other run records. The lease that the loser wrote must not count
			// after that.
			s.AWS.OnCall(nil)
			record := fmt.Sprintf(`{"published":{"set":"primary","issued_at":%q,"valid_until":%q,"expires_at":%q},"lease_version":%d}`,
				stamp(0), stamp(50*time.Minute), stamp(time.Hour), version+1)
			s.AWS.PutParameter(harness.ParameterName("default", "state"), record)
			for range 3 {
				time.Sleep(time.Minute)
				s.beat().want("default", rotator.NotDue)
			}
			if s.parameter("default", "state") != record {
				t.Error("the other run's record was touched")
			}
		})
	})

	t.Run("whose run never came back", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seed("default", s.credentials())
			s.beat()
			time.Sleep(2 * time.Minute)
			s.AWS.PutParameter(harness.ParameterName("default", "lease"), lease(s))
			s.beat().want("default", rotator.NotDue) // not due, so the lease does not count
			time.Sleep(time.Minute)
			r := s.beat()
			if reason := r.want("default", rotator.Refreshed).Reason; reason != rotator.ReasonLeaseExpired {
				t.Errorf("the reason is %s", reason)
			}
			s.wantWorking("default")
		})
	})
}

// stamp is a time in the form of the state.
func stamp(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
