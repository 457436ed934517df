package e2e_test

import (
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// A connection that is removed while a refresh token is pending leaves that
// parameter behind: the function wrote it, and no stack declares it. No run deletes
// it, because the connection does not exist any more.
func TestARecreatedConnection(t *testing.T) {
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
			t.Errorf("a connection without a config was refreshed: %+v", r.report.Connections)
		}
	}
	added := func(s *fixture) {
		for _, kind := range []string{"config", "state", "lease"} {
			s.AWS.PutParameter(harness.ParameterName("emea", kind), "{}")
		}
	}

	// Nothing says any more that the rotator wrote the current version.
	t.Run("after a refresh", func(t *testing.T) {
		simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			s.seeded("emea", s.credentials())
			before := s.refreshToken("emea")
			added(s)
			s.beat().want("emea", rotator.Refreshed)
			s.wantWorking("emea")
			if s.refreshToken("emea") == before {
				t.Error("the new refresh token was not saved")
			}
		})
	})

	// With CreateSecrets=false, only the pending refresh token is valid.
	t.Run("with the secrets that were kept", func(t *testing.T) {
		simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			removed(t, s)
			before := s.refreshToken("emea")
			added(s)
			s.beat().want("emea", rotator.Refreshed)
			s.wantWorking("emea")
			if stillPending(s) || s.refreshToken("emea") == before {
				t.Error("the pending refresh token was not saved")
			}
		})
	})

	// With new secrets, the versions are other ones, and the operator's refresh
	// token is used.
	t.Run("with new credentials", func(t *testing.T) {
		simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
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
