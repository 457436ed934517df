package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// While Secrets Manager takes no refresh token, those of both sets are pending at
// once, and both sets are used. Afterwards one write saves both.
func TestTheRefreshTokensOfBothSetsArePending(t *testing.T) {
	twoSets(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
		jobs := held{}
		s.live(jobs, 20, 26*time.Minute, nil)
		s.AWS.Inject(fakeaws.Fault{Operation: "PutSecretValue", Name: harness.SecretName("default", "credentials"), Times: -1, Code: "AccessDeniedException"})
		published := map[rotator.SetName]bool{}
		s.live(jobs, 3*60, 26*time.Minute, func(result rotator.Result, _ run) {
			if result.Outcome == rotator.Failed && result.Error != rotator.CredentialsNotSaved {
				t.Errorf("%+v", result)
			}
			published[result.Set] = true
		})
		pending := decode(t, s.parameter("default", "pending"))
		if entries, _ := pending["tokens"].([]any); len(entries) != 2 || len(published) != 2 {
			t.Fatalf("%d refresh tokens are pending, and tokens of %v were published", len(entries), published)
		}
		s.AWS.ClearFaults()
		r := s.beat()
		r.want("default", rotator.Restored)
		r.wantSent()
		if r.calls["PutSecretValue"] != 1 {
			t.Errorf("both were saved with the calls %v", r.calls)
		}
		primary, alternate := s.sets()
		s.wantSets(0, primary, alternate)
		if s.parameter("default", "pending") != "" {
			t.Error("refresh tokens are still pending")
		}
		s.live(jobs, 75, 26*time.Minute, nil)
	})
}

// Sets whose tokens have unequal lives: no token is ended before its valid_until, no
// job reads an expired one, and no token is replaced by one that expires sooner
// before its valid_until.
func TestTwoSetsOfUnequalLives(t *testing.T) {
	for _, life := range []time.Duration{1799 * time.Second, 40 * time.Minute, 2 * time.Hour, 20 * time.Minute} {
		t.Run(fmt.Sprint(life), func(t *testing.T) {
			twoSets(t, fakereltio.Options{Lifetimes: map[string]time.Duration{second: life}}, func(t *testing.T, s *fixture) {
				var last harness.Token
				published := map[rotator.SetName]bool{}
				s.live(held{}, 6*60, 50*time.Second, func(result rotator.Result, _ run) {
					token, _ := s.Token("default")
					if token.ExpiresAt.Before(last.ExpiresAt) && time.Now().Before(last.ValidUntil) {
						t.Errorf("a token that expires at %v was replaced by one that expires at %v", last.ExpiresAt, token.ExpiresAt)
					}
					last = token
					published[result.Set] = true
					if result.Error != "" {
						t.Errorf("%+v", result)
					}
				})
				if len(published) != 2 {
					t.Errorf("tokens of %v were published", published)
				}
			})
		})
	}
}
