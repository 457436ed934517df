package doctor

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator/secret"
)

const (
	firstSet  = `{"client_id":"c","client_secret":"canary","refresh_token":"canary-r","alternate":{"client_id":"c","client_secret":"canary","refresh_token":"canary-s"}}`
	logInSet  = `{"client_id":"c","client_secret":"canary","refresh_token":"canary-r","alternate":{"client_id":"c","client_secret":"canary","refresh_token":"canary-s","username":"v","password":"canary"}}`
	brokenSet = `{"client_id":"c","client_secret":"canary","refresh_token":"canary-r","alternate":{"client_id":"c","refresh_token":"canary-s"}}`
)

func TestRefreshTokensThatExpireTogether(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name        string
		credentials string
		apart       time.Duration
		says        string // empty: nothing is wrong
	}{
		{"of one day", firstSet, 0, "the refresh tokens expire within seven days of each other (2000-01-19 and 2000-01-19)"},
		{"six days apart", firstSet, 6 * day, "(2000-01-19 and 2000-01-25)"},
		{"the alternate first", firstSet, -6 * day, "(2000-01-19 and 2000-01-13)"},
		{"a week apart", firstSet, 7 * day, ""},
		{"nine days apart", firstSet, 9 * day, ""},
		{"one can log in", logInSet, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := time.Now().UTC()
				since := now.Add(-10 * day)
				s := newFakeStack()
				s.credentials = map[string]string{"default": c.credentials}
				part := func(token string, since time.Time) string {
					return fmt.Sprintf(`{"refresh_token_fingerprint":%q,"refresh_token_since":%q}`, secret.New(token).Fingerprint(), since.Format(time.RFC3339))
				}
				s.state = fmt.Sprintf(`{"primary":%s,"alternate":%s}`, part("canary-r", since), part("canary-s", since.Add(c.apart)))
				report, printed, err := s.check(t)
				if err != nil || strings.Contains(printed+fmt.Sprint(report), "canary") {
					t.Errorf("%v, %v", report, err)
				}
				wrong := failedChecks(report)
				if c.says == "" {
					if len(wrong) > 0 {
						t.Errorf("%v", wrong)
					}
					return
				}
				if len(wrong) != 1 || !strings.Contains(wrong[CheckRefreshTokenAge], c.says) || !strings.Contains(wrong[CheckRefreshTokenAge], "two weeks before the other: aws secretsmanager put-secret-value --secret-id default/credentials") {
					t.Errorf("%v", wrong)
				}
			})
		})
	}
}

// A set that cannot be used is not compared. Its own check says what is wrong.
func TestABrokenSetIsNotCompared(t *testing.T) {
	s := newFakeStack()
	s.credentials = map[string]string{"default": brokenSet}
	report, _, _ := s.check(t)
	if wrong := failedChecks(report); len(wrong) != 1 || !strings.Contains(wrong[CheckGrant], "field alternate.client_secret is missing") {
		t.Errorf("%v", wrong)
	}
}

func TestLivesOfTwoSets(t *testing.T) {
	for _, c := range []struct {
		name               string
		primary, alternate time.Duration
		says               []string // empty: nothing is wrong
	}{
		{"equal", time.Hour, time.Hour, nil},
		{"cut to whole seconds", time.Hour, time.Hour - 2*time.Second, nil},
		{"unequal", time.Hour, 30 * time.Minute, []string{"live 1h0m0s (primary) and 30m0s (alternate)", "ask Reltio for the same access token lifetime for both clients"}},
		{"the primary shorter", 40 * time.Minute, time.Hour, []string{"live 40m0s (primary) and 1h0m0s (alternate)"}},
		{"one not known", time.Hour, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := time.Now().UTC()
				s := newFakeStack()
				s.credentials = map[string]string{"default": logInSet}
				part := func(token string, life time.Duration) string {
					times := ""
					if life > 0 {
						times = fmt.Sprintf(`,"token_issued_at":%q,"token_expires_at":%q`, now.Format(time.RFC3339), now.Add(life).Format(time.RFC3339))
					}
					return fmt.Sprintf(`{"refresh_token_fingerprint":%q%s}`, secret.New(token).Fingerprint(), times)
				}
				s.state = fmt.Sprintf(`{"primary":%s,"alternate":%s}`, part("canary-r", c.primary), part("canary-s", c.alternate))
				report, _, err := s.check(t)
				wrong := failedChecks(report)
				if err != nil || len(wrong) > 0 != (c.says != nil) {
					t.Errorf("%v, %v", wrong, err)
				}
				for _, words := range c.says {
					if !strings.Contains(wrong[CheckTokenLifetime], words) {
						t.Errorf("%v", wrong)
					}
				}
			})
		})
	}
}

// Two sets write the token secret as often as their turns come, and too often with
// short lives.
func TestShortLivesOfTwoSets(t *testing.T) {
	for life, says := range map[time.Duration]string{
		20 * time.Minute: "access tokens live 20m0s, so the token secret gets 93 versions in 24 hours",
		time.Hour:        "",
	} {
		synctest.Test(t, func(t *testing.T) {
			now := time.Now().UTC()
			s := newFakeStack()
			s.credentials = map[string]string{"default": logInSet}
			s.state = fmt.Sprintf(`{"published":{"set":"primary","issued_at":%q,"expires_at":%q,"valid_until":%q},"primary":{"version":"v1"},"alternate":{"version":"v1"}}`,
				now.Format(time.RFC3339), now.Add(life).Format(time.RFC3339), now.Add(life-2*time.Minute).Format(time.RFC3339))
			report, _, _ := s.check(t)
			if wrong := failedChecks(report); len(wrong) > 0 != (says != "") || !strings.Contains(wrong[CheckTokenLifetime], says) {
				t.Errorf("%v: %v", life, wrong)
			}
		})
	}
}
