package e2e_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// second is the user of the alternate set.
const second = "second"

// twoSets runs a test with a connection that has two credential sets, each with
// the refresh token of its own user.
func twoSets(t *testing.T, options fakereltio.Options, test func(t *testing.T, s *fixture)) {
	t.Helper()
	options.Users = map[string]string{second: password}
	simulate(t, options, func(t *testing.T, s *fixture) {
		s.Add("default")
		s.putTwo(s.credentialsOf("user"), s.credentialsOf(second))
		test(t, s)
	})
}

// credentialsOf are a set with the refresh token of a fresh login of a user.
func (s *fixture) credentialsOf(user string) map[string]any {
	_, refreshToken := s.Reltio.LoginAs(user)
	return map[string]any{"client_id": "client", "client_secret": clientSecret, "refresh_token": refreshToken, "note": "of " + user}
}

// putTwo writes the credentials as an operator does. If alternate is nil, the
// document has none.
func (s *fixture) putTwo(primary, alternate map[string]any) {
	fields := maps.Clone(primary)
	delete(fields, "alternate")
	if alternate != nil {
		fields["alternate"] = maps.Clone(alternate)
		delete(fields["alternate"].(map[string]any), "alternate")
	}
	document, _ := json.Marshal(fields)
	s.AWS.PutSecret(harness.SecretName("default", "credentials"), string(document))
}

// sets returns the credential sets in the secret.
func (s *fixture) sets() (primary, alternate map[string]any) {
	document, _ := s.AWS.Secret(harness.SecretName("default", "credentials"))
	primary = decode(s.t, document)
	alternate, _ = primary["alternate"].(map[string]any)
	return primary, alternate
}

// held are the tokens that jobs have read, with their valid_until.
type held map[string]time.Time

// live sends a heartbeat every minute, and a job reads the secret after each. It
// checks that no token that was read is ended before its valid_until, and that each
// one lives for at least the given time after the read.
func (s *fixture) live(jobs held, minutes int, least time.Duration, seen func(rotator.Result, run)) {
	s.t.Helper()
	for minute := range minutes {
		r := s.beat()
		token, _ := s.Token("default")
		jobs[token.AccessToken] = token.ValidUntil
		if left := time.Until(token.ExpiresAt); left < least {
			s.t.Errorf("minute %d: a job read a token that lives for %v", minute, left)
		}
		for value, until := range jobs {
			if time.Now().Before(until) && !s.Reltio.Alive(value) {
				s.t.Errorf("minute %d: a token was ended %v before its valid_until", minute, time.Until(until))
				delete(jobs, value)
			}
		}
		if seen != nil {
			seen(r.of("default"), r)
		}
		time.Sleep(time.Minute)
	}
}

// hours sends heartbeats and calls each after every one.
func (s *fixture) hours(n float64, each func(r run)) {
	for end := time.Now().Add(time.Duration(n * float64(time.Hour))); time.Now().Before(end); time.Sleep(time.Minute) {
		each(s.beat())
	}
}

func TestTurnsAsTheReportShowsThem(t *testing.T) {
	twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		var turns []rotator.SetName
		s.live(held{}, 12*60, 26*time.Minute, func(result rotator.Result, r run) {
			if result.Outcome != rotator.Refreshed {
				r.wantSent()
				return
			}
			turns = append(turns, result.Set)
			r.wantSent("refresh_token → 200")
			r.wantCalls(map[string]int{"GetParametersByPath": 1, "GetSecretValue": 1, "PutParameter": 2, "PutSecretValue": 1})
			if !result.ValidUntil.Equal(result.ExpiresAt.Add(-2*time.Minute)) || result.NextRefreshAt.IsZero() || result.FailingSet != "" {
				t.Errorf("the report says %+v", result)
			}
			if values, _ := r.metrics["RefreshTokenAgeDays"].([]any); len(turns) > 1 && len(values) != 2 {
				t.Errorf("RefreshTokenAgeDays is %v, want a value for each set", r.metrics["RefreshTokenAgeDays"])
			}
		})
		for i, set := range turns {
			if want := []rotator.SetName{rotator.Primary, rotator.Alternate}[i%2]; set != want {
				t.Fatalf("the turns were %v", turns)
			}
		}
		if len(turns) < 22 || len(turns) > 25 {
			t.Errorf("%d refreshes in 12 h: %v", len(turns), turns)
		}
	})
}

func TestTwoSetsWhereRefreshTokensChange(t *testing.T) {
	twoSets(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
		before, beforeAlternate := s.sets()
		s.live(held{}, 5*60, 26*time.Minute, nil)
		primary, alternate := s.sets()
		if primary["note"] != "of user" || alternate["note"] != "of "+second {
			t.Errorf("a field was lost: %v, %v", primary["note"], alternate["note"])
		}
		for user, set := range map[string]map[string]any{"user": primary, second: alternate} {
			known := s.Reltio.RefreshTokens(user)
			if set["refresh_token"] != known[len(known)-1] {
				t.Errorf("the newest refresh token of %s is not in its set", user)
			}
		}
		if primary["refresh_token"] == before["refresh_token"] || alternate["refresh_token"] == beforeAlternate["refresh_token"] {
			t.Error("a refresh token has not changed")
		}
	})
}

