package harness_test

import (
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

func TestADayOfHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := harness.New(t, fakeaws.Options{WritesPerSecond: 3}, fakereltio.Options{})
		h.Seed("default")
		refreshes := 0
		for range 24 * 60 {
			report, err := h.Heartbeat(t)
			if err != nil {
				t.Fatalf("%v\n%s", err, h.Output())
			}
			if report.Connections[0].Outcome == rotator.Refreshed {
				refreshes++
			}
			if !h.Alive("default") {
				t.Fatal("a dead token is published")
			}
			time.Sleep(time.Minute)
		}
		if refreshes < 28 || refreshes > 31 {
			t.Errorf("%d refreshes in a day, want one in about 50 minutes", refreshes)
		}
	})
}
