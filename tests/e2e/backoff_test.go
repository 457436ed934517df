package e2e_test

import (
	"slices"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// A login is sent again if it is not known whether the server checked the password.
// It is not sent often, because each one may count as a wrong password.
func TestALoginWithoutAVerdictIsSentAgainAfterAnHour(t *testing.T) {
	for name, c := range map[string]struct {
		fault fakereltio.Fault
		code  rotator.Code
		tries []int // minutes after the first one
	}{
		"a firewall's page":      {fakereltio.FirewallPage(), rotator.RequestRejected, []int{1, 61, 121}},
		"a page instead of JSON": {fakereltio.NotJSON(), rotator.BadResponse, []int{1, 61, 121}},
		"the client is refused":  {fakereltio.OAuthError(401, "invalid_client", "Unauthorized grant type"), rotator.ClientRejected, []int{60, 120}},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.seed("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "username": "user", "password": password})
				s.always(c.fault)
				s.beat().wantFailed("default", c.code)
				var tries []int
				for minute := 1; minute <= 130; minute++ {
					time.Sleep(time.Minute)
					if r := s.beat(); len(r.sent) > 0 {
						r.wantFailed("default", c.code)
						tries = append(tries, minute)
					} else {
						r.want("default", rotator.BackingOff)
					}
				}
				if !slices.Equal(tries, c.tries) {
					t.Errorf("sent again at the minutes %v, want %v", tries, c.tries)
				}
			})
		})
	}
}

// A pending refresh token that cannot be saved is tried at every heartbeat, and
// does not shorten the backoff of token requests.
func TestAPendingTokenDoesNotEndABackoff(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.always(fakereltio.Throttled("1800"))
		s.beat().wantFailed("default", rotator.Throttled)
		s.recover()
		s.AWS.PutParameter(harness.ParameterName("default", "pending"),
			`{"tokens":[{"set":"primary","replaces":"`+secret.New(s.refreshToken("default")).Fingerprint()+`","refresh_token":"`+s.refreshToken("default")+`-newer","saved_at":"2000-01-01T00:00:00Z"}]}`)
		denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
		for range 20 {
			time.Sleep(time.Minute)
			r := s.beat()
			r.wantFailed("default", rotator.CredentialsNotSaved)
			r.wantSent()
		}
		if state := s.State("default"); state.Primary.Error != rotator.Throttled || !state.NotBefore.After(time.Now()) {
			t.Errorf("the backoff is gone: %+v", state)
		}
	})
}

// A forced refresh that fails outside the window leaves no error. The token becomes
// due when it would have without it.
func TestForcedRefreshesThatFailLeaveTheTokenAsItWas(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		s.beat()
		before := s.State("default")
		s.always(fakereltio.StatusRetryAfter(503, "0"))
		for range 8 {
			time.Sleep(time.Minute)
			s.invoke(forced("default")).wantFailed("default", rotator.ServerError)
		}
		time.Sleep(2 * time.Minute)
		r := s.beat()
		r.want("default", rotator.NotDue)
		r.wantSent()
		if state := s.State("default"); !state.Published.ExpiresAt.Equal(before.Published.ExpiresAt) || !state.Published.UncertainSince.IsZero() || standing(state) != "" {
			t.Errorf("the state was %+v and is %+v", before, state)
		}
	})
}

// In a long outage, each record is the same as the last. It is written after every
// other write, because otherwise the open lease would make the next event busy.
func TestALongOutageLeavesNoLeaseOpen(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.always(fakereltio.StatusRetryAfter(503, "0"))
		for range 30 {
			s.beat().want("default", rotator.Failed)
			time.Sleep(time.Minute)
		}
		s.beat().want("default", rotator.Failed)
		s.recover()
		time.Sleep(time.Second)
		s.invoke(forced("default")).want("default", rotator.Refreshed)
	})
}
