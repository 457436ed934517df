package rotator

import (
	"encoding/json"
	"slices"
	"time"

	"reltio-token-rotator/rotator/secret"
)

const (
	// maxLifetime is the longest lifetime of a token that is believed. A longer one
	// counts as maxLifetime.
	maxLifetime = 24 * time.Hour
	// maxBackoff is the longest time for which a failure forbids token requests. It
	// limits Retry-After and is the interval between tries of rejected credentials.
	maxBackoff = time.Hour
	// clockStep is how far the clocks of two runs may differ at most.
	clockStep = time.Minute
	// maxWord is the length in bytes of the longest text in a state, which is the id
	// of a secret's version.
	maxWord = 64
	// maxFailures limits the count of failures. The longest backoff is reached by
	// then, and the state does not change any more during a long outage.
	maxFailures = 6
	// maxReplaced is how many replaced refresh tokens a state remembers.
	maxReplaced = 8
	// expiryMargin is how long after its recorded expiry a token counts as expired,
	// because a server cuts expires_in to whole seconds, and so does the state.
	expiryMargin = 2 * time.Second
)

// State is what is remembered about a connection between runs. If it is lost or
// damaged, the connection is refreshed once more than needed. It holds nothing
// secret. Times are whole seconds, UTC.
type State struct {
	Published Published `json:"published,omitzero"`
	Primary   SetState  `json:"primary,omitzero"`
	Alternate SetState  `json:"alternate,omitzero"`
	// Error is the last failure that belongs to no credential set and has not ended.
	Error Code `json:"error,omitempty"`
	// Failures counts failures in a row with the same Error, up to maxFailures.
	Failures int `json:"failures,omitempty"`
	// NotBefore forbids token requests of every set: a server's Retry-After.
	NotBefore time.Time `json:"not_before,omitzero"`
	// CredentialsVersion is the secret version last used or saved.
	CredentialsVersion string `json:"credentials_version,omitempty"`
	// LeaseVersion is the highest lease version written by the run that
	// recorded this.
	LeaseVersion int64 `json:"lease_version,omitempty"`
}

// Published is what is known about the token in the token secret.
type Published struct {
	// Set is the credential set that obtained it. It is empty if that set is no longer
	// in the credentials secret.
	Set      SetName   `json:"set,omitempty"`
	IssuedAt time.Time `json:"issued_at,omitzero"`
	// ExpiresAt is never later than the server's own expiry.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// ValidUntil is the time in the token secret until which the rotator does not end
	// the token.
	ValidUntil  time.Time `json:"valid_until,omitzero"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	// Unchanged says that the last response was this token again.
	Unchanged bool `json:"unchanged,omitempty"`
	// UncertainSince is the first instant since the last certain response at
	// which the server may have ended the token.
	UncertainSince time.Time `json:"uncertain_since,omitzero"`
	// ReportedAt has the times of the refreshes that jobs' reports caused in the last
	// reportInterval.
	ReportedAt []time.Time `json:"reported_at,omitempty"`
}

// SetState is what is remembered about one credential set.
type SetState struct {
	// Version is the credentials version that the set was last tried with.
	Version string `json:"version,omitempty"`
	// Identity is the fingerprint of the set's client_id, LF and username.
	Identity                string `json:"identity,omitempty"`
	RefreshTokenFingerprint string `json:"refresh_token_fingerprint,omitempty"`
	// RefreshTokenSince is when the refresh token was first seen, or when the secret
	// version that held it was created, whichever was earlier.
	RefreshTokenSince time.Time `json:"refresh_token_since,omitzero"`
	// Replaced are the fingerprints of the last refresh tokens that the rotator
	// replaced, the newest last.
	Replaced []string `json:"replaced,omitempty"`
	// TokenIssuedAt, TokenExpiresAt and TokenFingerprint are those of the last
	// token of the set that was published.
	TokenIssuedAt    time.Time `json:"token_issued_at,omitzero"`
	TokenExpiresAt   time.Time `json:"token_expires_at,omitzero"`
	TokenFingerprint string    `json:"token_fingerprint,omitempty"`
	// GrantType is the grant type that obtained the last token.
	GrantType GrantType `json:"grant_type,omitempty"`
	// CanLogIn says that the set holds a username and a password.
	CanLogIn bool `json:"can_log_in,omitempty"`
	// Error is the set's last failure, and empty while the set works. Failures counts
	// the failures in a row with the same Error. FailingSince is the time of the first
	// failure since the set last worked, whatever its error was.
	Error        Code      `json:"error,omitempty"`
	Failures     int       `json:"failures,omitempty"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	// NotBefore forbids token requests of this set. Without an Error it is when the set's
	// turn comes again after a token that was not published.
	NotBefore time.Time `json:"not_before,omitzero"`
	// AnswerLostAt is when the last answer was lost. The server may still execute that
	// request for a while.
	AnswerLostAt time.Time `json:"answer_lost_at,omitzero"`
	Login        Login     `json:"login,omitzero"`
}

