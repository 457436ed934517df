package e2e_test

import (
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	standreltio "reltio-token-rotator/tests/standin/reltio"
	"reltio-token-rotator/tests/world"
)

// A connection that was removed while a refresh token waited in escrow leaves
// that parameter behind: the function wrote it, no stack knows of it. Nor does
// the connection exist any more, so nobody touches it.
func TestAConnectionOfTheSameNameAgain(t *testing.T) {
	escrowed := func(s *stage) bool {
		_, _, there := s.AWS.Parameter(world.ParameterName("emea", "escrow"))
		return there
	}
	removed := func(t *testing.T, s *stage) {
		s.seeded("emea", s.credentials())
		denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
		s.beat().wantFailed("emea", rotator.CredentialsNotSaved)
		s.AWS.ClearFaults()
		if !escrowed(s) {
			t.Fatal("there is no escrow")
		}
		for _, kind := range []string{"config", "state", "claim"} {
			s.AWS.DeleteParameter(world.ParameterName("emea", kind))
		}
		time.Sleep(2 * time.Hour)
		r := s.beat()
		if r.wantSent(); len(r.report.Connections) > 0 || !escrowed(s) {
			t.Errorf("a connection without config was looked after: %+v", r.report.Connections)
		}
	}
	added := func(s *stage) {
		for _, kind := range []string{"config", "state", "claim"} {
			s.AWS.PutParameter(world.ParameterName("emea", kind), "{}")
		}
	}

	// CreateSecrets=false: the escrow holds the only refresh token that is good.
	t.Run("with the secrets that were kept", func(t *testing.T) {
		play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
			removed(t, s)
			before := s.refreshToken("emea")
			added(s)
			s.beat().want("emea", rotator.Refreshed)
			s.wantWorking("emea")
			if escrowed(s) || s.refreshToken("emea") == before {
				t.Error("the refresh token in escrow was not brought home")
			}
		})
	})

	// The same with new secrets, whose versions are others: theirs is what a
	// person put there.
	t.Run("with new credentials", func(t *testing.T) {
		play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
			removed(t, s)
			added(s)
			s.PutCredentials("emea", s.credentials())
			s.beat().want("emea", rotator.Refreshed)
			s.wantWorking("emea")
			if escrowed(s) {
				t.Error("the escrow of the earlier connection is still there")
			}
			time.Sleep(untilWindow)
			s.beat().want("emea", rotator.Refreshed)
		})
	})
}
