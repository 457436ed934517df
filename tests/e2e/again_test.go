package e2e_test

import (
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// A connection that was removed while a refresh token waited pending leaves
// that parameter behind: the function wrote it, no stack knows of it. Nor does
// the connection exist any more, so nobody touches it.
func TestAConnectionOfTheSameNameAgain(t *testing.T) {
	stillPending := func(s *fixture) bool {
		_, _, there := s.AWS.Parameter(harness.ParameterName("emea", "pending"))
		return there
	}
	removed := func(t *testing.T, s *fixture) {
		s.seeded("emea", s.credentials())
		denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
		s.beat().wantFailed("emea", rotator.CredentialsNotSaved)
		s.AWS.ClearFaults()
		if !stillPending(s) {
			t.Fatal("there is no pending refresh token")
		}
		for _, kind := range []string{"config", "state", "lease"} {
			s.AWS.DeleteParameter(harness.ParameterName("emea", kind))
		}
		time.Sleep(2 * time.Hour)
		r := s.beat()
		if r.wantSent(); len(r.report.Connections) > 0 || !stillPending(s) {
			t.Errorf("a connection without config was looked after: %+v", r.report.Connections)
		}
	}
	added := func(s *fixture) {
		for _, kind := range []string{"config", "state", "lease"} {
			s.AWS.PutParameter(harness.ParameterName("emea", kind), "{}")
		}
	}

	// CreateSecrets=false: the pending refresh token holds the only refresh token that is good.
	t.Run("with the secrets that were kept", func(t *testing.T) {
		play(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			removed(t, s)
			before := s.refreshToken("emea")
			added(s)
			s.beat().want("emea", rotator.Refreshed)
			s.wantWorking("emea")
			if stillPending(s) || s.refreshToken("emea") == before {
				t.Error("the refresh token pending was not brought home")
			}
		})
	})

	// The same with new secrets, whose versions are others: theirs is what a
	// person put there.
	t.Run("with new credentials", func(t *testing.T) {
		play(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			removed(t, s)
			added(s)
			s.PutCredentials("emea", s.credentials())
			s.beat().want("emea", rotator.Refreshed)
			s.wantWorking("emea")
			if stillPending(s) {
				t.Error("the pending refresh token of the earlier connection is still there")
			}
			time.Sleep(untilWindow)
			s.beat().want("emea", rotator.Refreshed)
		})
	})
}
