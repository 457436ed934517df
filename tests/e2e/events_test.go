package e2e_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// What an operator or a job can ask for, and the result.

func refresh(names ...string) rotator.Event {
	return rotator.Event{Action: rotator.ActionRefresh, Connections: names}
}

func forced(names ...string) rotator.Event {
	event := refresh(names...)
	event.Force = true
	return event
}

func TestRefreshIsAHeartbeatForThoseNamed(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("a", s.credentials())
		s.seed("b", s.credentials())
		r := s.invoke(refresh("b"))
		if len(r.report.Connections) != 1 {
			t.Errorf("the report is about %v", r.report.Connections)
		}
		r.want("b", rotator.Refreshed)
		r = s.invoke(refresh("a", "b", "a"))
		r.want("a", rotator.Refreshed)
		r.want("b", rotator.NotDue)
		r = s.invoke(refresh())
		r.want("a", rotator.NotDue)
		r.want("b", rotator.NotDue)
		if values, _ := r.metrics["TokenSecondsRemaining"].([]any); len(values) != 2 {
			t.Errorf("TokenSecondsRemaining is %v", values)
		}
	})
}

func TestRefreshReturnsItsReportWhateverItSays(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		s.always(fakereltio.StatusRetryAfter(503, "0"))
		r := s.invoke(refresh("default"))
		r.wantFailed("default", rotator.ServerError)
		if r.err != nil {
			t.Errorf("the operator got an error instead: %v", r.err)
		}
	})
}

func TestAnUnknownConnectionIsAnError(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		r := s.invoke(refresh("default", "defualt"))
		if r.err == nil || !strings.Contains(r.err.Error(), `unknown connection "defualt"; there are: default`) {
			t.Errorf("the error is %v", r.err)
		}
		r.wantSent()
		r.wantCalls(map[string]int{"GetParametersByPath": 1})
	})
}

func TestAListingThatFailsFailsEveryAction(t *testing.T) {
	for _, event := range []rotator.Event{{}, refresh("default"), forced()} {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			denied("GetParametersByPath", "", "AccessDeniedException")(s)
			r := s.invoke(event)
			if r.err == nil || r.err.Error() != "state_unavailable" || len(r.report.Connections) > 0 || r.report.Error != rotator.StateUnavailable {
				t.Errorf("%+v, %v", r.report, r.err)
			}
			if !strings.Contains(r.report.Message, "check that the function may read its parameters") {
				t.Errorf("the message is %s", r.report.Message)
			}
			r.wantMetric("Failures", 1)
			if _, ok := r.metrics["RefreshOverdue"]; ok {
				t.Error("RefreshOverdue was written although nothing is known")
			}
			s.AWS.ClearFaults()
			time.Sleep(time.Minute)
			s.beat().want("default", rotator.Refreshed)
		})
	}
}

// Only a denied call gives the advice "check that the function may", because that is
// about permissions.
func TestAListingThatGetsNoAnswerBlamesNoPermission(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		denied("GetParametersByPath", "", "InternalServerError")(s)
		r := s.beat()
		if !strings.Contains(r.report.Message, "InternalServerError") || !strings.Contains(r.report.Message, "check the function's network path to AWS") {
			t.Errorf("the message is %s", r.report.Message)
		}
	})
}

