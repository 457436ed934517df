package e2e_test

import (
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

func TestReplyToARefresh(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		old, _ := s.Token("default")
		refreshToken := s.refreshToken("default")
		s.beat().want("default", rotator.Refreshed)
		token, _ := s.Token("default")
		if token.AccessToken == old.AccessToken || s.Reltio.Alive(old.AccessToken) {
			t.Error("the old access token should be dead and replaced")
		}
		s.wantWorking("default")
		if s.refreshToken("default") != refreshToken {
			t.Error("the refresh token changed")
		}
	})
}

func TestReplyToARefreshWithoutARefreshTokenInIt(t *testing.T) {
	simulate(t, fakereltio.Options{OmitRefreshToken: true}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		before := s.refreshToken("default")
		for range 3 {
			s.beat().want("default", rotator.Refreshed)
			if s.refreshToken("default") != before {
				t.Fatal("the refresh token is gone")
			}
			time.Sleep(untilWindow)
		}
	})
}

func TestReplyToARefreshThatRotates(t *testing.T) {
	for _, family := range []bool{false, true} {
		simulate(t, fakereltio.Options{RotateRefreshToken: true, RevokeFamilyOnReplay: family}, func(t *testing.T, s *fixture) {
			fields := s.credentials()
			fields["owner"] = "team data"
			s.seed("default", fields)
			before := fields["refresh_token"]
			for range 5 {
				r := s.beat()
				r.want("default", rotator.Refreshed)
				r.wantSent("refresh_token → 200")
				s.wantWorking("default")
				if now := s.refreshToken("default"); now == before {
					t.Fatal("the new refresh token was not saved")
				} else {
					before = now
				}
				document, _ := s.AWS.Secret(harness.SecretName("default", "credentials"))
				if got := decode(t, document)["owner"]; got != "team data" {
					t.Errorf("a field that is not the rotator's became %q", got)
				}
				time.Sleep(untilWindow)
			}
		})
	}
}

func TestReplyToAnUnknownRefreshToken(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		fields := s.credentials()
		fields["refresh_token"] = "never heard of it"
		s.seed("default", fields)
		r := s.beat()
		r.wantFailed("default", rotator.RefreshTokenRejected)
		r.wantSent("refresh_token → 400")
		if _, ok := s.Token("default"); ok {
			t.Error("something was published")
		}
		// There was never a token, so no remaining time is measured. But the
		// connection is overdue.
		if _, ok := r.metrics["TokenSecondsRemaining"]; ok {
			t.Error("TokenSecondsRemaining of a connection that never had a token")
		}
		r.wantMetric("RefreshOverdue", 1)
	})
}

func TestReplyToAnExpiredRefreshToken(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.Reltio.ExpireRefreshTokens()
		s.wantWorking("default")
		r := s.beat()
		r.wantFailed("default", rotator.RefreshTokenRejected)
		r.wantSent("refresh_token → 401")
		if s.Alive("default") || s.State("default").Published.UncertainSince.IsZero() {
			t.Error("the server ended the published token, and the state does not say so")
		}
		r.wantMetric("ActionRequired", 1)
		time.Sleep(5 * time.Minute) // half of the window
		s.beat().wantMetric("RefreshOverdue", 1)
		time.Sleep(55 * time.Minute)
		time.Sleep(time.Minute)
		r = s.beat()
		r.wantFailed("default", rotator.RefreshTokenRejected)
		r.wantSent("refresh_token → 400") // the server has forgotten it by now
	})

	t.Run("where a login is possible", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.loginCredentials())
			s.Reltio.ExpireRefreshTokens()
			r := s.beat()
			r.want("default", rotator.Refreshed)
			r.wantSent("refresh_token → 401", "password → 200")
			s.wantWorking("default")
			time.Sleep(untilWindow)
			s.beat().wantSent("refresh_token → 200") // the login's refresh token was saved
		})
	})
}

func TestReplyToAWrongClient(t *testing.T) {
	for name, change := range map[string]func(map[string]string){
		"secret": func(fields map[string]string) { fields["client_secret"] = "wrong" },
		"id":     func(fields map[string]string) { fields["client_id"] = "wrong" },
		// General OAuth clients form-encode the values before Basic authentication.
		"encoding": func(fields map[string]string) { fields["client_secret"] = "s3c%2Br%2Fe%3Dt%2541+x%3Ay" },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				fields := s.credentials()
				change(fields)
				s.seed("default", fields)
				r := s.beat()
				r.wantFailed("default", rotator.ClientRejected)
				r.wantSent("refresh_token → 401")
			})
		})
	}
}

func TestReplyToAGrantThatIsNotAllowed(t *testing.T) {
	simulate(t, fakereltio.Options{Grants: []string{"refresh_token"}}, func(t *testing.T, s *fixture) {
		s.seed("default", map[string]string{"client_id": "client", "client_secret": clientSecret})
		r := s.beat()
		r.wantFailed("default", rotator.ClientRejected)
		r.wantSent("client_credentials → 401")
	})
}

func TestRepliesInOtherShapes(t *testing.T) {
	simulate(t, fakereltio.Options{LooseShape: true}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.beat().want("default", rotator.Refreshed)
		token, _ := s.Token("default")
		if token.TokenType != "Bearer" || token.Scope != "read write" || token.ExpiresIn != 3598 {
			t.Errorf("published %+v", token)
		}
	})
}

func TestEveryRequestIsAskedForJSON(t *testing.T) {
	// With Accept: text/html, the server's errors are HTML pages without an error
	// code.
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		s.Reltio.Script(fakereltio.OAuthError(400, "invalid_grant", "Invalid refresh token"))
		request := s.beat().sent[0]
		if request.Accept != "application/json" || request.ContentType != "application/x-www-form-urlencoded" || request.Query || !request.PlainBasic {
			t.Errorf("the request was %+v", request)
		}
	})
}

func TestEightRunsAtOnceAreOneRefresh(t *testing.T) {
	// Of the tokens in the answers to eight simultaneous refreshes, some are not
	// accepted.
	for _, rotate := range []bool{false, true} {
		simulate(t, fakereltio.Options{RotateRefreshToken: rotate, RaceWindow: 100 * time.Millisecond}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			before := len(s.Reltio.Requests())
			var running sync.WaitGroup
			for range 8 {
				running.Go(func() {
					if _, err := s.Heartbeat(t); err != nil {
						t.Error(err)
					}
				})
			}
			running.Wait()
			if sent := s.Reltio.Requests()[before:]; len(sent) != 1 {
				t.Errorf("%d token requests: %v", len(sent), sent)
			}
			s.wantWorking("default")
		})
	}
}

func TestTokensAndSecretsOfAnyCharacter(t *testing.T) {
	for name, format := range map[string]fakereltio.TokenFormat{
		"Base64 with + / and =": fakereltio.Base64, "Base64url that begins with -": fakereltio.Base64URL,
	} {
		t.Run(name, func(t *testing.T) {
			// The client secret is s3c+r/e=t%41 x:y, which must go out as it is.
			simulate(t, fakereltio.Options{TokenFormat: format, RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
				fields := s.credentials()
				fields["refresh_token"] = "a+b/c=d%2Be f&g=="
				s.Reltio.AddRefreshToken(fields["refresh_token"])
				s.seed("default", fields)
				for range 3 {
					r := s.beat()
					r.want("default", rotator.Refreshed)
					r.wantSent("refresh_token → 200")
					if !r.sent[0].PlainBasic {
						t.Error("the client secret was changed on its way")
					}
					s.wantWorking("default")
					time.Sleep(untilWindow)
				}
			})
		})
	}
}
