package e2e_test

import (
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// wantHonest sends heartbeats. It fails if a connection's state says that the token
// is certainly valid, and the server does not accept that token.
func (s *fixture) wantHonest(minutes int) {
	s.t.Helper()
	for range minutes {
		time.Sleep(time.Minute)
		s.beat()
		if p := s.State("default").Published; p.UncertainSince.IsZero() && time.Now().Before(p.ExpiresAt) && !s.Alive("default") {
			s.t.Fatalf("the token is no longer accepted, and the state says %+v", p)
		}
	}
}

// A gateway answers with an error, and the server executes the refresh a moment
// later. The token that this may end becomes uncertain and is replaced in time.
func TestAnErrorWhoseRequestIsExecutedLater(t *testing.T) {
	for _, status := range []int{408, 500, 502, 504, 524} {
		for _, rotates := range []bool{false, true} {
			simulate(t, fakereltio.Options{RotateRefreshToken: rotates}, func(t *testing.T, s *fixture) {
				s.seeded("default", s.loginCredentials())
				s.Reltio.Script(fakereltio.StatusThenExecuted(status, 1500*time.Millisecond))
				r := s.beat()
				r.wantFailed("default", rotator.AnswerLost)
				if len(r.sent) != 1 {
					t.Errorf("%d: sent %v, and again in the same run", status, r.sent)
				}
				if s.State("default").Published.UncertainSince.IsZero() {
					t.Errorf("%d: the token is not uncertain", status)
				}
				s.wantHonest(3)
				s.wantWorking("default")
				if state := s.State("default"); !state.Published.UncertainSince.IsZero() || standing(state) != "" {
					t.Errorf("%d: the state is %+v", status, state)
				}
			})
		}
	}
}

// The server executes the lost request only after the next request has brought a
// token. That token stays uncertain for a minute and is replaced.
func TestATokenObtainedSoonAfterALostAnswerIsUncertain(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.Reltio.Script(fakereltio.StatusThenExecuted(502, 30*time.Second))
		s.beat().wantFailed("default", rotator.AnswerLost)
		time.Sleep(10 * time.Second)
		s.invoke(rotator.Event{Action: rotator.ActionRefresh}).want("default", rotator.Refreshed)
		time.Sleep(30 * time.Second)
		if s.Alive("default") {
			t.Fatal("the lost request has not ended the token")
		}
		s.wantHonest(3)
		s.wantWorking("default")
	})
}

// Three forced refreshes, each executed and answered with 504.
func TestForcedRefreshesThatAreExecutedAndAnsweredWithAnError(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		s.beat()
		time.Sleep(5 * time.Minute)
		for range 3 {
			s.Reltio.Script(fakereltio.ExecutedThenStatus(504))
			s.invoke(forced("default")).wantFailed("default", rotator.AnswerLost)
		}
		s.wantHonest(3)
		s.wantWorking("default")
	})
}

// Three minutes of a gateway's errors are silent: no alarm's metric moves.
func TestAShortOutageOfAnyKindIsSilent(t *testing.T) {
	for _, status := range []int{500, 502, 503, 504} {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			s.always(fakereltio.Status(status))
			for range 3 {
				r := s.beat()
				r.wantMetric("RefreshOverdue", 0)
				r.wantMetric("ActionRequired", 0)
				time.Sleep(time.Minute)
			}
			s.recover()
			for range 3 {
				r := s.beat()
				r.wantMetric("RefreshOverdue", 0)
				time.Sleep(time.Minute)
			}
			s.wantWorking("default")
		})
	}
}

// A login whose answer was lost does not count as a refused login, whatever fails
// after it.
func TestALostLoginIsSentAgainWhateverFailsInBetween(t *testing.T) {
	for name, between := range map[string]fakereltio.Fault{"429": fakereltio.Throttled("1"), "503": fakereltio.StatusRetryAfter(503, "1")} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.seed("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "username": "user", "password": password})
				s.Reltio.Script(fakereltio.AnswerLost())
				s.beat().wantFailed("default", rotator.AnswerLost)
				time.Sleep(time.Minute)
				s.always(between)
				s.beat().want("default", rotator.Failed)
				s.recover()
				time.Sleep(time.Minute)
				s.beat().want("default", rotator.Refreshed)
				s.wantWorking("default")
			})
		})
	}
}

