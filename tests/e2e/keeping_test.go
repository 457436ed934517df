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

// A person puts new credentials while a refresh with a changing refresh token is
// under way. Theirs must be what is used from then on, whoever was faster.
func TestAPersonPutsNewCredentialsDuringARefresh(t *testing.T) {
	for when, hits := range map[string]func(operation, name string, before bool) bool{
		"after our read": func(operation, name string, before bool) bool {
			return operation == "PutParameter" && strings.HasSuffix(name, "/lease") && before
		},
		"just before our write": func(operation, name string, before bool) bool {
			return operation == "PutSecretValue" && strings.HasSuffix(name, "/credentials") && before
		},
		"just after our write": func(operation, name string, before bool) bool {
			return operation == "PutSecretValue" && strings.HasSuffix(name, "/credentials") && !before
		},
		"before our look at whom we replaced": func(operation, _ string, before bool) bool {
			return operation == "DescribeSecret" && before
		},
		"after that look": func(operation, _ string, before bool) bool {
			return operation == "DescribeSecret" && !before
		},
		"before theirs is given back": func(operation, _ string, before bool) bool {
			return operation == "UpdateSecretVersionStage" && before
		},
	} {
		t.Run(when, func(t *testing.T) {
			play(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
				s.seeded("default", s.credentials())
				theirs := ""
				put := func() {
					s.Reltio.AddRefreshToken("a person's very own")
					theirs = s.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": "a person's very own"})
				}
				if when == "before theirs is given back" {
					// One person before our write, so that there is something to
					// give back, another before that.
					first := true
					s.AWS.OnCall(func(operation, name string, before bool) {
						switch {
						case first && operation == "PutSecretValue" && before:
							first = false
							s.PutCredentials("default", s.credentials())
						case theirs == "" && hits(operation, name, before):
							put()
						}
					})
				} else {
					s.AWS.OnCall(func(operation, name string, before bool) {
						if theirs == "" && hits(operation, name, before) {
							put()
						}
					})
				}
				r := s.beat()
				s.AWS.OnCall(nil)
				r.want("default", rotator.Refreshed)
				s.wantWorking("default")
				if theirs == "" {
					t.Fatal("the person was never there")
				}
				if got := s.refreshToken("default"); got != "a person's very own" {
					t.Error("theirs is not current")
				}
				time.Sleep(time.Minute)
				r = s.beat()
				if when == "after that look" {
					// Nobody could know; theirs serves the next refresh.
					r.want("default", rotator.NotDue)
					time.Sleep(untilWindow)
					r = s.beat()
				}
				r.want("default", rotator.Refreshed)
				r.wantSent("refresh_token → 200")
				if r.sent[0].RefreshToken != secret.New("a person's very own").Fingerprint() {
					t.Error("theirs was not used")
				}
				s.wantWorking("default")
			})
		})
	}
}

func TestAVerificationThatFailsIsNoReasonForAPendingToken(t *testing.T) {
	play(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.AWS.Inject(fakeaws.Fault{Operation: "DescribeSecret", Code: "AccessDeniedException", Times: -1})
		r := s.beat()
		r.want("default", rotator.Refreshed)
		r.wantLogged("WARN", "put them again")
		if _, _, there := s.AWS.Parameter(harness.ParameterName("default", "pending")); there {
			t.Error("there is a pending refresh token")
		}
		s.wantWorking("default")
		time.Sleep(untilWindow)
		s.AWS.ClearFaults()
		s.beat().want("default", rotator.Refreshed)
	})
}