// Without Multi Token Support too, the resting set's turn comes before the published
// token expires.
func TestTwoSetsAndTheSameTokenUntilItExpires(t *testing.T) {
	twoSets(t, fakereltio.Options{SameTokenUntilExpired: true}, func(_ *testing.T, s *fixture) {
		s.live(held{}, 24*60, time.Second, nil)
	})
}

func TestTokensThatLiveOnAreValidUntilTheyExpire(t *testing.T) {
	twoSets(t, fakereltio.Options{JWT: true}, func(t *testing.T, s *fixture) {
		s.config("default", `{"refresh_ends_token":false}`)
		var turns []rotator.SetName
		s.live(held{}, 6*60, 27*time.Minute, func(result rotator.Result, _ run) {
			if !result.ValidUntil.Equal(result.ExpiresAt) {
				t.Errorf("valid_until is %v, the expiry %v", result.ValidUntil, result.ExpiresAt)
			}
			if result.Outcome == rotator.Refreshed {
				turns = append(turns, result.Set)
			}
		})
		if !slices.Contains(turns, rotator.Alternate) || len(turns) < 11 {
			t.Errorf("the turns were %v", turns)
		}
	})
}

// Where a refresh ends no token, the set that works is refreshed at every turn while the
// other one is rejected.
func TestTokensThatLiveOnWhileOneSetIsRejected(t *testing.T) {
	twoSets(t, fakereltio.Options{JWT: true}, func(_ *testing.T, s *fixture) {
		s.config("default", `{"refresh_ends_token":false}`)
		primary, alternate := s.sets()
		alternate["refresh_token"] = "not a refresh token"
		s.putTwo(primary, alternate)
		s.live(held{}, 6*60, 26*time.Minute, nil)
	})
}

// A forced refresh uses the resting set, so that the published token lives on. A
// second one ends it.
func TestForcedRefreshesOfTwoSets(t *testing.T) {
	twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		force := func(set, want rotator.SetName) {
			t.Helper()
			r := s.invoke(rotator.Event{Action: rotator.ActionRefresh, Force: true, Set: set})
			r.wantSent("refresh_token → 200")
			result := r.want("default", rotator.Refreshed)
			if result.Set != want || result.Reason != rotator.ReasonForced {
				t.Errorf("forced %q: the set is %s (%s), want %s", set, result.Set, result.Reason, want)
			}
			time.Sleep(2 * time.Second)
		}
		s.beat().want("default", rotator.Refreshed)
		leaked, _ := s.Token("default")
		force("", rotator.Alternate)
		if !s.Reltio.Alive(leaked.AccessToken) {
			t.Error("the first forced refresh has ended the published token")
		}
		force("", rotator.Primary)
		if s.Reltio.Alive(leaked.AccessToken) {
			t.Error("two forced refreshes have not ended the leaked token")
		}
		s.mu.Lock()
		before := slices.Clone(s.issued)
		s.mu.Unlock()
		force(rotator.Primary, rotator.Primary)
		force(rotator.Alternate, rotator.Alternate)
		for _, token := range before { // what the runbook says of a token that has leaked
			if s.Reltio.Alive(token) {
				t.Error("a forced refresh with each set has left an earlier token alive")
			}
		}
		s.wantWorking("default")
	})
}

func TestAReportWithTwoSetsEndsNoLiveToken(t *testing.T) {
	twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.beat().want("default", rotator.Refreshed)
		time.Sleep(5 * time.Minute)
		report := rotator.Event{Action: rotator.ActionRefresh, Connections: []string{"default"}, DeadToken: s.State("default").Published.Fingerprint}
		first, _ := s.Token("default")
		if result := s.invoke(report).want("default", rotator.Refreshed); result.Set != rotator.Alternate || result.Reason != rotator.ReasonDeadToken {
			t.Errorf("%+v", result)
		}
		if !s.Reltio.Alive(first.AccessToken) {
			t.Error("the reported token, which is alive, was ended")
		}
		s.invoke(report).want("default", rotator.NotDue)
	})
}

func TestTheMessageOfAFailingSetSaysWhatToDo(t *testing.T) {
	twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.beat()
		s.Reltio.Revoke(second)
		time.Sleep(35 * time.Minute)
		r := s.beat()
		result := r.want("default", rotator.NotDue)
		if result.FailingSet != rotator.Alternate || result.Error != rotator.RefreshTokenRejected || result.RetryAt.IsZero() || !strings.Contains(result.Message, "the refresh token is not valid") {
			t.Errorf("%+v", result)
		}
		r.wantMetric("ActionRequired", 1)
		r.wantMetric("Failures", 1)
		if r.err != nil {
			t.Errorf("a set that fails beside one that serves failed the invocation: %v", r.err)
		}
	})
}
