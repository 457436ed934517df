package simulation_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/fake/memory"
)

// Found by a seed: the answer of a refresh is lost, and with it the changed
// refresh token; the answer of the login that follows is lost too. That is one
// lost login and not two, and no reason to let jobs wait for an hour.
func TestALostRefreshDoesNotCountAsALostLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := []memory.TokenFault{{}, {Cut: true}, {}, {Cut: true}}
		reltio := memory.NewReltio(memory.Options{Rotate: true, Weather: func() (now memory.TokenFault) {
			if len(faults) > 0 {
				now, faults = faults[0], faults[1:]
			}
			return now
		}})
		aws := memory.NewAWS()
		aws.Add(connection)
		_, refreshToken := reltio.Login(user)
		document, _ := json.Marshal(stored{"client", "secret", refreshToken, user, "password"})
		if err := aws.PutSecret(connection, memory.Credentials, string(document)); err != nil {
			t.Fatal(err)
		}
		var told []string
		for minute := range 60 {
			report, _ := invoke(aws, reltio, fmt.Sprint("request-", minute), rotator.Event{})
			if c := report.Connections[0]; c.Outcome != rotator.NotDue {
				told = append(told, fmt.Sprint(c.Outcome, " ", c.Error))
			}
			time.Sleep(time.Minute)
		}
		want := []string{"refreshed ", "failed answer_lost", "failed answer_lost", "refreshed "}
		if fmt.Sprint(told) != fmt.Sprint(want) {
			t.Errorf("it went %q, want %q", told, want)
		}
	})
}
