package doctor

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The number of versions follows the rule which decides when a token is replaced.
func TestTokenLifetime(t *testing.T) {
	for _, c := range []struct {
		lifetime time.Duration
		state    string // beside the token
		ok       bool
		says     string
	}{
		{0, "", true, "not known until a new token is published"},
		{5 * time.Minute, "", false, "access tokens live 5m0s, so the token secret gets 480 versions in 24 hours"},
		{10 * time.Minute, "", false, "live 10m0s, so the token secret gets 180 versions in 24 hours"},
		{20 * time.Minute, "", false, "live 20m0s, so the token secret gets 96 versions in 24 hours"},
		{29*time.Minute + 59*time.Second, "", false, "ask Reltio for access tokens that live 30 minutes or longer"},
		{30 * time.Minute, "", true, "live 30m0s, so the token secret gets 72 versions"},
		{time.Hour, "", true, "live 1h0m0s, so the token secret gets 29 versions"},
		{5 * time.Minute, `,"unchanged":true`, true, "not known"},
	} {
		t.Run(c.lifetime.String()+c.state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFakeStack()
				if c.lifetime > 0 {
					issued := time.Now().UTC()
					valid := issued.Add(c.lifetime - min(10*time.Minute, c.lifetime/2, max(c.lifetime-15*time.Minute, 2*time.Minute)))
					s.state = fmt.Sprintf(`{"published":{"issued_at":%q,"expires_at":%q,"valid_until":%q%s}}`,
						issued.Format(time.RFC3339), issued.Add(c.lifetime).Format(time.RFC3339), valid.Format(time.RFC3339), c.state)
				}
				report, _, err := s.check(t)
				if err != nil {
					t.Fatal(err)
				}
				for _, check := range report.Checks {
					if check.Check == CheckTokenLifetime && (check.OK != c.ok || !strings.Contains(check.Message, c.says)) {
						t.Errorf("%+v", check)
					}
				}
				if wrong := failedChecks(report); len(wrong) > 0 == c.ok {
					t.Errorf("%v", wrong)
				}
			})
		})
	}
}
