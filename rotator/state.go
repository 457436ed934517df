package rotator

import (
	"encoding/json"
	"time"
)

const (
	// maxLifetime is the longest that a token is believed to live. A server
	// that says more is believed up to it.
	maxLifetime = 24 * time.Hour
	// maxBackoff is the longest that a state may hold a connection back: the cap
	// of Retry-After and the interval between tries of rejected credentials.
	maxBackoff = time.Hour
	// clockStep is how far the clocks of two runs may differ.
	clockStep = time.Minute
	// maxWord is the longest that a state's text can be, in bytes: the id of a
	// secret's version.
	maxWord = 64
	// maxFailures is where failures stop being counted: the back-off has
	// reached its end there, and in a long outage a record that says the same
	// is not written again.
	maxFailures = 5
)

// State is what is remembered of a connection between runs. It is a hint: when
// it is lost or damaged, the connection is refreshed once too often. It holds
// nothing secret. Times are whole seconds, UTC.
type State struct {
	// ExpiresAt is when the published token ends, or the instant at which it
	// fell into doubt.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// RefreshedAt is when the last good answer was asked for.
	RefreshedAt time.Time `json:"refreshed_at,omitzero"`
	// Unchanged says that this answer was the token already out.
	Unchanged bool `json:"unchanged,omitempty"`
	// NotBefore holds the connection back after a failure.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Failures counts failures in a row with the same Error, up to maxFailures.
	Failures int `json:"failures,omitempty"`
	// Error is the standing failure, empty when all is well.
	Error Code `json:"error,omitempty"`
	// Grant is the grant that gave the published token.
	GrantType GrantType `json:"grant_type,omitempty"`
	// CanLogIn says that the credentials held a username and a password.
	CanLogIn bool `json:"can_log_in,omitempty"`
	// LoginAttempted is the credentials version that a login was sent with and
	// that no login has succeeded with.
	LoginAttempted string `json:"login_attempted,omitempty"`
	// TokenFingerprint is the published token's.
	TokenFingerprint string `json:"token_fingerprint,omitempty"`
	// RefreshTokenFingerprint is that of the refresh token in use.
	RefreshTokenFingerprint string `json:"refresh_token_fingerprint,omitempty"`
	// RefreshTokenSince is the earlier of when that refresh token was first
	// seen and when the secret version that held it was created.
	RefreshTokenSince time.Time `json:"refresh_token_since,omitzero"`
	// CredentialsVersion is the secret version last used.
	CredentialsVersion string `json:"credentials_version,omitempty"`
	// LeaseVersion is the highest lease version written by the run that
	// recorded this.
	LeaseVersion int64 `json:"lease_version,omitempty"`
}

// parseState reads a state. What cannot be true is left out, so that it counts
// as unknown; what does not depend on the clock is kept, because forgetting a
// login could lock an account.
func parseState(document string, now time.Time) State {
	var s State
	if err := json.Unmarshal([]byte(document), &s); err != nil {
		return State{}
	}
	for _, t := range []*time.Time{&s.ExpiresAt, &s.RefreshedAt, &s.NotBefore, &s.RefreshTokenSince} {
		if t.Before(time.Unix(0, 0)) {
			*t = time.Time{} // also because a year before 0 could not be written back
		}
	}
	for _, word := range []*string{
		(*string)(&s.GrantType), (*string)(&s.Error), &s.LoginAttempted, &s.TokenFingerprint, &s.RefreshTokenFingerprint, &s.CredentialsVersion,
	} {
		if len(*word) > maxWord {
			*word = "" // what it says must fit in a parameter again
		}
	}
	if s.RefreshedAt.After(now.Add(clockStep)) || s.ExpiresAt.Sub(s.RefreshedAt) > maxLifetime {
		s.RefreshedAt, s.ExpiresAt = time.Time{}, time.Time{}
	}
	if s.NotBefore.After(now.Add(maxBackoff + clockStep)) {
		s.NotBefore = time.Time{}
	}
	if s.RefreshTokenSince.After(now) {
		s.RefreshTokenSince = now
	}
	return s
}

// document is the state as it is stored.
func (s State) document() string {
	for _, t := range []*time.Time{&s.ExpiresAt, &s.RefreshedAt, &s.NotBefore, &s.RefreshTokenSince} {
		if !t.IsZero() {
			*t = wholeSeconds(*t)
		}
	}
	document, _ := json.Marshal(s) // cannot fail: strings, numbers, times of this century
	return string(document)
}

// known reports whether the state says anything about a published token.
func (s State) known() bool { return !s.RefreshedAt.IsZero() && !s.ExpiresAt.IsZero() }

// lifetime is the published token's whole life, as far as it is known.
func (s State) lifetime() time.Duration { return max(s.ExpiresAt.Sub(s.RefreshedAt), 0) }

// endedBy is the state with the published token's end no later than t.
func (s State) endedBy(t time.Time) State {
	if s.known() && s.ExpiresAt.After(t) {
		s.ExpiresAt = t
	}
	return s
}

// Since returns from when the refresh token with this fingerprint counts, given
// that it was seen now or has stood somewhere since "seen". A refresh token
// never looks younger than it is.
func (s State) Since(fingerprint string, seen time.Time) time.Time {
	switch {
	case fingerprint == "":
		return time.Time{}
	case fingerprint == s.RefreshTokenFingerprint && !s.RefreshTokenSince.IsZero() && s.RefreshTokenSince.Before(seen):
		return s.RefreshTokenSince
	}
	return seen
}
