package e2e_test

import (
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// Each response that the server library was seen to send, through a whole refresh.

func TestReplyToAFirstLogin(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "username": "user", "password": password})
		sent := time.Now()
		r := s.beat()
		r.want("default", rotator.Refreshed)
		r.wantSent("password → 200")
		token, _ := s.Token("default")
		want := harness.Token{
			AccessToken: token.AccessToken, TokenType: "bearer", Scope: "read write", ExpiresIn: 3598,
			IssuedAt: sent.UTC(), ExpiresAt: sent.Add(3598 * time.Second).UTC(),
			ValidUntil: s.State("default").Published.ValidUntil,
		}
		if window := token.ExpiresAt.Sub(token.ValidUntil); token != want || window < 10*time.Minute || window > 12*time.Minute {
			t.Errorf("published %+v, want %+v", token, want)
		}
		s.wantWorking("default")
		if s.refreshToken("default") == "" {
			t.Error("the login's refresh token was not saved")
		}
		if state := s.State("default"); state.Primary.GrantType != rotator.GrantTypePassword || state.Primary.Login != (rotator.Login{}) || !state.Primary.CanLogIn {
			t.Errorf("the state is %+v", state)
		}

		// From then on the refresh token is used.
		time.Sleep(untilWindow)
		s.beat().wantSent("refresh_token → 200")
	})
}

func TestReplyToALoginWhileTheTokenLives(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.loginCredentials())
		expiry := s.State("default").Published.ExpiresAt
		s.Reltio.Script(fakereltio.OAuthError(400, "invalid_grant", "Invalid refresh token"))
		r := s.beat()
		r.want("default", rotator.Unchanged)
		r.wantSent("refresh_token → 400 (invalid_grant)", "password → 200")
		if r.calls["PutSecretValue"] > 0 {
			t.Error("the published token was published or saved once more")
		}
		if state := s.State("default"); state.Published.ExpiresAt.After(expiry) || !state.Published.Unchanged || state.Primary.Login != (rotator.Login{}) {
			t.Errorf("the state is %+v", state)
		}
		s.wantNothingUntil("default", expiry.Add(time.Second))
	})
}

// wantNothingUntil sends heartbeats and checks that there is no token request before
// t, and one at t.
func (s *fixture) wantNothingUntil(name string, at time.Time) {
	s.t.Helper()
	for {
		time.Sleep(time.Minute)
		r := s.beat()
		if len(r.sent) == 0 {
			if time.Now().After(at) {
				s.t.Fatalf("nothing was asked by %v", at)
			}
			continue
		}
		if first := r.sent[0].At; first.Before(at) || first.After(at.Add(2*time.Second)) {
			s.t.Errorf("asked again at %v, want %v", first, at)
		}
		r.want(name, rotator.Refreshed)
		s.wantWorking(name)
		return
	}
}

func TestReplyToALoginAfterTheTokenExpired(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.loginCredentials())
		before := s.refreshToken("default")
		time.Sleep(15 * time.Minute) // no heartbeat came meanwhile
		s.Reltio.Script(fakereltio.OAuthError(400, "invalid_grant", "Invalid refresh token"))
		r := s.beat()
		r.want("default", rotator.Refreshed)
		r.wantSent("refresh_token → 400 (invalid_grant)", "password → 200")
		s.wantWorking("default")
		if s.refreshToken("default") != before || r.calls["PutSecretValue"] != 1 {
			t.Error("the same refresh token was saved once more")
		}
	})
}

func TestReplyToALoginWithADeadRefreshToken(t *testing.T) {
	// The access token lives and its refresh token has expired. A login returns
	// both.
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.loginCredentials())
		s.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "username": "user", "password": password})
		s.Reltio.ExpireRefreshTokens()
		r := s.beat()
		r.want("default", rotator.Unchanged)
		r.wantSent("password → 200")
		s.wantWorking("default")

		// The rotator learns that it has expired only by using it. Then a login
		// brings a new one.
		time.Sleep(15 * time.Minute)
		r = s.beat()
		r.want("default", rotator.Refreshed)
		r.wantSent("refresh_token → 401", "password → 200")
		s.wantWorking("default")
		time.Sleep(untilWindow)
		r = s.beat()
		r.wantSent("refresh_token → 200")
		s.wantWorking("default")
	})
}

func TestReplyToAWrongPassword(t *testing.T) {
	// Here invalid_grant is about the login. In the answer to a refresh it is about
	// the refresh token.
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		fields := s.loginCredentials()
		fields["password"], fields["refresh_token"] = "wrong", ""
		s.seed("default", fields)
		r := s.beat()
		r.wantFailed("default", rotator.LoginRejected)
		r.wantSent("password → 400")
		for range 24 * 60 {
			time.Sleep(time.Minute)
			r := s.beat()
			r.want("default", rotator.BackingOff)
			r.wantSent()
		}
		fields["password"] = password
		s.PutCredentials("default", fields)
		r = s.beat()
		r.want("default", rotator.Refreshed)
		r.wantSent("password → 200")
	})
}

