package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	standaws "reltio-token-rotator/tests/standin/aws"
	standreltio "reltio-token-rotator/tests/standin/reltio"
	"reltio-token-rotator/tests/world"
)

func TestAServerThatGivesANewTokenOnlyAtTheOldOnesEnd(t *testing.T) {
	play(t, standreltio.Options{SameTokenUntilExpired: true, Latency: 100 * time.Millisecond}, func(t *testing.T, s *stage) {
		s.seeded("default", s.credentials())
		before, _ := s.Token("default")
		expiry := s.State("default").ExpiresAt
		r := s.beat()
		r.want("default", rotator.Unchanged)
		r.wantSent("refresh_token → 200")
		if r.calls["PutSecretValue"] > 0 {
			t.Error("the token that is out was published once more")
		}
		state := s.State("default")
		if !state.Unchanged || state.ExpiresAt.After(expiry) || state.Error != "" {
			t.Errorf("the state is %+v, want its end unmoved from %v", state, expiry)
		}
		r.wantMetric("Late", 0)
		r.wantMetric("Refreshes", 0)
		s.wantNothingUntil("default", expiry.Add(time.Second))
		if after, _ := s.Token("default"); after.AccessToken == before.AccessToken {
			t.Error("the token is still the same")
		}
	})

	t.Run("and is late with it", func(t *testing.T) {
		play(t, standreltio.Options{SameTokenUntilExpired: true}, func(t *testing.T, s *stage) {
			s.seeded("default", s.credentials())
			s.beat().want("default", rotator.Unchanged)
			// The state believes in an earlier end than the server does.
			var state map[string]any
			_ = json.Unmarshal([]byte(s.parameter("default", "state")), &state)
			state["expires_at"] = time.Now().Add(30 * time.Second).UTC().Format(time.RFC3339)
			document, _ := json.Marshal(state)
			s.AWS.PutParameter(world.ParameterName("default", "state"), string(document))
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
		// What is not saved yet must not be spent by asking once more.
		play(t, standreltio.Options{SameTokenUntilExpired: true, RotateRefreshToken: true}, func(t *testing.T, s *stage) {
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
		play(t, standreltio.Options{SameTokenUntilExpired: true, Latency: 100 * time.Millisecond}, func(t *testing.T, s *stage) {
			s.seeded("default", s.credentials())
			s.beat().want("default", rotator.Unchanged)
			time.Sleep(time.Until(s.State("default").ExpiresAt.Add(-30 * time.Second)))
			s.front.always(standreltio.Status(502))
			s.beat().wantFailed("default", rotator.ServerError)
			s.front.mend()
			time.Sleep(time.Minute)
			s.beat().want("default", rotator.Refreshed)
			s.wantWorking("default")
		})
	})
}

func TestALateTokenIsCounted(t *testing.T) {
	play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
		s.seeded("default", s.credentials())
		expiry := s.State("default").ExpiresAt
		s.front.always(standreltio.Status(502))
		for _, left := range []time.Duration{7 * time.Minute, 5*time.Minute + time.Second, 4 * time.Minute, 10 * time.Second, -time.Minute} {
			time.Sleep(time.Until(expiry.Add(-left)))
			r := s.beat()
			left = time.Until(expiry)
			late := 0.0
			if left < 5*time.Minute { // half of the window
				late = 1
			}
			r.wantMetric("Late", late)
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
	play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
		s.seed("default", s.credentials())
		time.Sleep(24 * time.Hour) // the secret was there before the stack's first run
		s.beat()
		time.Sleep(24 * time.Hour)
		if got, _ := age(s.beat()).(float64); got < 2 || got > 2.01 {
			t.Errorf("it is %v days old, want 2", got)
		}
		// The same refresh token put once more is no younger.
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

// A person puts new credentials while a refresh with a changing refresh token is
// under way. Theirs must be what is used from then on, whoever was faster.
func TestAPersonPutsNewCredentialsDuringARefresh(t *testing.T) {
	for when, hits := range map[string]func(operation, name string, before bool) bool{
		"after our read": func(operation, name string, before bool) bool {
			return operation == "PutParameter" && strings.HasSuffix(name, "/claim") && before
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
			play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
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
				if r.sent[0].RefreshToken != rotator.NewSecret("a person's very own").Fingerprint() {
					t.Error("theirs was not used")
				}
				s.wantWorking("default")
			})
		})
	}
}

func TestALookThatFailsIsNoReasonForEscrow(t *testing.T) {
	play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
		s.seeded("default", s.credentials())
		s.AWS.Inject(standaws.Fault{Operation: "DescribeSecret", Code: "AccessDeniedException", Times: -1})
		r := s.beat()
		r.want("default", rotator.Refreshed)
		r.wantLogged("WARN", "put them again")
		if _, _, there := s.AWS.Parameter(world.ParameterName("default", "escrow")); there {
			t.Error("there is an escrow")
		}
		s.wantWorking("default")
		time.Sleep(untilWindow)
		s.AWS.ClearFaults()
		s.beat().want("default", rotator.Refreshed)
	})
}

func TestARefreshTokenThatCannotBeSavedWaitsInEscrow(t *testing.T) {
	escrow := func(s *stage) (string, bool) {
		value, _, ok := s.AWS.Parameter(world.ParameterName("default", "escrow"))
		return value, ok
	}
	unsaved := func(t *testing.T, s *stage) {
		s.seeded("default", s.credentials())
		denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
		begun := time.Now()
		r := s.beat()
		result := r.wantFailed("default", rotator.CredentialsNotSaved)
		if !strings.Contains(result.Message, "is kept in escrow") || !strings.Contains(result.Message, "check that the function may write the secret") {
			t.Errorf("the message is %s", result.Message)
		}
		r.wantSent("refresh_token → 200")
		r.wantMetric("NeedsPerson", 1)
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
		if _, ok := escrow(s); !ok {
			t.Fatal("there is no escrow")
		}
		time.Sleep(time.Minute)
	}

	t.Run("and is saved when it can be", func(t *testing.T) {
		play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
			unsaved(t, s)
			s.beat().wantFailed("default", rotator.CredentialsNotSaved) // still denied
			s.AWS.ClearFaults()
			time.Sleep(time.Minute)
			r := s.beat()
			r.want("default", rotator.Restored)
			r.wantSent()
			if _, ok := escrow(s); ok {
				t.Error("the escrow is still there")
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
		play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
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
			if _, ok := escrow(s); ok {
				t.Error("the escrow is still there")
			}
		})
	})
	t.Run("and gives way to what a person puts", func(t *testing.T) {
		play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
			unsaved(t, s)
			s.AWS.ClearFaults()
			s.Reltio.AddRefreshToken("a person's very own")
			s.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": "a person's very own"})
			r := s.beat()
			r.want("default", rotator.Restored)
			r.wantLogged("WARN", "is given up")
			if _, ok := escrow(s); ok {
				t.Error("the escrow is still there")
			}
			if s.refreshToken("default") != "a person's very own" {
				t.Error("theirs is gone")
			}
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
		})
	})
	t.Run("and is not brought back over its successor when its saving only seemed to fail", func(t *testing.T) {
		play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
			unsaved(t, s)
			s.AWS.ClearFaults()
			s.AWS.Inject(standaws.Fault{Operation: "PutSecretValue", Name: "/credentials", When: standaws.After, Times: 3}) // every attempt of the SDK
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
			s.wantWorking("default")
		})
	})
	t.Run("unless that fails too", func(t *testing.T) {
		play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
			s.seeded("default", s.credentials())
			denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
			denied("PutParameter", "/escrow", "AccessDeniedException")(s)
			r := s.beat()
			result := r.wantFailed("default", rotator.CredentialsNotSaved)
			if !strings.Contains(result.Message, "neither to the credentials secret nor in escrow") || !strings.Contains(result.Message, "log in again") {
				t.Errorf("the message is %s", result.Message)
			}
			s.wantWorking("default") // the token itself was not held up
			r.wantMetric("NeedsPerson", 1)
		})
	})
}

