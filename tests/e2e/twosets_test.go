package e2e_test

import (
	"encoding/json"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// withTwoUsers is a token endpoint that knows a second user.
func withTwoUsers(options fakereltio.Options) fakereltio.Options {
	options.Users = map[string]string{"user-2": password}
	return options
}

// twoSets are credentials with two sets that live on the refresh tokens of two
// users.
func (s *fixture) twoSets() map[string]any {
	_, first := s.Reltio.Login()
	_, second := s.Reltio.LoginAs("user-2")
	return map[string]any{
		"client_id": "client", "client_secret": clientSecret, "refresh_token": first, "owner": "data team",
		"alternate": map[string]any{"client_id": "client", "client_secret": clientSecret, "refresh_token": second, "note": 1.5},
	}
}

// put writes credentials of any shape, as an operator does.
func (s *fixture) put(name string, fields map[string]any) {
	document, _ := json.Marshal(fields)
	s.AWS.PutSecret(harness.SecretName(name, "credentials"), string(document))
}

// hours sends heartbeats and calls each after every one.
func (s *fixture) hours(n float64, each func(r run)) {
	for end := time.Now().Add(time.Duration(n * float64(time.Hour))); time.Now().Before(end); time.Sleep(time.Minute) {
		each(s.beat())
	}
}

// Two sets take turns: each token is replaced at half of its life by the other
// set, no request ends a token before its valid_until, and a token that a job
// reads lives on for almost 26 minutes.
func TestTwoSetsTakeTurns(t *testing.T) {
	for name, options := range map[string]fakereltio.Options{"keeps": {}, "rotates": {RotateRefreshToken: true}} {
		t.Run(name, func(t *testing.T) {
			simulate(t, withTwoUsers(options), func(t *testing.T, s *fixture) {
				s.Add("default")
				s.put("default", s.twoSets())
				refreshes := map[rotator.SetName]int{}
				validUntil := map[string]time.Time{}
				s.hours(12, func(r run) {
					result := r.of("default")
					if result.Outcome == rotator.Refreshed {
						refreshes[result.Set]++
						if calls := r.calls["PutParameter"] + r.calls["GetSecretValue"] + r.calls["PutSecretValue"]; name == "keeps" && calls != 4 {
							t.Errorf("a refresh made %d calls beside the listing: %v", calls, r.calls)
						}
					}
					token, _ := s.Token("default")
					validUntil[token.AccessToken] = token.ValidUntil
					for access, until := range validUntil {
						if time.Now().Before(until) && !s.Reltio.Alive(access) {
							t.Fatalf("a token ended %v before its valid_until", time.Until(until))
						}
					}
					if left := time.Until(token.ExpiresAt); left < 25*time.Minute+50*time.Second {
						t.Errorf("a token that is read lives on for %v", left)
					}
				})
				if refreshes[rotator.Primary] < 11 || refreshes[rotator.Alternate] < 11 {
					t.Errorf("refreshes: %v", refreshes)
				}
				if s.credentialsField("default", "owner") != "data team" || !s.Reltio.RefreshTokenAlive(s.refreshToken("default")) {
					t.Error("the credentials are not what they should be")
				}
			})
		})
	}
}

// While one set is rejected, the other one serves, the heartbeat does not fail,
// and the report names the set.
func TestOneOfTwoSetsIsRejected(t *testing.T) {
	simulate(t, withTwoUsers(fakereltio.Options{}), func(t *testing.T, s *fixture) {
		s.Add("default")
		s.put("default", s.twoSets())
		s.hours(1, func(run) {})
		s.Reltio.Revoke("user-2") // with its tokens: jobs lose the published one
		s.hours(1, func(run) {})
		failing := 0
		s.hours(6, func(r run) {
			result := r.of("default")
			if result.FailingSet == rotator.Alternate {
				failing++
				r.wantMetric("ActionRequired", 1)
				if result.Error != rotator.RefreshTokenRejected || result.Message == "" || r.err != nil {
					t.Fatalf("%+v, %v", result, r.err)
				}
			}
			s.wantWorking("default")
		})
		if failing < 300 {
			t.Errorf("%d of 360 reports name the failing set", failing)
		}
		fields := s.twoSets()
		s.put("default", fields)
		s.hours(1, func(run) {})
		if state := s.State("default"); state.Alternate.Error != "" || state.Primary.Error != "" {
			t.Errorf("new credentials leave the state at %+v", state)
		}
	})
}

// If only alternate is wrong in a document, only that set stops.
func TestABrokenAlternateStopsThatSetAlone(t *testing.T) {
	simulate(t, withTwoUsers(fakereltio.Options{}), func(t *testing.T, s *fixture) {
		s.Add("default")
		fields := s.twoSets()
		good := fields["alternate"]
		fields["alternate"] = map[string]any{"client_id": "client"}
		s.put("default", fields)
		s.hours(2, func(r run) {
			s.wantWorking("default")
			if result := r.of("default"); result.Outcome == rotator.Failed {
				t.Fatalf("%+v", result)
			}
		})
		if state := s.State("default"); state.Alternate.Error != rotator.CredentialsUnread {
			t.Errorf("the state is %+v", state)
		}
		fields["refresh_token"], fields["alternate"] = s.refreshToken("default"), good
		s.put("default", fields)
		s.hours(1, func(run) { s.wantWorking("default") })
		if state := s.State("default"); state.Alternate.Error != "" || state.Alternate.TokenFingerprint == "" {
			t.Errorf("corrected, the state is %+v", state)
		}
	})
}

// An operator adds, removes and exchanges sets in a running connection.
func TestSetsAreAddedTakenAwayAndExchanged(t *testing.T) {
	simulate(t, withTwoUsers(fakereltio.Options{RotateRefreshToken: true}), func(t *testing.T, s *fixture) {
		s.Add("default")
		working := func(run) { s.wantWorking("default") }
		current := func() (fields map[string]any) {
			document, _ := s.AWS.Secret(harness.SecretName("default", "credentials"))
			_ = json.Unmarshal([]byte(document), &fields)
			return fields
		}
		both := s.twoSets()
		alternate := both["alternate"]
		delete(both, "alternate")
		s.put("default", both)
		s.hours(2, working)

		added := current()
		added["alternate"] = alternate
		s.put("default", added)
		s.hours(3, working)
		if s.State("default").Alternate.TokenFingerprint == "" {
			t.Error("the added set was never asked")
		}

		exchanged := current()["alternate"].(map[string]any)
		first := current()
		delete(first, "alternate")
		exchanged["alternate"] = first
		s.put("default", exchanged)
		s.hours(3, working)

		alone := current()
		delete(alone, "alternate")
		s.put("default", alone)
		s.hours(3, working)
		if !s.Reltio.RefreshTokenAlive(s.refreshToken("default")) {
			t.Error("the refresh token in the secret is not accepted")
		}
	})
}

// Two sets are one login: the server gives both the same token.
func TestTwoSetsThatAreOneLogin(t *testing.T) {
	simulate(t, withTwoUsers(fakereltio.Options{}), func(t *testing.T, s *fixture) {
		s.Add("default")
		_, refreshToken := s.Reltio.Login()
		s.put("default", map[string]any{
			"client_id": "client", "client_secret": clientSecret, "refresh_token": refreshToken,
			"alternate": map[string]any{"client_id": "client", "client_secret": clientSecret, "username": "user", "password": password},
		})
		s.hours(4, func(run) { s.wantWorking("default") })
		if state := s.State("default"); state.Alternate.Error != rotator.CredentialsUnread {
			t.Errorf("the state is %+v", state)
		}
	})
}

// A forced refresh with one set does not affect the other one. With unequal lives,
// no token is published that expires before the published one.
func TestForcedRefreshOfOneSet(t *testing.T) {
	simulate(t, withTwoUsers(fakereltio.Options{}), func(t *testing.T, s *fixture) {
		s.Add("default")
		s.put("default", s.twoSets())
		s.hours(2, func(run) {})
		event := forced("default")
		for _, set := range []rotator.SetName{rotator.Alternate, rotator.Primary} {
			event.Set = set
			r := s.invoke(event)
			if result := r.want("default", rotator.Refreshed); result.Set != set || len(r.sent) != 1 {
				t.Errorf("%s: %+v, sent %v", set, result, r.sent)
			}
			s.wantWorking("default")
		}
		s.hours(2, func(run) { s.wantWorking("default") })
	})
}

// The server gives a new token only after the old one has expired. With two sets, no
// job ever reads an expired token.
func TestTwoSetsOnAServerThatGivesTheSameTokenUntilItExpires(t *testing.T) {
	simulate(t, withTwoUsers(fakereltio.Options{SameTokenUntilExpired: true}), func(t *testing.T, s *fixture) {
		s.Add("default")
		s.put("default", s.twoSets())
		s.hours(1, func(run) {})
		s.hours(8, func(run) { s.wantWorking("default") })
	})
}
