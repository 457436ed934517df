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

// An operator writes new credentials during a refresh that changes the refresh
// token. From then on, the operator's credentials are used, whichever of the two
// writes was first.
func TestNewCredentialsDuringARefresh(t *testing.T) {
	for when, hits := range map[string]func(operation, name string, before bool) bool{
		"after the read": func(operation, name string, before bool) bool {
			return operation == "PutParameter" && strings.HasSuffix(name, "/lease") && before
		},
		"just before the save": func(operation, name string, before bool) bool {
			return operation == "PutSecretValue" && strings.HasSuffix(name, "/credentials") && before
		},
		"just after the save": func(operation, name string, before bool) bool {
			return operation == "PutSecretValue" && strings.HasSuffix(name, "/credentials") && !before
		},
		"before the check of the save": func(operation, _ string, before bool) bool {
			return operation == "DescribeSecret" && before
		},
		"after the check of the save": func(operation, _ string, before bool) bool {
			return operation == "DescribeSecret" && !before
		},
		"before the previous version is restored": func(operation, _ string, before bool) bool {
			return operation == "UpdateSecretVersionStage" && before
		},
	} {
		t.Run(when, func(t *testing.T) {
			simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
				s.seeded("default", s.credentials())
				operators := ""
				put := func() {
					s.Reltio.AddRefreshToken("the operator's own")
					operators = s.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": "the operator's own"})
				}
				if when == "before the previous version is restored" {
					// One operator writes before the save, so that there is a
					// version to restore. Another one writes before the restore.
					first := true
					s.AWS.OnCall(func(operation, name string, before bool) {
						switch {
						case first && operation == "PutSecretValue" && before:
							first = false
							s.PutCredentials("default", s.credentials())
						case operators == "" && hits(operation, name, before):
							put()
						}
					})
				} else {
					s.AWS.OnCall(func(operation, name string, before bool) {
						if operators == "" && hits(operation, name, before) {
							put()
						}
					})
				}
				r := s.beat()
				s.AWS.OnCall(nil)
				r.want("default", rotator.Refreshed)
				s.wantWorking("default")
				if operators == "" {
					t.Fatal("the operator wrote nothing")
				}
				if got := s.refreshToken("default"); got != "the operator's own" {
					t.Error("the operator's version is not current")
				}
				time.Sleep(time.Minute)
				r = s.beat()
				if when == "after the check of the save" {
					// No check could see it; it is used at the next refresh.
					r.want("default", rotator.NotDue)
					time.Sleep(untilWindow)
					r = s.beat()
				}
				r.want("default", rotator.Refreshed)
				r.wantSent("refresh_token → 200")
				if r.sent[0].RefreshToken != secret.New("the operator's own").Fingerprint() {
					t.Error("the operator's refresh token was not used")
				}
				s.wantWorking("default")
			})
		})
	}
}

func TestAVerificationThatFailsIsNoReasonForAPendingToken(t *testing.T) {
	simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.AWS.Inject(fakeaws.Fault{Operation: "DescribeSecret", Code: "AccessDeniedException", Times: -1})
		r := s.beat()
		r.want("default", rotator.Refreshed)
		r.wantLogged("WARN", "write them again")
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
		if !strings.Contains(result.Message, "is pending; a later heartbeat saves it") || !strings.Contains(result.Message, "check that the function may write the secret") {
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
		if state := s.State("default"); standing(state) != rotator.CredentialsNotSaved || state.Published.ExpiresAt.Before(time.Now()) {
			t.Errorf("the state is %+v", state)
		}
		if _, ok := pending(s); !ok {
			t.Fatal("there is no pending refresh token")
		}
		time.Sleep(time.Minute)
	}

	t.Run("and is saved when it can be", func(t *testing.T) {
		simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
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
			if state := s.State("default"); state.Primary.Error != "" {
				t.Errorf("the state still says %s", state.Primary.Error)
			}
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
			s.wantWorking("default")
		})
	})
	t.Run("and is used from there when it is due before", func(t *testing.T) {
		simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
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
		simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
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
	t.Run("and is dropped for what an operator writes", func(t *testing.T) {
		simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			unsaved(t, s)
			s.AWS.ClearFaults()
			s.Reltio.AddRefreshToken("the operator's own")
			s.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": "the operator's own"})
			r := s.beat()
			r.want("default", rotator.Restored)
			r.wantLogged("WARN", "is discarded")
			if _, ok := pending(s); ok {
				t.Error("the pending refresh token is still there")
			}
			if s.refreshToken("default") != "the operator's own" {
				t.Error("operators is gone")
			}
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
		})
	})
	t.Run("and is not brought back over its successor when its saving only seemed to fail", func(t *testing.T) {
		simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
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
		simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
			denied("PutParameter", "/pending", "AccessDeniedException")(s)
			r := s.beat()
			result := r.wantFailed("default", rotator.CredentialsNotSaved)
			if !strings.Contains(result.Message, "neither to the credentials secret nor to the pending parameter") || !strings.Contains(result.Message, "log in again") {
				t.Errorf("the message is %s", result.Message)
			}
			s.wantWorking("default") // the token itself was not held up
			r.wantMetric("ActionRequired", 1)
		})
	})
}

func TestATokenThatCannotBePublishedIsWrittenAgainInTheRun(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.AWS.Inject(fakeaws.Fault{Operation: "PutSecretValue", Name: "/token", Code: "InternalServiceError", Times: 10})
		r := s.beat()
		r.want("default", rotator.Refreshed)
		r.wantSent("refresh_token → 200")
		s.wantWorking("default")
	})
}

// An operator moves the connection to another client and returns to the document of the
// first one. Its refresh token was replaced, but not with one of the other client.
func TestReturnToAnEarlierClient(t *testing.T) {
	simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
		first := s.credentials()
		s.seeded("emea", first)
		s.Reltio.SetOptions(func(o *fakereltio.Options) { o.ClientID = "client-2" })
		second := s.credentials()
		second["client_id"] = "client-2"
		s.PutCredentials("emea", second)
		s.beat().want("emea", rotator.Refreshed)
		time.Sleep(untilWindow)
		s.PutCredentials("emea", first)
		s.beat()
		if got := s.refreshToken("emea"); got != first["refresh_token"] {
			t.Errorf("the document of the first client holds the refresh token %q", got)
		}
	})
}
