package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	standaws "reltio-token-rotator/tests/standin/aws"
	standreltio "reltio-token-rotator/tests/standin/reltio"
	"reltio-token-rotator/tests/world"
)

func TestAnIdleHeartbeatOfThreeConnectionsIsOneCall(t *testing.T) {
	play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
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
		for _, name := range []string{"Refreshes", "Failures", "Throttles", "Late", "NeedsPerson", "Unseeded"} {
			r.wantMetric(name, 0)
		}
		if values, _ := r.metrics["TokenSecondsRemaining"].([]any); len(values) != 3 {
			t.Errorf("TokenSecondsRemaining is %v, want a value a connection", r.metrics["TokenSecondsRemaining"])
		}
	})
}

func TestARefreshIsFiveCallsAndOneTokenRequest(t *testing.T) {
	play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
		s.seeded("default", s.credentials())
		r := s.beat()
		r.want("default", rotator.Refreshed)
		r.wantSent("refresh_token → 200")
		r.wantCalls(map[string]int{
			"GetParametersByPath": 1,
			"GetSecretValue":      1, // the credentials
			"PutParameter":        2, // claim and record
			"PutSecretValue":      1, // the token
		})
		s.wantWorking("default")
	})
}

func TestAChangedRefreshTokenCostsTwoCallsMore(t *testing.T) {
	play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
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
	playAWS(t, standaws.Options{EmptyPages: true}, standreltio.Options{}, func(t *testing.T, s *stage) {
		for i := range 8 {
			s.seed(fmt.Sprintf("c%d", i), s.credentials())
		}
		s.beat()
		time.Sleep(time.Minute)
		r := s.beat()
		if len(r.report.Connections) != 8 {
			t.Errorf("%d connections of 8 were seen", len(r.report.Connections))
		}
		// 24 parameters, 10 a page, an empty page before each.
		r.wantCalls(map[string]int{"GetParametersByPath": 6})
	})
}

func TestAHeldClaimIsLeftAlone(t *testing.T) {
	claim := func(s *stage) string {
		_, version, _ := s.AWS.Parameter(world.ParameterName("default", "claim"))
		return fmt.Sprintf(`{"run":"other/ABCDEFGH","from":%d,"until":%q}`, version, time.Now().Add(40*time.Second).Format(time.RFC3339))
	}

	t.Run("seen in the listing", func(t *testing.T) {
		play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
			s.seeded("default", s.credentials())
			others := claim(s)
			s.AWS.PutParameter(world.ParameterName("default", "claim"), others)
			state := s.parameter("default", "state")

			r := s.beat()
			r.want("default", rotator.Busy)
			r.wantSent()
			r.wantCalls(map[string]int{"GetParametersByPath": 1})
			if s.parameter("default", "claim") != others || s.parameter("default", "state") != state {
				t.Error("the other run's claim or record was touched")
			}
			if r.err != nil {
				t.Errorf("a busy connection failed the invocation: %v", r.err)
			}
		})
	})

	t.Run("written a moment before ours", func(t *testing.T) {
		play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
			s.seeded("default", s.credentials())
			_, version, _ := s.AWS.Parameter(world.ParameterName("default", "claim"))
			others := claim(s)
			first := true
			s.AWS.OnCall(func(operation, name string, before bool) {
				if first && before && operation == "PutParameter" {
					first = false
					s.AWS.PutParameter(world.ParameterName("default", "claim"), others)
				}
			})
			r := s.beat()
			r.want("default", rotator.Busy)
			r.wantSent()

			// The other run records. What the loser wrote must not outlive that.
			s.AWS.OnCall(nil)
			record := fmt.Sprintf(`{"expires_at":%q,"refreshed_at":%q,"claim_version":%d}`,
				time.Now().Add(time.Hour).UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339), version+1)
			s.AWS.PutParameter(world.ParameterName("default", "state"), record)
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
		play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
			s.seed("default", s.credentials())
			s.beat()
			time.Sleep(2 * time.Minute)
			s.AWS.PutParameter(world.ParameterName("default", "claim"), claim(s))
			s.beat().want("default", rotator.NotDue) // not due, so nobody asks who holds it
			time.Sleep(time.Minute)
			r := s.beat()
			if reason := r.want("default", rotator.Refreshed).Reason; reason != rotator.ReasonClaimLapsed {
				t.Errorf("the reason is %s", reason)
			}
			s.wantWorking("default")
		})
	})
}
