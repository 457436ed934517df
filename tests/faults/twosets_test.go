package faults_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/harness"
)

// second is the user of the alternate set.
const second = "second"

// twoSets are the situations of a connection with two credential sets. The alternate
// set has obtained the published token, and the primary set meets the faults. If the
// alternate set is not asked in the same run, it must not be harmed.
var twoSets = []situation{
	{name: "two sets, a turn", two: true, fits: rotatesWithoutPassword, prepare: func(s *fixture) { s.turnOfPrimary(noFault) }},
	{name: "two sets, valid_until has passed and a set fails", two: true, fits: rotatesWithoutPassword, prepare: func(s *fixture) {
		s.turnOfPrimary(noFault)
		s.sleepUntil(s.w.State(connection).Published.ValidUntil.Add(time.Second))
	}, meanwhile: only(refused, tokenRequest, 1), bothAsked: true},
	{name: "two sets, both refresh tokens pending", two: true, fits: rotatesWithoutPassword, prepare: func(s *fixture) {
		s.turnOfPrimary(func(_ *run, c call) *fault {
			return map[string]*fault{"Saver.Save": refused, "Saver.Labels": refused}[c.Method]
		})
		if entries := s.pendingSets(); len(entries) != 2 {
			s.t.Fatalf("the preparation left pending refresh tokens of %v", entries)
		}
	}},
}

func rotatesWithoutPassword(p provider, password bool) bool {
	return p.rotates() && !p.options.RevokeFamilyOnReplay && !password
}

// turnOfPrimary lets both sets publish a token, each in a heartbeat with the faults,
// and waits until it is the primary set's turn again.
func (s *fixture) turnOfPrimary(faultOf func(*run, call) *fault) {
	s.seed()
	_, refreshToken := s.w.Reltio.LoginAs(second)
	s.putWith(s.document(), map[string]any{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken})
	for _, set := range []rotator.SetName{rotator.Primary, rotator.Alternate} {
		if got := result1(s.beatWith(faultOf)); got.Set != set {
			s.t.Fatalf("the preparation: %+v, want a token of the %s set", got, set)
		}
		time.Sleep(33 * time.Minute)
	}
	s.held, _ = s.w.Token(connection)
}

// document returns the fields of the credentials secret.
func (s *fixture) document() map[string]any {
	document, _ := s.w.AWS.Secret(harness.SecretName(connection, "credentials"))
	var fields map[string]any
	_ = json.Unmarshal([]byte(document), &fields)
	return fields
}

// putWith writes the fields of the primary set beside those of the alternate one.
func (s *fixture) putWith(fields map[string]any, alternate any) (versionID string) {
	if alternate != nil {
		fields["alternate"] = alternate
	}
	document, _ := json.Marshal(fields)
	return s.w.AWS.PutSecret(harness.SecretName(connection, "credentials"), string(document))
}

// pendingSets returns the sets with a pending refresh token.
func (s *fixture) pendingSets() (sets []string) {
	document, _, _ := s.w.AWS.Parameter(harness.ParameterName(connection, "pending"))
	var pending struct{ Tokens []struct{ Set string } }
	_ = json.Unmarshal([]byte(document), &pending)
	for _, entry := range pending.Tokens {
		sets = append(sets, entry.Set)
	}
	return sets
}

// harmed reports whether the alternate set's token, which jobs hold, was ended before
// its valid_until. If the primary set's refresh token is lost with a run that died,
// that run may have published a token. The published token is then uncertain and may
// be replaced.
func (s *fixture) harmed() bool {
	known, _ := s.w.Reltio.AccessToken(s.held.AccessToken)
	return !known.EndedAt.IsZero() && known.EndedAt.Before(s.held.ValidUntil) &&
		s.w.State(connection).Primary.Error != rotator.RefreshTokenRejected
}

// checkNextTurns shows that what is stored works: each set obtains a token again, if
// its refresh token is not lost. It reports whether one is lost.
func (c failureCase) checkNextTurns(t *testing.T, s *fixture) (lost bool) {
	obtained := map[rotator.SetName]bool{}
	for range 4 {
		time.Sleep(33 * time.Minute)
		if got := result1(s.beatWith(noFault)); got.Outcome == rotator.Refreshed {
			obtained[got.Set] = true
		}
	}
	state := s.w.State(connection)
	once := !slices.ContainsFunc(c.injections, func(i injection) bool { return i.lasts != once }) // the other set does not meet it
	for set, fields := range s.storedSets() {
		rejected := state.Of(set).Error == rotator.RefreshTokenRejected
		lost = lost || rejected
		if rejected == obtained[set] || rejected == s.w.Reltio.RefreshTokenAlive(fields.RefreshToken) {
			t.Errorf("after the fault, the %s set obtained a token: %v; rejected: %v; its stored refresh token is accepted: %v",
				set, obtained[set], rejected, s.w.Reltio.RefreshTokenAlive(fields.RefreshToken))
		}
		if set == rotator.Alternate && rejected && !c.bothAsked && once {
			t.Errorf("the other set's refresh token is lost")
		}
	}
	if len(obtained) == 0 && once || len(obtained) > 0 && !s.w.Alive(connection) {
		t.Errorf("after the fault, tokens were obtained by %v, and a live one is published: %v", obtained, s.w.Alive(connection))
	}
	return lost
}

type storedSet struct {
	RefreshToken string `json:"refresh_token"`
}

// storedSets returns the sets in the credentials secret.
func (s *fixture) storedSets() map[rotator.SetName]storedSet {
	document, _ := s.w.AWS.Secret(harness.SecretName(connection, "credentials"))
	var sets struct {
		storedSet
		Alternate storedSet
	}
	_ = json.Unmarshal([]byte(document), &sets)
	return map[rotator.SetName]storedSet{rotator.Primary: sets.storedSet, rotator.Alternate: sets.Alternate}
}
