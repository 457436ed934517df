package e2e_test

import (
	"strings"
	"testing"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// Jobs may invoke the function through the alias "report" only, where it accepts
// nothing but reports of dead tokens.
func TestTheAliasAcceptsOnlyReports(t *testing.T) {
	d := deploy(t, fakereltio.Options{})
	if got := d.outcome(t, `{}`); got != rotator.Refreshed {
		t.Fatalf("the first heartbeat ends with %s", got)
	}
	requests := len(d.Reltio.Requests())
	report := d.through(t, "report")
	for _, event := range []string{
		`{}`, `{"source":"aws.scheduler","detail":"{}"}`, `{"action":"check"}`, `{"action":"refresh"}`,
		`{"action":"refresh","connections":["default"],"force":true}`,
		`{"action":"refresh","connections":["default"],"dead_token":"0123456789abcdef","force":true}`,
	} {
		result := report.invoke(t, event)
		if result.ErrorType == "" || !strings.Contains(string(result.Payload), "dead_token") {
			t.Errorf("%s through the alias: %s %s", event, result.ErrorType, result.Payload)
		}
	}
	const another = `{"action":"refresh","connections":["default"],"dead_token":"0123456789abcdef"}`
	if got := report.outcome(t, another); got != rotator.NotDue {
		t.Errorf("a report of another token through the alias ends with %s", got)
	}
	if got := len(d.Reltio.Requests()); got != requests {
		t.Errorf("%d token requests through the alias", got-requests)
	}
	// Without the alias all events are accepted.
	if got := d.outcome(t, `{"action":"refresh","connections":["default"],"force":true}`); got != rotator.Refreshed {
		t.Errorf("a forced refresh ends with %s", got)
	}
}
