package faults_test

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// A second fault follows in the next heartbeat. The promises that need no baseline
// hold for each pair.
func TestTwoFaultsInARow(t *testing.T) {
	due := situation{name: "due", prepare: (*fixture).due}
	second := []*fault{refused, answerLost, killedBefore, killedAfter}
	both := 0
	for n := range 2 * len(providers) {
		c := failureCase{situation: due, provider: providers[n/2], password: n%2 == 1, operator: -1}
		var baseline result
		synctest.Test(t, func(t *testing.T) { baseline = c.run(t) })
		request := place(baseline.calls, tokenRequest)
		for at, met := range baseline.calls {
			for _, f := range second {
				c.injections = []injection{
					{0, request, baseline.calls[request], answerLost, once},
					{1, at, met, f, once},
				}
				t.Run(fmt.Sprintf("%s/password %v/%v", c.provider.name, c.password, c), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						if r := c.run(t); r.faulty == 2 {
							both++
						}
					})
				})
			}
		}
	}
	if both < 50 {
		t.Errorf("only %d cases met both faults", both)
	}
	t.Logf("%d cases met both faults", both)
}