// A refused password is not sent again, although another failure follows.
func TestARefusedPasswordStaysRefusedWhateverFailsAfterIt(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		fields := s.loginCredentials()
		fields["password"] = "wrong"
		s.seeded("default", fields)
		s.Reltio.ExpireRefreshTokens()
		s.beat().wantFailed("default", rotator.LoginRejected)
		s.Reltio.Script(fakereltio.AnswerLost()) // to the refresh token
		s.invoke(forced("default")).wantFailed("default", rotator.AnswerLost)
		for range 90 {
			time.Sleep(time.Minute)
			s.beat()
		}
		if wrong := s.Reltio.WrongPasswords("user"); wrong != 1 {
			t.Errorf("the wrong password was sent %d times", wrong)
		}
	})
}

// An operator edits another field of the credentials during a refresh that changes
// the refresh token. Afterwards the secret has both changes.
func TestAnEditOfAnotherFieldDuringARefreshIsMerged(t *testing.T) {
	for _, before := range []bool{true, false} {
		simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			fields := s.credentials()
			s.seeded("default", fields)
			fields["refresh_token"] = s.refreshToken("default")
			fields["owner"] = "data team"
			edited := false
			s.AWS.OnCall(func(operation, name string, first bool) {
				if operation == "PutSecretValue" && first == before && !edited && strings.HasSuffix(name, "/credentials") {
					edited = true
					s.PutCredentials("default", fields)
				}
			})
			s.beat().want("default", rotator.Refreshed)
			s.AWS.OnCall(nil)
			if got := s.credentialsField("default", "owner"); got != "data team" || !edited {
				t.Errorf("the operator's field is %q (edited: %v)", got, edited)
			}
			if !s.Reltio.RefreshTokenAlive(s.refreshToken("default")) {
				t.Error("the refresh token in the secret is not accepted")
			}
			for range 70 {
				time.Sleep(time.Minute)
				s.beat()
			}
			s.wantWorking("default")
		})
	}
}

// An operator opens the secret before a refresh and saves it afterwards.
func TestAnOlderDocumentSavedOverANewerOne(t *testing.T) {
	simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
		fields := s.credentials()
		s.seed("default", fields)
		s.beat().want("default", rotator.Refreshed)
		time.Sleep(untilWindow)
		s.beat().want("default", rotator.Refreshed)
		fields["owner"] = "data team"
		s.PutCredentials("default", fields) // with the refresh token before the last two
		time.Sleep(untilWindow)
		r := s.beat()
		r.want("default", rotator.Refreshed)
		r.wantSent("refresh_token → 200")
		if got := s.credentialsField("default", "owner"); got != "data team" {
			t.Errorf("the operator's field is %q", got)
		}
		if !s.Reltio.RefreshTokenAlive(s.refreshToken("default")) {
			t.Error("the refresh token in the secret is not accepted")
		}
	})
}

// Each call to AWS takes 3.5 s, and nothing is lost.
func TestSlowAWSLosesNothing(t *testing.T) {
	simulateAWS(t, fakeaws.Options{Latency: 3500 * time.Millisecond}, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		for range 3 {
			s.beat().want("default", rotator.Refreshed)
			s.wantWorking("default")
			if !s.Reltio.RefreshTokenAlive(s.refreshToken("default")) {
				t.Error("the refresh token in the secret is not accepted")
			}
			time.Sleep(untilWindow)
		}
	})
}

// A job whose 401s have another cause reports every token that it gets.
func TestReportsCauseSixRefreshesInThreeHoursAtMost(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		s.beat()
		refused := 0
		for range 100 {
			time.Sleep(61 * time.Second)
			token, _ := s.Token("default")
			r := s.invoke(deadToken("default", secret.New(token.AccessToken).Fingerprint()))
			if result := r.of("default"); result.Error == rotator.TooManyReports {
				refused++
				if result.Outcome != rotator.BackingOff || !result.RetryAt.After(time.Now()) || result.Message == "" {
					t.Fatalf("%+v", result)
				}
				r.wantMetric("ActionRequired", 1)
			}
			s.beat()
		}
		if versions := len(s.AWS.SecretVersions(harness.SecretName("default", "token"))); versions > 12 || refused < 80 {
			t.Errorf("%d versions, %d reports refused", versions, refused)
		}
		s.wantWorking("default")
	})
}

// NoCredentials counts every connection, not only those that the event names.
func TestNoCredentialsCountsEveryConnection(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		s.beat()
		s.Add("emea")
		s.beat().wantMetric("NoCredentials", 1)
		s.invoke(forced("default")).wantMetric("NoCredentials", 1)
	})
}
