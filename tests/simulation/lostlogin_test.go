package simulation_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// Found by a seed: the answer of a refresh is lost, and with it the changed
// refresh token; the answer of the login that follows is lost too. That is one
// lost login and not two, and no reason to let jobs wait for an hour.
func TestALostRefreshDoesNotCountAsALostLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, fakereltio.Options{RotateRefreshToken: true}, true)
		h.Reltio.Script(fakereltio.Pass(), fakereltio.AnswerLost(), fakereltio.Pass(), fakereltio.AnswerLost())
		var outcomes []string
		for range 60 {
			report, _ := h.Heartbeat(t)
			if c := report.Connections[0]; c.Outcome != rotator.NotDue {
				outcomes = append(outcomes, fmt.Sprint(c.Outcome, " ", c.Error))
			}
			time.Sleep(time.Minute)
		}
		want := []string{"refreshed ", "failed answer_lost", "failed answer_lost", "refreshed "}
		if fmt.Sprint(outcomes) != fmt.Sprint(want) {
			t.Errorf("the outcomes are %q, want %q", outcomes, want)
		}
	})
}