func TestAGrantedTokenThatCannotBePublishedIsWrittenAgainInTheRun(t *testing.T) {
	play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
		s.seeded("default", s.credentials())
		s.AWS.Inject(standaws.Fault{Operation: "PutSecretValue", Name: "/token", Code: "InternalServiceError", Times: 10})
		r := s.beat()
		r.want("default", rotator.Refreshed)
		r.wantSent("refresh_token → 200")
		s.wantWorking("default")
	})
}

func TestARecordThatFailsCostsOneRefresh(t *testing.T) {
	play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
		s.seeded("default", s.credentials())
		denied("PutParameter", "/state", "AccessDeniedException")(s)
		begun := time.Now()
		r := s.beat()
		result := r.wantFailed("default", rotator.StateUnavailable)
		if !strings.Contains(result.Message, "could not be recorded") {
			t.Errorf("the message is %s", result.Message)
		}
		s.wantWorking("default")
		s.AWS.ClearFaults()
		time.Sleep(time.Until(begun.Add(time.Minute)))
		s.beat().want("default", rotator.Refreshed)
		time.Sleep(time.Minute)
		s.beat().want("default", rotator.NotDue)
		s.wantWorking("default")
	})
}

// State is a hint: lost, stale, damaged or hand-edited, it costs one refresh.
func TestAStateThatCannotBeTrue(t *testing.T) {
	for name, document := range map[string]string{
		"lost":                    "",
		"empty":                   "{}",
		"not JSON":                "expires_at: never",
		"of another type":         `{"expires_at":5}`,
		"refreshed in the future": `{"expires_at":"2100-01-01T01:00:00Z","refreshed_at":"2100-01-01T00:00:00Z"}`,
		"a life of years":         `{"expires_at":"2100-01-01T00:00:00Z","refreshed_at":"2000-01-01T00:00:00Z"}`,
		"an impossible hold":      `{"not_before":"2100-01-01T00:00:00Z","error":"throttled"}`,
		"an impossible count":     `{"failures":-3,"error":"bad_response"}`,
		"an impossible claim":     `{"claim_version":99999}`,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
				s.seed("default", s.credentials())
				s.beat()
				time.Sleep(2 * time.Minute)
				if document == "" {
					s.AWS.DeleteParameter(world.ParameterName("default", "state"))
				} else {
					s.AWS.PutParameter(world.ParameterName("default", "state"), document)
				}
				r := s.beat()
				r.want("default", rotator.Refreshed)
				r.wantSent("refresh_token → 200")
				for range 10 {
					time.Sleep(time.Minute)
					s.beat().want("default", rotator.NotDue)
				}
				s.wantWorking("default")
			})
		})
	}
}