// Of returns the part of the state that is about a credential set.
func (s *State) Of(name SetName) *SetState {
	if name == Alternate {
		return &s.Alternate
	}
	return &s.Primary
}

// parseState reads a state. It leaves out each part that cannot be true, so that the
// part counts as unknown. It keeps what does not depend on the clock, because an
// account could be locked if a login were forgotten.
func parseState(document string, now time.Time) State {
	var parts map[string]json.RawMessage
	if json.Unmarshal([]byte(document), &parts) != nil {
		return State{}
	}
	var s State
	read := func(name string, into any) { _ = json.Unmarshal(parts[name], into) }
	read("published", &s.Published)
	read("primary", &s.Primary)
	read("alternate", &s.Alternate)
	read("error", &s.Error)
	read("failures", &s.Failures)
	read("not_before", &s.NotBefore)
	read("credentials_version", &s.CredentialsVersion)
	read("lease_version", &s.LeaseVersion)

	s.Published = s.Published.believable(now)
	s.Primary, s.Alternate = s.Primary.believable(now), s.Alternate.believable(now)
	s.NotBefore = believableBackoff(s.NotBefore, now)
	s.Failures = min(max(s.Failures, 0), maxFailures)
	shorten((*string)(&s.Error), &s.CredentialsVersion)
	return s
}

func (p Published) believable(now time.Time) Published {
	if p.Set != Primary && p.Set != Alternate {
		p.Set = ""
	}
	tooFar := p.ExpiresAt.After(now.Add(maxLifetime+clockStep)) || p.ExpiresAt.Sub(p.IssuedAt) > maxLifetime
	reversed := p.ExpiresAt.Before(p.IssuedAt) || p.ValidUntil.Before(p.IssuedAt) || p.ValidUntil.After(p.ExpiresAt)
	if p.IssuedAt.Before(epoch) || p.IssuedAt.After(now.Add(clockStep)) || tooFar || reversed {
		return Published{ReportedAt: recent(p.ReportedAt, now)}
	}
	if p.UncertainSince.Before(epoch) {
		p.UncertainSince = time.Time{}
	}
	p.UncertainSince = earlier(p.UncertainSince, now)
	p.ReportedAt = recent(p.ReportedAt, now)
	shorten(&p.Fingerprint)
	return p
}

func (s SetState) believable(now time.Time) SetState {
	for _, t := range []*time.Time{&s.RefreshTokenSince, &s.TokenIssuedAt, &s.FailingSince, &s.AnswerLostAt, &s.Login.At} {
		if t.Before(epoch) {
			*t = time.Time{} // a year before 0 could not be written again
		}
		*t = earlier(*t, now)
	}
	if s.TokenExpiresAt.Before(epoch) || s.TokenExpiresAt.After(now.Add(maxLifetime+clockStep)) {
		s.TokenExpiresAt = time.Time{}
	}
	s.NotBefore = believableBackoff(s.NotBefore, now)
	s.Failures = min(max(s.Failures, 0), maxFailures)
	s.Login.Tries = min(max(s.Login.Tries, 0), maxFailures)
	s.Replaced = slices.DeleteFunc(s.Replaced, func(f string) bool { return !isFingerprint(f) })
	s.Replaced = s.Replaced[max(0, len(s.Replaced)-maxReplaced):]
	if len(s.Replaced) == 0 {
		s.Replaced = nil // the part is zero if it holds nothing else
	}
	shorten(&s.Version, &s.Identity, &s.RefreshTokenFingerprint, &s.TokenFingerprint,
		(*string)(&s.GrantType), (*string)(&s.Error), &s.Login.Version, (*string)(&s.Login.Outcome))
	return s
}

