package rotator

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// PendingTokens are the changed refresh tokens that could not be saved to the
// credentials secret, at most one for each credential set. They are always written
// together.
type PendingTokens struct {
	Tokens []PendingToken
}

// PendingToken is a refresh token that waits to be saved. It is used as long as a set
// in the current secret version holds the refresh token that it replaces, whoever
// wrote that version and whatever the set's name is. Otherwise an operator has written
// another refresh token, and that one is used.
type PendingToken struct {
	Set SetName
	// Replaces is the fingerprint of the refresh token in the secret.
	Replaces     string
	RefreshToken secret.Value
	SavedAt      time.Time
}

// maxParameterBytes is the limit of a standard parameter's value.
const maxParameterBytes = 4096

type pendingFields struct {
	Tokens []pendingTokenFields `json:"tokens"`
}

type pendingTokenFields struct {
	Set          SetName   `json:"set"`
	Replaces     string    `json:"replaces"`
	RefreshToken string    `json:"refresh_token"`
	SavedAt      time.Time `json:"saved_at"`
}

func (p PendingTokens) empty() bool { return len(p.Tokens) == 0 }

func (p PendingTokens) document() secret.Value {
	fields := pendingFields{Tokens: []pendingTokenFields{}}
	for _, t := range p.Tokens {
		fields.Tokens = append(fields.Tokens, pendingTokenFields{t.Set, t.Replaces, t.RefreshToken.Reveal(), wholeSeconds(t.SavedAt)})
	}
	return jsonSecret(fields)
}

// fits reports whether Parameter Store can hold the tokens.
func (p PendingTokens) fits() bool { return len(p.document().Reveal()) <= maxParameterBytes }

// fitTwice reports whether other tokens of the same size would fit beside these.
func (p PendingTokens) fitTwice() bool {
	return PendingTokens{append(p.Tokens[:len(p.Tokens):len(p.Tokens)], p.Tokens...)}.fits()
}

// parsePending reads a pending parameter and leaves out invalid entries.
func parsePending(document secret.Value) PendingTokens {
	var fields pendingFields
	if json.Unmarshal([]byte(document.Reveal()), &fields) != nil {
		return PendingTokens{}
	}
	var p PendingTokens
	for _, f := range fields.Tokens {
		if f.RefreshToken != "" && isFingerprint(f.Replaces) && (f.Set == Primary || f.Set == Alternate) {
			p.Tokens = append(p.Tokens, PendingToken{f.Set, f.Replaces, secret.New(f.RefreshToken), f.SavedAt})
		}
	}
	return p
}

// saveSettles is for how long a write that failed may still take effect, and replace
// what another run or an operator has saved.
const saveSettles = 15 * time.Second

// settling reports whether a refresh token has just become pending, so that its save
// may still take effect.
func (p PendingTokens) settling(now time.Time) bool {
	return slices.ContainsFunc(p.Tokens, func(t PendingToken) bool {
		age := now.Sub(t.SavedAt)
		return age >= 0 && age < saveSettles
	})
}

// For returns the pending refresh token that is used instead of the one that a set has
// in a version of the secret. If the rotator began to write that version before the
// token became pending, the write took effect late, and the pending token is used too.
func (p PendingTokens) For(set CredentialSet, version string) (PendingToken, bool) {
	for _, t := range p.Tokens {
		replaces := !set.RefreshToken.Empty() && t.Replaces == set.RefreshToken.Fingerprint()
		late := t.Set == set.Name && ownBefore(version, t.SavedAt) && !t.RefreshToken.Equal(set.RefreshToken)
		if replaces || late {
			return t, true
		}
	}
	return PendingToken{}, false
}

var errTooLong = errors.New("too long for a parameter (4 KB)")
