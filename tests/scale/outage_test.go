package scale_test

import (
	"testing"
	"testing/synctest"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// In a long outage most records change nothing, and not all of them fit into Parameter
// Store's limit. No connection is taken for one whose state cannot be recorded.
func TestALongOutageOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t, 120, 1)
		s.Reltio.SetFaults(fakereltio.Unreachable)
		s.live(40)
		s.running.Wait()
		if n := s.outcomes[rotator.BackingOff]; n > 0 {
			t.Errorf("%d attempts waited because no record could be written", n)
		}
	})
}