func TestForce(t *testing.T) {
	t.Run("ignores the window", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seed("default", s.credentials())
			s.beat()
			if reason := s.invoke(forced("default")).want("default", rotator.Refreshed).Reason; reason != rotator.ReasonForced {
				t.Errorf("the reason is %s", reason)
			}
			s.wantWorking("default")
		})
	})
	t.Run("ignores a backoff", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			s.Reltio.Script(fakereltio.OAuthError(400, "invalid_grant", ""))
			s.beat().wantFailed("default", rotator.RefreshTokenRejected)
			s.invoke(refresh("default")).want("default", rotator.BackingOff)
			s.invoke(forced("default")).want("default", rotator.Refreshed)
		})
	})
	t.Run("ignores a login already tried", func(t *testing.T) {
		simulate(t, fakereltio.Options{MFA: true}, func(t *testing.T, s *fixture) {
			fields := s.loginCredentials()
			fields["refresh_token"] = ""
			s.seed("default", fields)
			s.beat().wantFailed("default", rotator.LoginRejected)
			s.Reltio.SetOptions(func(o *fakereltio.Options) { o.MFA = false })
			time.Sleep(time.Minute)
			s.beat().want("default", rotator.BackingOff)
			s.invoke(forced("default")).want("default", rotator.Refreshed)
		})
	})
	t.Run("never ignores a lease", func(t *testing.T) {
		simulate(t, fakereltio.Options{RaceWindow: time.Second}, func(t *testing.T, s *fixture) {
			s.seed("default", s.credentials())
			s.beat()
			var both sync.WaitGroup
			both.Go(func() { _, _ = s.Invoke(t.Context(), forced("default")) })
			time.Sleep(500 * time.Millisecond)
			r := s.invoke(forced("default"))
			r.want("default", rotator.Busy)
			both.Wait()
			s.wantWorking("default")
		})
	})
	t.Run("that fails outside the window leaves the old token due when it was", func(t *testing.T) {
		for _, fault := range []fakereltio.Fault{
			fakereltio.StatusRetryAfter(503, "0"), fakereltio.Redirect(307, "https://elsewhere.reltio.com/"), fakereltio.FirewallPage(),
			fakereltio.OAuthError(400, "invalid_grant", ""),
		} {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				begun := time.Now()
				s.seed("default", s.credentials())
				s.beat()
				expiry := s.State("default").Published.ExpiresAt
				time.Sleep(20 * time.Minute)
				s.always(fault)
				s.invoke(forced("default")).want("default", rotator.Failed)
				s.recover()
				s.wantWorking("default")
				if at := s.State("default").Published.ExpiresAt; !at.Equal(expiry) {
					t.Errorf("expires_at went from %v to %v", expiry, at)
				}
				for time.Since(begun) < 47*time.Minute {
					r := s.beat()
					r.want("default", rotator.NotDue)
					r.wantMetric("RefreshOverdue", 0)
					time.Sleep(time.Minute)
				}
				time.Sleep(time.Until(begun.Add(untilWindow)))
				s.beat().want("default", rotator.Refreshed)
			})
		}
	})
}

func TestAConnectionWithoutCredentials(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.Add("default")
		r := s.beat()
		r.want("default", rotator.NoCredentials)
		r.wantMetric("NoCredentials", 1)
		r.wantMetric("Failures", 0)
		r.wantMetric("ActionRequired", 0)
		r.wantCalls(map[string]int{"GetParametersByPath": 1, "GetSecretValue": 1}) // nothing is written
		if r.err != nil {
			t.Errorf("it failed the invocation: %v", r.err)
		}
		s.PutCredentials("default", s.credentials())
		time.Sleep(time.Minute)
		r = s.beat()
		r.want("default", rotator.Refreshed)
		r.wantMetric("NoCredentials", 0)
	})
}

func TestAConnectionThatIsDisabled(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.config("default", `{"enabled":false}`)
		for _, event := range []rotator.Event{{}, refresh("default"), forced("default")} {
			r := s.invoke(event)
			r.want("default", rotator.Disabled)
			r.wantCalls(map[string]int{"GetParametersByPath": 1})
			r.wantMetric("RefreshOverdue", 0)
		}
		s.config("default", `{"enabled":true}`)
		s.beat().want("default", rotator.Refreshed)
	})
}

func TestCredentialsThatCannotBeUsed(t *testing.T) {
	for document, says := range map[string]string{
		`client_id=client`: "not a JSON object",
		`["client"]`:       "not a JSON object",
		`null`:             "not a JSON object",
		"\ufeff{}":         "byte order mark",
		`{"client_secret":"c1i3nt","refresh_token":"r3fr3sh"}`:                             "field client_id is missing or empty",
		`{"client_id":"","client_secret":"c1i3nt","refresh_token":"r3fr3sh"}`:              "field client_id is missing or empty",
		`{"client_id":"client","refresh_token":"r3fr3sh"}`:                                 "field client_secret is missing or empty",
		`{"client_id":"client","client_secret":5}`:                                         "field client_secret must be a string",
		`{"client_id":"client","client_secret":"c1i3nt","username":"user"}`:                "field username is there but password is missing",
		`{"client_id":"client","client_secret":"c1i3nt","password":"w0rd"}`:                "field password is there but username is missing",
		`{"client_id":"client","client_secret":"c1i3nt","username":"user","password":""}`:  "field username is there but password is missing",
		`{"client_id":"cli:ent","client_secret":"c1i3nt","refresh_token":"a refresh one"}`: "field client_id holds a colon",
	} {
		t.Run(says, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.Add("default")
				s.AWS.PutSecret(harness.SecretName("default", "credentials"), document)
				r := s.beat()
				if result := r.wantFailed("default", rotator.CredentialsUnread); !strings.Contains(result.Message, says) {
					t.Errorf("the message is %s", result.Message)
				}
				r.wantSent()
				r.wantMetric("ActionRequired", 1)
				r.wantCalls(map[string]int{"GetParametersByPath": 1, "GetSecretValue": 1, "PutParameter": 2}) // lease and record
				time.Sleep(time.Minute)
				r = s.beat()
				r.wantFailed("default", rotator.CredentialsUnread)
				r.wantCalls(map[string]int{"GetParametersByPath": 1, "GetSecretValue": 1}) // it stands already
			})
		})
	}
}
