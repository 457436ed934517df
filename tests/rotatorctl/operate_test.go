package operate_test

import (
	"strings"
	"testing"

	"reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// A working day: look, renew, read the log.
func TestStatusRefreshLogs(t *testing.T) {
	a := newAccount(t, reltio.Options{})
	a.Seed("emea")
	for _, step := range []struct {
		args   string
		status int
		says   []string
	}{
		{"status", 0, []string{"default      none yet     never", "default: waits for credentials: make seed STACK=test CONNECTION=default"}},
		{"refresh -connection emea", 0, []string{"emea: a new token is published, it lives 59 min"}},
		{"refresh", 1, []string{"default: nobody has put credentials yet", "emea: a new token is published"}},
		{"refresh -connection other", 2, []string{"the function failed", "other"}},
		{"status", 0, []string{"emea         59 min", "-       "}},
		{"logs", 0, []string{"INFO   emea  refreshed (forced), 35"}},
		{"logs -since 1x", 2, []string{"invalid value"}},
		{"status -stack other", 2, []string{"there is no connection below /reltio-token-rotator/other"}},
		{"nonsense", 2, []string{"unknown command"}},
	} {
		a.mu.Lock()
		a.log = strings.Split(strings.TrimSpace(a.Output()), "\n")
		a.mu.Unlock()
		command, more, _ := strings.Cut(step.args, " ")
		text, status := a.run(t, "", append([]string{command, "-stack", harness.Stack}, strings.Fields(more)...)...)
		if status != step.status {
			t.Errorf("%s: exit status %d:\n%s", step.args, status, text)
		}
		for _, says := range step.says {
			if !strings.Contains(text, says) {
				t.Errorf("%s: it does not say %q:\n%s", step.args, says, text)
			}
		}
	}
}
