package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// leastLeft is how long a token must live at least after a job has read it, once the
// other set has begun to fail. The valid_until of a token that was published before
// is two heartbeats before its expiry.
const leastLeft = 90 * time.Second

// While one set is rejected, the other one serves, and jobs that end before
// valid_until notice nothing. A correction ends the error.
func TestARejectedSetBesideOneThatServes(t *testing.T) {
	for _, user := range []string{"user", second} {
		t.Run(user, func(t *testing.T) {
			twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				jobs := held{}
				s.live(jobs, 100, 26*time.Minute, nil)
				s.Reltio.Revoke(user)
				if !s.Alive("default") { // a revocation ends the user's own token
					s.invoke(rotator.Event{Action: rotator.ActionRefresh, Connections: []string{"default"}, DeadToken: s.State("default").Published.Fingerprint})
				}
				clear(jobs)
				failing := rotator.Primary
				if user == second {
					failing = rotator.Alternate
				}
				rejected := 0
				s.live(jobs, 6*60, leastLeft, func(result rotator.Result, r run) {
					for _, request := range r.sent {
						if request.Status == http.StatusBadRequest {
							rejected++
						}
					}
					if rejected > 0 && result.Outcome != rotator.BackingOff && (result.FailingSet != failing || result.Error != rotator.RefreshTokenRejected) {
						t.Errorf("%+v", result)
					}
					if rejected > 0 {
						r.wantMetric("ActionRequired", 1)
					}
					if r.err != nil {
						t.Errorf("the invocation failed: %v", r.err)
					}
				})
				if rejected < 4 || rejected > 6 {
					t.Errorf("the rejected set was asked %d times in 6 h, want at most once an hour", rejected)
				}
				primary, alternate := s.sets()
				if fresh := s.credentialsOf(user); user == second {
					alternate = fresh
				} else {
					primary = fresh
				}
				s.putTwo(primary, alternate)
				published := map[rotator.SetName]bool{}
				s.live(jobs, 2*60, 5*time.Minute, func(result rotator.Result, _ run) { published[result.Set] = true })
				if r := s.beat(); r.of("default").FailingSet != "" || !published[failing] {
					t.Errorf("after the correction: %+v, published %v", r.of("default"), published)
				}
			})
		})
	}
}

func TestOneOfTwoSetsIsBroken(t *testing.T) {
	for _, alternate := range []string{`"a text"`, `{"client_id":"client"}`, `{"client_id":7,"client_secret":"x"}`} {
		t.Run(alternate, func(t *testing.T) {
			twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				fields := s.credentials()
				s.AWS.PutSecret(harness.SecretName("default", "credentials"), fmt.Sprintf(`{"client_id":"client","client_secret":%q,"refresh_token":%q,"alternate":%s}`,
					clientSecret, fields["refresh_token"], alternate))
				r := s.beat()
				result := r.want("default", rotator.Refreshed)
				if result.FailingSet != rotator.Alternate || result.Error != rotator.CredentialsUnread {
					t.Errorf("%+v", result)
				}
				r.wantMetric("ActionRequired", 1)
				s.live(held{}, 3*60, 9*time.Minute, nil)
				primary, _ := s.sets()
				s.putTwo(primary, s.credentialsOf(second))
				s.live(held{}, 60, leastLeft, nil)
				if state := s.State("default"); state.Alternate.Error != "" || state.Alternate.TokenFingerprint == "" {
					t.Errorf("corrected, the state is %+v", state)
				}
			})
		})
	}
}

func TestAThrottleHoldsBothSets(t *testing.T) {
	twoSets(t, fakereltio.Options{}, func(_ *testing.T, s *fixture) {
		s.beat()
		time.Sleep(35 * time.Minute)
		s.Reltio.Script(fakereltio.Throttled("240"))
		r := s.beat()
		r.wantSent("refresh_token → 429 (throttled)")
		r.wantMetric("Throttles", 1)
		for range 3 {
			time.Sleep(time.Minute)
			s.beat().wantSent()
		}
		time.Sleep(2 * time.Minute)
		s.beat().want("default", rotator.Refreshed)
	})
}

