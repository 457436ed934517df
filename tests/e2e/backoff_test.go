package e2e_test

import (
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// A login whose password was perhaps not checked is sent again, but not often: it
// may count as a wrong one.
func TestALoginWithoutAVerdictIsSentAgainAfterAnHour(t *testing.T) {
	for name, c := range map[string]struct {
		fault fakereltio.Fault
		code  rotator.Code
	}{
		"a firewall's page":      {fakereltio.FirewallPage(), rotator.RequestRejected},
		"a page instead of JSON": {fakereltio.NotJSON(), rotator.BadResponse},
		"the client is refused":  {fakereltio.OAuthError(401, "invalid_client", "Unauthorized grant type"), rotator.ClientRejected},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.seed("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "username": "user", "password": password})
				s.always(c.fault)
				s.beat().wantFailed("default", c.code)
				s.recover()
				for range 59 {
					time.Sleep(time.Minute)
					r := s.beat()
					r.want("default", rotator.BackingOff)
					r.wantSent()
				}
				time.Sleep(time.Minute)
				r := s.beat()
				r.want("default", rotator.Refreshed)
				r.wantSent("password → 200")
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
		version := s.State("default").CredentialsVersion
		s.AWS.PutParameter(harness.ParameterName("default", "pending"),
			`{"refresh_token":"`+s.refreshToken("default")+`-newer","rotated_from":"`+version+`","saved_at":"2000-01-01T00:00:00Z"}`)
		denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
		for range 20 {
			time.Sleep(time.Minute)
			r := s.beat()
			r.wantFailed("default", rotator.CredentialsNotSaved)
			r.wantSent()
		}
		if state := s.State("default"); state.Error != rotator.Throttled || !state.NotBefore.After(time.Now()) {
			t.Errorf("the backoff is gone: %+v", state)
		}
	})
}

// The record of a failure that says nothing new is left out only when there is
// no live token that its open lease would make uncertain.
func TestManyFailuresDoNotMakeALiveTokenUncertain(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		s.beat()
		expiry := s.State("default").ExpiresAt
		s.always(fakereltio.StatusRetryAfter(503, "0"))
		for range 8 {
			time.Sleep(time.Minute)
			s.invoke(forced("default")).wantFailed("default", rotator.ServerError)
		}
		time.Sleep(2 * time.Minute)
		r := s.beat()
		r.want("default", rotator.NotDue)
		r.wantSent()
		if state := s.State("default"); !state.ExpiresAt.Equal(expiry) {
			t.Errorf("the token lives until %v and is believed until %v", expiry, state.ExpiresAt)
		}
	})
}

// In an outage that outlasts the token, the failure is not written again each
// minute: the account's write rate belongs to others, too.
func TestALongOutageIsNotRecordedAgainAndAgain(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.always(fakereltio.StatusRetryAfter(503, "0"))
		for range 30 {
			s.beat().wantFailed("default", rotator.ServerError)
			time.Sleep(time.Minute)
		}
		r := s.beat()
		r.wantFailed("default", rotator.ServerError)
		if r.calls["PutParameter"] != 1 {
			t.Errorf("%d parameter writes, want the lease alone", r.calls["PutParameter"])
		}
		s.recover()
		time.Sleep(time.Minute)
		s.beat().want("default", rotator.Refreshed)
	})
}