func TestACountOfFailuresThatCannotBeTrue(t *testing.T) {
	for _, failures := range []string{"-3", "9", "9223372036854775807"} {
		play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
			s.seed("default", s.credentials())
			s.AWS.PutParameter(world.ParameterName("default", "state"), `{"error":"bad_response","failures":`+failures+`}`)
			s.Reltio.Script(standreltio.NotJSON())
			s.beat().wantFailed("default", rotator.BadResponse)
			time.Sleep(16 * time.Minute)
			s.beat().want("default", rotator.Refreshed)
		})
	}
}

func TestAClaimThatWasDeletedOrDamaged(t *testing.T) {
	for _, document := range []string{"", "{}", "nonsense", `{"run":"x"}`, `{"run":"x","from":3,"until":"2100-01-01T00:00:00Z"}`} {
		play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
			s.seeded("default", s.credentials())
			if document == "" {
				s.AWS.DeleteParameter(world.ParameterName("default", "claim"))
			} else {
				s.AWS.PutParameter(world.ParameterName("default", "claim"), document)
			}
			s.beat().want("default", rotator.Refreshed)
			for range 5 {
				time.Sleep(time.Minute)
				s.beat().want("default", rotator.NotDue)
			}
			time.Sleep(untilWindow)
			s.beat().want("default", rotator.Refreshed)
			s.wantWorking("default")
		})
	}
}