// The lost request may have ended the resting set's last token, but not the
// published one.
func TestALostAnswerOfTheRestingSet(t *testing.T) {
	twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.beat()
		time.Sleep(35 * time.Minute)
		s.Reltio.Script(fakereltio.ExecutedThenStatus(504))
		r := s.beat()
		if result := r.of("default"); result.FailingSet != rotator.Alternate || result.Error != rotator.AnswerLost || r.err != nil {
			t.Errorf("%+v, %v", result, r.err)
		}
		if !s.State("default").Published.UncertainSince.IsZero() {
			t.Error("the published token is uncertain")
		}
		time.Sleep(time.Minute)
		if result := s.beat().want("default", rotator.Refreshed); result.Set != rotator.Alternate {
			t.Errorf("%+v", result)
		}
	})
}

// From valid_until on, the set that obtained the published token is asked too, in
// the same run.
func TestFromValidUntilOnBothSetsAreAsked(t *testing.T) {
	twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.beat()
		token, _ := s.Token("default")
		time.Sleep(time.Until(token.ValidUntil) + time.Second)
		s.Reltio.Script(fakereltio.Status(500))
		r := s.beat()
		r.wantSent("refresh_token → 500 (status 500)", "refresh_token → 200")
		if result := r.want("default", rotator.Refreshed); result.Set != rotator.Primary || result.FailingSet != rotator.Alternate {
			t.Errorf("%+v", result)
		}
		s.wantWorking("default")
	})
}

func TestASetThatFailsForTwoHoursNeedsAnOperator(t *testing.T) {
	simulate(t, fakereltio.Options{MultiToken: true, Clients: map[string]string{"other": clientSecret}}, func(_ *testing.T, s *fixture) {
		failing := false
		s.Host(tokenHost, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if id, _, _ := r.BasicAuth(); id == "other" && failing {
				http.Error(w, "", http.StatusServiceUnavailable)
				return
			}
			s.Reltio.ServeHTTP(w, r)
		}))
		s.Add("default")
		primary := map[string]any{"client_id": "client", "client_secret": clientSecret}
		s.putTwo(primary, map[string]any{"client_id": "other", "client_secret": clientSecret})
		s.beat()
		failing = true
		time.Sleep(35 * time.Minute)
		s.beat().wantMetric("ActionRequired", 0)
		s.live(held{}, 118, leastLeft, nil)
		s.beat().wantMetric("ActionRequired", 0)
		time.Sleep(3 * time.Minute)
		s.beat().wantMetric("ActionRequired", 1)
	})
}

// Two sets of one user do not send a refused password twice.
func TestALoginIsSharedByUsername(t *testing.T) {
	simulate(t, fakereltio.Options{Clients: map[string]string{"other": clientSecret}}, func(t *testing.T, s *fixture) {
		s.Add("default")
		login := func(client string) map[string]any {
			return map[string]any{"client_id": client, "client_secret": clientSecret, "username": "user", "password": "p4ss, a wrong one"}
		}
		s.putTwo(login("client"), login("other"))
		logins := 0
		for range 3 * 60 {
			for _, request := range s.beat().sent {
				if request.GrantType == "password" {
					logins++
				}
			}
			time.Sleep(time.Minute)
		}
		if logins != 1 {
			t.Errorf("the refused password was sent %d times", logins)
		}
	})
}

// A run that was killed leaves a lease that names the set of its token request.
func TestAKilledRunOfTheRestingSet(t *testing.T) {
	for _, set := range []rotator.SetName{rotator.Primary, rotator.Alternate} {
		t.Run(string(set), func(t *testing.T) {
			twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.beat()
				time.Sleep(5 * time.Minute)
				name := harness.ParameterName("default", "lease")
				_, version, _ := s.AWS.Parameter(name)
				s.AWS.PutParameter(name, fmt.Sprintf(`{"run":"other/ABCDEFGH","from":%d,"until":%q,"set":%q}`, version, time.Now().Add(-time.Second).Format(time.RFC3339), set))
				result := s.beat().want("default", rotator.Refreshed)
				if result.Set != rotator.Alternate || result.Reason != rotator.ReasonLeaseExpired {
					t.Errorf("%+v", result)
				}
			})
		})
	}
}

// Two sets are one login: the server gives both the same token.
func TestTwoSetsThatAreOneLogin(t *testing.T) {
	twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		primary, _ := s.sets()
		s.putTwo(primary, map[string]any{"client_id": "client", "client_secret": clientSecret, "username": "user", "password": password})
		s.hours(4, func(run) { s.wantWorking("default") })
		if state := s.State("default"); state.Alternate.Error != rotator.CredentialsUnread {
			t.Errorf("the state is %+v", state)
		}
	})
}