func TestReplyToALoginThatAsksForASecondFactor(t *testing.T) {
	simulate(t, fakereltio.Options{MFA: true}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.loginCredentials())
		s.Reltio.Script(fakereltio.OAuthError(400, "invalid_grant", "Invalid refresh token"))
		r := s.beat()
		r.wantFailed("default", rotator.LoginRejected)
		r.wantSent("refresh_token → 400 (invalid_grant)", "password → 200")
		r.wantMetric("ActionRequired", 1)
	})
}

func TestReplyToClientCredentials(t *testing.T) {
	t.Run("gives the same token until its end", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seeded("default", clientOnly())
			expiry := s.State("default").Published.ExpiresAt
			r := s.beat()
			r.want("default", rotator.Unchanged)
			r.wantSent("client_credentials → 200")
			s.wantNothingUntil("default", expiry.Add(time.Second))
			if document, _ := s.AWS.Secret(harness.SecretName("default", "credentials")); decode(t, document)["refresh_token"] != nil {
				t.Error("a refresh token appeared")
			}
		})
	})
	t.Run("gives a new one early where Multi Token Support is on", func(t *testing.T) {
		simulate(t, fakereltio.Options{MultiToken: true}, func(t *testing.T, s *fixture) {
			s.seeded("default", clientOnly())
			r := s.beat()
			r.want("default", rotator.Refreshed)
			r.wantSent("client_credentials → 200")
			s.wantWorking("default")
		})
	})
}

func TestOneLoginACredentialsVersionUntilOneSucceeds(t *testing.T) {
	// Accounts get locked.
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		fields := s.loginCredentials()
		fields["password"] = "wrong"
		s.seeded("default", fields)
		s.Reltio.Script(fakereltio.OAuthError(400, "invalid_grant", ""))
		r := s.beat()
		r.wantFailed("default", rotator.LoginRejected)
		r.wantSent("refresh_token → 400 (invalid_grant)", "password → 400")

		// The server had rejected the refresh token by mistake, and does so again.
		s.invoke(forced("default")).want("default", rotator.Refreshed)
		time.Sleep(untilWindow)
		s.Reltio.Script(fakereltio.OAuthError(400, "invalid_grant", ""))
		r = s.beat()
		r.wantFailed("default", rotator.LoginRejected)
		r.wantSent("refresh_token → 400 (invalid_grant)")

		fields["password"] = password
		s.PutCredentials("default", fields)
		s.Reltio.Script(fakereltio.OAuthError(400, "invalid_grant", ""))
		time.Sleep(time.Minute)
		r = s.beat()
		r.wantSent("refresh_token → 400 (invalid_grant)", "password → 200")
		if state := s.State("default"); state.Primary.Error != "" || state.Primary.Login != (rotator.Login{}) {
			t.Errorf("the state is %+v", state)
		}
	})
}

func TestALoginThatWasNotExecutedIsNoLogin(t *testing.T) {
	for name, fault := range map[string]fakereltio.Fault{
		"429": fakereltio.Throttled(""), "503": fakereltio.StatusRetryAfter(503, "0"),
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				fields := s.loginCredentials()
				fields["refresh_token"] = ""
				s.seed("default", fields)
				s.always(fault)
				for range 3 {
					if got := s.beat().want("default", rotator.Failed).Error; got == rotator.LoginRejected {
						t.Errorf("it counts as %s", got)
					}
					time.Sleep(time.Minute)
				}
				s.recover()
				s.beat().want("default", rotator.Refreshed)
			})
		})
	}
}

func TestALoginWhoseAnswerIsLostIsTriedOnceMoreThenHourly(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		fields := s.loginCredentials()
		fields["refresh_token"] = ""
		s.seed("default", fields)
		s.always(fakereltio.AnswerLost())
		begun := time.Now()
		var minutes []int
		for minute := range 2*60 + 5 {
			time.Sleep(time.Until(begun.Add(time.Duration(minute) * time.Minute)))
			if r := s.beat(); len(r.sent) > 0 {
				r.wantFailed("default", rotator.AnswerLost)
				minutes = append(minutes, minute)
			}
		}
		if len(minutes) < 3 || len(minutes) > 4 || minutes[0] != 0 || minutes[1] != 1 || minutes[2] < 60 {
			t.Errorf("logged in at the minutes %v", minutes)
		}
	})
}

// An operator who corrects a password does not wait for the hour.
func TestNewCredentialsAllowALoginBeforeItsHour(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(_ *testing.T, s *fixture) {
		fields := s.loginCredentials()
		fields["refresh_token"] = ""
		s.seed("default", fields)
		s.always(fakereltio.AnswerLost())
		for range 3 {
			s.beat()
			time.Sleep(time.Minute)
		}
		s.recover()
		s.beat().wantSent()
		s.PutCredentials("default", fields)
		time.Sleep(time.Minute)
		s.beat().want("default", rotator.Refreshed)
	})
}
