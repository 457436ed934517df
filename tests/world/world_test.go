package world_test

import (
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	standaws "reltio-token-rotator/tests/standin/aws"
	standreltio "reltio-token-rotator/tests/standin/reltio"
	"reltio-token-rotator/tests/world"
)

func TestADayOfHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world.New(t, standaws.Options{WritesPerSecond: 3}, standreltio.Options{})
		w.Seed("default")
		refreshes := 0
		for range 24 * 60 {
			report, err := w.Heartbeat(t)
			if err != nil {
				t.Fatalf("%v\n%s", err, w.Output())
			}
			if report.Connections[0].Outcome == rotator.Refreshed {
				refreshes++
			}
			if !w.Alive("default") {
				t.Fatal("a dead token is published")
			}
			time.Sleep(time.Minute)
		}
		if refreshes < 28 || refreshes > 31 {
			t.Errorf("%d refreshes in a day, want one in about 50 minutes", refreshes)
		}
	})
}