// epoch is before every time that a state can name.
var epoch = time.Unix(0, 0)

// believableBackoff returns t, or the zero time if no backoff can be that long.
func believableBackoff(t, now time.Time) time.Time {
	if t.Before(epoch) || t.After(now.Add(maxBackoff+5*clockStep)) {
		return time.Time{}
	}
	return t
}

// shorten empties each text that is too long for its meaning, so that the state fits
// into a parameter again.
func shorten(words ...*string) {
	for _, word := range words {
		if len(*word) > maxWord {
			*word = ""
		}
	}
}

// document returns the JSON of the state, as it is stored.
func (s State) document() string {
	whole := func(times ...*time.Time) {
		for _, t := range times {
			if !t.IsZero() {
				*t = wholeSeconds(*t)
			}
		}
	}
	whole(&s.NotBefore, &s.Published.IssuedAt, &s.Published.ExpiresAt, &s.Published.ValidUntil, &s.Published.UncertainSince)
	s.Published.ReportedAt = slices.Clone(s.Published.ReportedAt)
	for i := range s.Published.ReportedAt {
		whole(&s.Published.ReportedAt[i])
	}
	for _, set := range []*SetState{&s.Primary, &s.Alternate} {
		whole(&set.RefreshTokenSince, &set.TokenIssuedAt, &set.TokenExpiresAt, &set.FailingSince, &set.NotBefore, &set.AnswerLostAt, &set.Login.At)
	}
	document, _ := json.Marshal(s) // cannot fail: strings, numbers, times of this century
	return string(document)
}

// known reports whether a published token is known.
func (p Published) known() bool { return !p.IssuedAt.IsZero() && !p.ExpiresAt.IsZero() }

// uncertain reports whether the server may have ended the token.
func (p Published) uncertain() bool { return !p.UncertainSince.IsZero() }

// lifetime returns how long the token lives from issue to expiry, or 0 if that is not
// known.
func (p Published) lifetime() time.Duration { return max(p.ExpiresAt.Sub(p.IssuedAt), 0) }

// uncertainAt returns p, marked as a token that the server may have ended at t.
func (p Published) uncertainAt(t time.Time) Published {
	if p.known() && !p.uncertain() {
		p.UncertainSince = t
	}
	return p
}

// free reports whether the set's last published token has expired. Then a request
// with the set ends no token that a job may use.
func (s SetState) free(now time.Time) bool {
	return !now.Before(s.TokenExpiresAt.Add(expiryMargin))
}

// Since returns the time from which the age of the refresh token with this
// fingerprint counts. "seen" is the earliest time at which it is known to have
// existed. A refresh token never looks younger than it is.
func (s SetState) Since(fingerprint string, seen time.Time) time.Time {
	switch {
	case fingerprint == "":
		return time.Time{}
	case fingerprint == s.RefreshTokenFingerprint && !s.RefreshTokenSince.IsZero() && s.RefreshTokenSince.Before(seen):
		return s.RefreshTokenSince
	}
	return seen
}

// replacing returns the set's state after the rotator replaced the refresh token with
// this fingerprint.
func (s SetState) replacing(fingerprint string) SetState {
	if fingerprint != "" && !slices.Contains(s.Replaced, fingerprint) {
		s.Replaced = append(slices.Clone(s.Replaced), fingerprint)
		s.Replaced = s.Replaced[max(0, len(s.Replaced)-maxReplaced):]
	}
	return s
}

// renamed returns the state after the rotator saved version "to" over version "from".
// Its own writes do not count as new credentials, but the sets in "changed" do, because an
// operator changed a field of them.
func (s State) renamed(from, to string, changed map[SetName]bool) State {
	words := []*string{&s.CredentialsVersion}
	for _, name := range []SetName{Primary, Alternate} {
		if !changed[name] {
			words = append(words, &s.Of(name).Version, &s.Of(name).Login.Version)
		}
	}
	for _, word := range words {
		if *word == from {
			*word = to
		}
	}
	return s
}

// identity returns the fingerprint that identifies a client and user.
func identity(clientID string, username secret.Value) string {
	return secret.New(clientID + "\n" + username.Reveal()).Fingerprint()
}
