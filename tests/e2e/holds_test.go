package e2e_test

import (
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// A login that perhaps nobody judged is sent again, but not often: it may count
// as a wrong one.
func TestALoginThatNobodyJudgedIsSentAgainAfterAnHour(t *testing.T) {
	for name, c := range map[string]struct {
		fault fakereltio.Fault
		code  rotator.Code
	}{
		"a firewall's page":     {fakereltio.FirewallPage(), rotator.RequestRejected},
		"a page in place of it": {fakereltio.NotJSON(), rotator.BadResponse},
		"the client is refused": {fakereltio.OAuthError(401, "invalid_client", "Unauthorized grant type"), rotator.ClientRejected},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.seed("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "username": "user", "password": password})
				s.front.always(c.fault)
				s.beat().wantFailed("default", c.code)
				s.front.mend()
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

// A pending refresh token that cannot be brought back is tried every heartbeat, and takes
// nothing from what holds token requests back.
func TestAPendingTokenDoesNotEndABackoff(t *testing.T) {
	play(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.front.always(fakereltio.Throttled("1800"))
		s.beat().wantFailed("default", rotator.Throttled)
		s.front.mend()
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
			t.Errorf("the hold is gone: %+v", state)
		}
	})
}

// The record of a failure that says nothing new is left out only when there is
// no live token that its open lease would throw into doubt.
func TestManyFailuresDoNotThrowALiveTokenIntoDoubt(t *testing.T) {
	play(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		s.beat()
		expiry := s.State("default").ExpiresAt
		s.front.always(fakereltio.StatusRetryAfter(503, "0"))
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
	play(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seeded("default", s.credentials())
		s.front.always(fakereltio.StatusRetryAfter(503, "0"))
		for range 30 {
			s.beat().wantFailed("default", rotator.ServerError)
			time.Sleep(time.Minute)
		}
		r := s.beat()
		r.wantFailed("default", rotator.ServerError)
		if r.calls["PutParameter"] != 1 {
			t.Errorf("%d parameter writes, want the lease alone", r.calls["PutParameter"])
		}
		s.front.mend()
		time.Sleep(time.Minute)
		s.beat().want("default", rotator.Refreshed)
	})
}