func TestARefreshTokenThatCannotBeSavedIsPending(t *testing.T) {
	pending := func(s *fixture) (string, bool) {
		value, _, ok := s.AWS.Parameter(harness.ParameterName("default", "pending"))
		return value, ok
	}
	unsaved := func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
		begun := time.Now()
		r := s.beat()
		result := r.wantFailed("default", rotator.CredentialsNotSaved)
		if !strings.Contains(result.Message, "is kept pending") || !strings.Contains(result.Message, "check that the function may write the secret") {
			t.Errorf("the message is %s", result.Message)
		}
		r.wantSent("refresh_token → 200")
		r.wantMetric("ActionRequired", 1)
		if r.level() != "ERROR" {
			t.Errorf("logged as %s", r.level())
		}
		s.wantWorking("default")
		token, _ := s.Token("default")
		if !token.IssuedAt.After(begun.Add(-time.Second)) {
			t.Error("the granted token was not published")
		}
		if state := s.State("default"); state.Error != rotator.CredentialsNotSaved || state.ExpiresAt.Before(time.Now()) {
			t.Errorf("the state is %+v", state)
		}
		if _, ok := pending(s); !ok {
			t.Fatal("there is no pending refresh token")
		}
		time.Sleep(time.Minute)
	}

	t.Run("and is saved when it can be", func(t *testing.T) {
		play(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			unsaved(t, s)
			s.beat().wantFailed("default", rotator.CredentialsNotSaved) // still denied
			s.AWS.ClearFaults()
			time.Sleep(time.Minute)
			r := s.beat()
			r.want("default", rotator.Restored)
			r.wantSent()
			if _, ok := pending(s); ok {
				t.Error("the pending refresh token is still there")
			}
			if state := s.State("default"); state.Error != "" {
				t.Errorf("the state still says %s", state.Error)
			}
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
			s.wantWorking("default")
		})
	})
	t.Run("and is used from there when it is due before", func(t *testing.T) {
		play(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			unsaved(t, s)
			time.Sleep(untilWindow)
			r := s.beat()
			r.wantFailed("default", rotator.CredentialsNotSaved)
			r.wantSent("refresh_token → 200")
			s.wantWorking("default")
			s.AWS.ClearFaults()
			time.Sleep(untilWindow)
			r = s.beat()
			r.want("default", rotator.Refreshed)
			r.wantSent("refresh_token → 200")
			if _, ok := pending(s); ok {
				t.Error("the pending refresh token is still there")
			}
		})
	})
	t.Run("and is dropped when its successor is saved", func(t *testing.T) {
		play(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			unsaved(t, s)
			s.AWS.ClearFaults()
			time.Sleep(untilWindow)
			s.AWS.Inject(fakeaws.Fault{Operation: "PutSecretValue", Name: "/credentials", Code: "AccessDeniedException"}) // once
			r := s.beat()
			r.want("default", rotator.Refreshed)
			r.wantSent("refresh_token → 200")
			if _, ok := pending(s); ok {
				t.Error("the pending refresh token is still there")
			}
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
			s.wantWorking("default")
		})
	})
	t.Run("and gives way to what a person puts", func(t *testing.T) {
		play(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			unsaved(t, s)
			s.AWS.ClearFaults()
			s.Reltio.AddRefreshToken("a person's very own")
			s.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": "a person's very own"})
			r := s.beat()
			r.want("default", rotator.Restored)
			r.wantLogged("WARN", "is given up")
			if _, ok := pending(s); ok {
				t.Error("the pending refresh token is still there")
			}
			if s.refreshToken("default") != "a person's very own" {
				t.Error("theirs is gone")
			}
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
		})
	})
	t.Run("and is not brought back over its successor when its saving only seemed to fail", func(t *testing.T) {
		play(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			unsaved(t, s)
			s.AWS.ClearFaults()
			s.AWS.Inject(fakeaws.Fault{Operation: "PutSecretValue", Name: "/credentials", When: fakeaws.After, Times: 3}) // every attempt of the SDK
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
			s.wantWorking("default")
		})
	})
	t.Run("unless that fails too", func(t *testing.T) {
		play(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
			denied("PutParameter", "/pending", "AccessDeniedException")(s)
			r := s.beat()
			result := r.wantFailed("default", rotator.CredentialsNotSaved)
			if !strings.Contains(result.Message, "neither to the credentials secret nor pending") || !strings.Contains(result.Message, "log in again") {
				t.Errorf("the message is %s", result.Message)
			}
			s.wantWorking("default") // the token itself was not held up
			r.wantMetric("ActionRequired", 1)
		})
	})
}

func TestAGrantedTokenThatCannotBePublishedIsWrittenAgainInTheRun(t *testing.T) {
	play(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.AWS.Inject(fakeaws.Fault{Operation: "PutSecretValue", Name: "/token", Code: "InternalServiceError", Times: 10})
		r := s.beat()
		r.want("default", rotator.Refreshed)
		r.wantSent("refresh_token → 200")
		s.wantWorking("default")
	})
}
