package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/extent"
)

// An operator adds, exchanges and removes sets of a running connection. This ends no
// token that a job uses, and no refresh token is lost.
func TestSetsAreAddedExchangedAndTakenAway(t *testing.T) {
	for _, rotates := range []bool{false, true} {
		for minute := 0; minute < 60; minute += 7 {
			if !extent.Has(minute, 4) {
				continue
			}
			twoSets(t, fakereltio.Options{RotateRefreshToken: rotates}, func(t *testing.T, s *fixture) {
				primary, alternate := s.sets()
				s.putTwo(primary, nil)
				jobs := held{}
				s.live(jobs, 60+minute, 5*time.Minute, nil)

				primary, _ = s.sets()
				s.putTwo(primary, alternate)
				s.live(jobs, 120+minute, leastLeft, nil)

				primary, alternate = s.sets()
				s.putTwo(alternate, primary)
				s.live(jobs, 120+minute, 26*time.Minute, nil)
				primary, alternate = s.sets()
				if primary["note"] != "of "+second || alternate["note"] != "of user" {
					t.Errorf("the sets are %v and %v", primary["note"], alternate["note"])
				}

				s.putTwo(primary, nil)
				s.live(jobs, 120, leastLeft, nil)
				if result := s.beat().of("default"); result.Set != "" || result.FailingSet != "" {
					t.Errorf("with one set: %+v", result)
				}
			})
		}
	}
}

func TestOneSetIsReseeded(t *testing.T) {
	for minute := 0; minute < 60; minute += 7 {
		twoSets(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			jobs := held{}
			s.live(jobs, 60+minute, 26*time.Minute, nil)
			primary, _ := s.sets()
			user := "third"
			s.Reltio.SetOptions(func(o *fakereltio.Options) { o.Users[user] = password })
			s.putTwo(primary, s.credentialsOf(user))
			s.live(jobs, 120, leastLeft, nil)
			_, alternate := s.sets()
			known := s.Reltio.RefreshTokens(user)
			if alternate["note"] != "of "+user || alternate["refresh_token"] != known[len(known)-1] {
				t.Error("the new set is not the alternate, or its refresh token is not kept")
			}
		})
	}
}

// An operator replaces one set and exchanges both in one edit: the turns continue.
func TestOneSetIsReplacedAndBothAreExchanged(t *testing.T) {
	for minute := 0; minute < 60; minute += 7 {
		twoSets(t, fakereltio.Options{RotateRefreshToken: true}, func(_ *testing.T, s *fixture) {
			jobs := held{}
			s.live(jobs, 60+minute, 26*time.Minute, nil)
			_, alternate := s.sets()
			s.Reltio.SetOptions(func(o *fakereltio.Options) { o.Users["third"] = password })
			s.putTwo(alternate, s.credentialsOf("third"))
			s.live(jobs, 120, 26*time.Minute, nil)
		})
	}
}

// A state that is lost or edited causes at most one additional refresh.
func TestTheStateOfTwoSetsIsLostOrEdited(t *testing.T) {
	for name, state := range map[string]string{
		"lost":                      `{}`,
		"not JSON":                  `{"published`,
		"a set of another name":     `{"published":{"set":"third","issued_at":"1999-01-01T00:00:00Z","expires_at":"1999-01-01T01:00:00Z","valid_until":"1999-01-01T00:50:00Z"}}`,
		"both held for years":       `{"primary":{"error":"bad_response","not_before":"2099-01-01T00:00:00Z"},"alternate":{"error":"bad_response","not_before":"2099-01-01T00:00:00Z"}}`,
		"tokens that live for ever": `{"primary":{"token_expires_at":"2099-01-01T00:00:00Z"},"alternate":{"token_expires_at":"2099-01-01T00:00:00Z"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.live(held{}, 100, 26*time.Minute, nil)
				s.AWS.PutParameter(harness.ParameterName("default", "state"), state)
				s.beat().want("default", rotator.Refreshed)
				refreshed := 0
				s.live(held{}, 4*60, 5*time.Minute, func(result rotator.Result, _ run) {
					if result.Outcome == rotator.Refreshed {
						refreshed++
					}
				})
				if refreshed > 10 {
					t.Errorf("%d refreshes in the 4 h after it", refreshed)
				}
				if result := s.beat().of("default"); result.Error != "" {
					t.Errorf("%+v", result)
				}
			})
		})
	}
}

// An operator edits the credentials before any call of a refresh, as they were before
// the run. No refresh token is lost, the edit stands, and a live token is published
// within two heartbeats.
func TestSetsAreEditedDuringARun(t *testing.T) {
	type set = map[string]any
	for name, edit := range map[string]func(s *fixture, primary, alternate set) (set, set){
		"removed":   func(_ *fixture, primary, _ set) (set, set) { return primary, nil },
		"exchanged": func(_ *fixture, primary, alternate set) (set, set) { return alternate, primary },
		"added":     func(s *fixture, primary, _ set) (set, set) { return primary, s.credentialsOf(second) },
		"reseeded":  func(s *fixture, primary, _ set) (set, set) { return primary, s.credentialsOf("third") },
	} {
		t.Run(name, func(t *testing.T) {
			for at, calls := 0, 1; at <= calls; at++ {
				twoSets(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
					s.Reltio.SetOptions(func(o *fakereltio.Options) { o.Users["third"] = password })
					primary, _ := s.sets()
					if name == "added" {
						s.putTwo(primary, nil)
					}
					s.live(held{}, 10, 5*time.Minute, nil)
					primary, alternate := s.sets()
					primary, alternate = edit(s, primary, alternate)
					time.Sleep(time.Until(s.beat().of("default").NextRefreshAt) + time.Second)
					calls = s.beatAndEdit(at, func() { s.putTwo(primary, alternate) })
					time.Sleep(time.Minute)
					s.beat()
					s.live(held{}, 75, leastLeft, nil) // a turn of each set
					s.wantSets(at, primary, alternate)
				})
			}
		})
	}
}

// beatAndEdit is a heartbeat in which an operator edits something before a call of
// AWS, or after the run if that makes fewer calls. It returns the number of calls.
func (s *fixture) beatAndEdit(at int, edit func()) (calls int) {
	var mu sync.Mutex
	s.AWS.OnCall(func(_, _ string, before bool) {
		mu.Lock()
		defer mu.Unlock()
		if before && calls == at {
			edit()
		}
		if before {
			calls++
		}
	})
	s.beat()
	s.AWS.OnCall(nil)
	if calls <= at {
		edit()
	}
	return calls
}

// wantSets: these sets are in the secret, with the newest refresh tokens.
func (s *fixture) wantSets(at int, primary, alternate map[string]any) {
	s.t.Helper()
	current, other := s.sets()
	for _, pair := range [][2]map[string]any{{current, primary}, {other, alternate}} {
		if pair[0]["note"] != pair[1]["note"] {
			s.t.Errorf("call %d: a set is %v, want %v", at, pair[0]["note"], pair[1]["note"])
		}
		user, _ := strings.CutPrefix(fmt.Sprint(pair[0]["note"]), "of ")
		if known := s.Reltio.RefreshTokens(user); pair[0] != nil && (len(known) == 0 || known[len(known)-1] != pair[0]["refresh_token"]) {
			s.t.Errorf("call %d: the newest refresh token of %s is not in its set", at, user)
		}
	}
}
