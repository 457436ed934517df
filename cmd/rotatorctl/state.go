package main

import (
	"encoding/json"
	"time"

	"reltio-token-rotator/rotator"
)

// The credential sets of a connection.
const (
	setPrimary   = "primary"
	setAlternate = "alternate"
)

// remembered is a connection's state parameter, in the contract's names. What is
// absent is unknown.
type remembered struct {
	Published          published    `json:"published"`
	Primary            setState     `json:"primary"`
	Alternate          *setState    `json:"alternate"`
	Error              rotator.Code `json:"error"`
	Failures           int          `json:"failures"`
	NotBefore          time.Time    `json:"not_before"`
	CredentialsVersion string       `json:"credentials_version"`
	LeaseVersion       int64        `json:"lease_version"`
}

// published is the published token.
type published struct {
	Set            string    `json:"set"`
	IssuedAt       time.Time `json:"issued_at"`
	ExpiresAt      time.Time `json:"expires_at"`
	ValidUntil     time.Time `json:"valid_until"`
	Unchanged      bool      `json:"unchanged"`
	UncertainSince time.Time `json:"uncertain_since"`
}

// setState is one credential set.
type setState struct {
	Version                 string       `json:"version"`
	RefreshTokenFingerprint string       `json:"refresh_token_fingerprint"`
	RefreshTokenSince       time.Time    `json:"refresh_token_since"`
	TokenIssuedAt           time.Time    `json:"token_issued_at"`
	TokenExpiresAt          time.Time    `json:"token_expires_at"`
	GrantType               string       `json:"grant_type"`
	CanLogIn                bool         `json:"can_log_in"`
	Error                   rotator.Code `json:"error"`
	Failures                int          `json:"failures"`
	FailingSince            time.Time    `json:"failing_since"`
	NotBefore               time.Time    `json:"not_before"`
}

// parseState reads a state parameter; false when it is not a JSON object.
func parseState(document string) (remembered, bool) {
	var s struct {
		remembered
		earlier
	}
	if json.Unmarshal([]byte(document), &s) != nil {
		return remembered{}, false
	}
	if s.Published.IssuedAt.IsZero() && !s.earlier.RefreshedAt.IsZero() || s.Primary == (setState{}) && s.remembered.Error != "" {
		s.earlier.into(&s.remembered)
	}
	return s.remembered, true
}

// earlier is the state's earlier, flat form.
type earlier struct {
	ExpiresAt               time.Time `json:"expires_at"`
	RefreshedAt             time.Time `json:"refreshed_at"`
	Unchanged               bool      `json:"unchanged"`
	GrantType               string    `json:"grant_type"`
	CanLogIn                bool      `json:"can_log_in"`
	RefreshTokenFingerprint string    `json:"refresh_token_fingerprint"`
	RefreshTokenSince       time.Time `json:"refresh_token_since"`
}

func (e earlier) into(s *remembered) {
	s.Published = published{Set: setPrimary, IssuedAt: e.RefreshedAt, ExpiresAt: e.ExpiresAt, Unchanged: e.Unchanged}
	s.Primary = setState{
		Version: s.CredentialsVersion, GrantType: e.GrantType, CanLogIn: e.CanLogIn,
		RefreshTokenFingerprint: e.RefreshTokenFingerprint, RefreshTokenSince: e.RefreshTokenSince,
		Error: s.Error, Failures: s.Failures, NotBefore: s.NotBefore,
	}
	s.Error, s.Failures, s.NotBefore = "", 0, time.Time{}
}

// lease says which run refreshes a connection.
type lease struct {
	From  int64     `json:"from"`
	Until time.Time `json:"until"`
}

func parseLease(document string) lease {
	var l lease
	_ = json.Unmarshal([]byte(document), &l) // not JSON: not held
	return l
}

// held reports whether a run is at work.
func (l lease) held(s remembered, now time.Time) bool {
	return l.From+1 > s.LeaseVersion && now.Before(l.Until)
}
