package e2e_test

import (
	"encoding/json"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

func TestSameTokenUntilExpired(t *testing.T) {
	simulate(t, fakereltio.Options{SameTokenUntilExpired: true, Latency: 100 * time.Millisecond}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		before, _ := s.Token("default")
		expiry := s.State("default").Published.ExpiresAt
		r := s.beat()
		r.want("default", rotator.Unchanged)
		r.wantSent("refresh_token → 200")
		if r.calls["PutSecretValue"] > 0 {
			t.Error("the published token was published once more")
		}
		state := s.State("default")
		if !state.Published.Unchanged || state.Published.ExpiresAt.After(expiry) || state.Primary.Error != "" {
			t.Errorf("the state is %+v, want its end unmoved from %v", state, expiry)
		}
		r.wantMetric("RefreshOverdue", 0)
		r.wantMetric("Refreshes", 0)
		s.wantNothingUntil("default", expiry.Add(time.Second))
		if after, _ := s.Token("default"); after.AccessToken == before.AccessToken {
			t.Error("the token is still the same")
		}
	})

	t.Run("and RefreshOverdue counts it", func(t *testing.T) {
		simulate(t, fakereltio.Options{SameTokenUntilExpired: true}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			s.beat().want("default", rotator.Unchanged)
			// The expiry in the state is earlier than the one at the server.
			var state map[string]any
			_ = json.Unmarshal([]byte(s.parameter("default", "state")), &state)
			published := state["published"].(map[string]any)
			published["valid_until"] = time.Now().UTC().Format(time.RFC3339)
			published["expires_at"] = time.Now().Add(30 * time.Second).UTC().Format(time.RFC3339)
			document, _ := json.Marshal(state)
			s.AWS.PutParameter(harness.ParameterName("default", "state"), string(document))
			r := s.beat()
			r.want("default", rotator.Unchanged)
			if len(r.sent) != 6 {
				t.Errorf("asked %d times, want once and 5 times more", len(r.sent))
			}
			for i := range len(r.sent) - 1 {
				if pause := r.sent[i+1].At.Sub(r.sent[i].At); pause < time.Second || pause > 1100*time.Millisecond {
					t.Errorf("pause %d was %v, want a second", i, pause)
				}
			}
			s.wantWorking("default")
		})
	})

	t.Run("and changes the refresh token each time", func(t *testing.T) {
		// A refresh token that is not saved yet must not be spent by another
		// request.
		simulate(t, fakereltio.Options{SameTokenUntilExpired: true, RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			s.seed("default", s.credentials())
			for range 5 * 60 {
				if outcome := s.beat().of("default").Outcome; outcome == rotator.Failed {
					t.Fatalf("failed at %v", time.Now())
				}
				time.Sleep(time.Minute)
			}
		})
	})

	t.Run("and fails at that moment", func(t *testing.T) {
		simulate(t, fakereltio.Options{SameTokenUntilExpired: true, Latency: 100 * time.Millisecond}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			s.beat().want("default", rotator.Unchanged)
			time.Sleep(time.Until(s.State("default").Published.ExpiresAt.Add(-30 * time.Second)))
			s.always(fakereltio.StatusRetryAfter(503, "0"))
			s.beat().wantFailed("default", rotator.ServerError)
			s.recover()
			time.Sleep(time.Minute)
			s.beat().want("default", rotator.Refreshed)
			s.wantWorking("default")
		})
	})
}

func TestAnOverdueRefreshIsCounted(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		expiry := s.State("default").Published.ExpiresAt
		s.always(fakereltio.StatusRetryAfter(503, "0"))
		for _, left := range []time.Duration{7 * time.Minute, 5*time.Minute + time.Second, 4 * time.Minute, 10 * time.Second, -time.Minute} {
			time.Sleep(time.Until(expiry.Add(-left)))
			r := s.beat()
			left = time.Until(expiry)
			late := 0.0
			if left < 5*time.Minute { // half of the window
				late = 1
			}
			r.wantMetric("RefreshOverdue", late)
			values, _ := r.metrics["TokenSecondsRemaining"].([]any)
			if want := left.Truncate(time.Second).Seconds(); len(values) != 1 || values[0] != want {
				t.Errorf("TokenSecondsRemaining is %v, want %v", values, want)
			}
			if got := *r.of("default").SecondsRemaining; got != int64(left/time.Second) {
				t.Errorf("seconds_remaining is %d, want %v", got, left)
			}
		}
	})
}

func TestTheAgeOfTheRefreshToken(t *testing.T) {
	age := func(r run) any {
		values, _ := r.metrics["RefreshTokenAgeDays"].([]any)
		if len(values) != 1 {
			return nil
		}
		return values[0]
	}
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		time.Sleep(24 * time.Hour) // the secret was there before the stack's first run
		s.beat()
		time.Sleep(24 * time.Hour)
		if got, _ := age(s.beat()).(float64); got < 2 || got > 2.01 {
			t.Errorf("it is %v days old, want 2", got)
		}
		// The age of a refresh token does not start again when it is written again.
		s.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": s.refreshToken("default")})
		s.invoke(forced("default")).want("default", rotator.Refreshed)
		if got, _ := age(s.beat()).(float64); got < 2 || got > 2.01 {
			t.Errorf("it is %v days old, want 2", got)
		}
		fields := s.loginCredentials()
		s.PutCredentials("default", fields)
		s.invoke(forced("default")).want("default", rotator.Refreshed)
		if got := age(s.beat()); got != nil {
			t.Errorf("one that can log in has nothing to fear of age, but it is %v", got)
		}
	})
}

func TestWhatCertainlyWasNotExecutedIsRepeatedInTheRun(t *testing.T) {
	for name, row := range map[string]struct {
		script    []fakereltio.Fault
		sent      []string
		throttles float64
	}{
		"after 429 and 503": {
			[]fakereltio.Fault{fakereltio.Throttled("2"), fakereltio.StatusRetryAfter(503, "0")},
			[]string{"refresh_token → 429 (throttled)", "refresh_token → 503 (status 503)", "refresh_token → 200"},
			1,
		},
		"after a 503 that says when": {
			[]fakereltio.Fault{fakereltio.StatusRetryAfter(503, "5")},
			[]string{"refresh_token → 503 (status 503)", "refresh_token → 200"},
			0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.seeded("default", s.credentials())
				s.Reltio.Script(row.script...)
				r := s.beat()
				r.want("default", rotator.Refreshed)
				r.wantSent(row.sent...)
				r.wantMetric("Throttles", row.throttles)
				r.wantMetric("Failures", 0)
				s.wantWorking("default")
			})
		})
	}
}
