package rotator

import (
	"time"
)

// Outcome is what a run did about a connection.
type Outcome string

// The outcomes.
const (
	NotDue        Outcome = "not_due"
	Refreshed     Outcome = "refreshed"
	Unchanged     Outcome = "unchanged"      // the server returned the published token, or one that expires earlier
	Restored      Outcome = "restored"       // a pending refresh token was saved, nothing else was due
	BackingOff    Outcome = "backing_off"    // waiting after a failure; no attempt made
	Busy          Outcome = "busy"           // another run holds the lease
	Deferred      Outcome = "deferred"       // no time left in this run
	NoCredentials Outcome = "no_credentials" // never refreshed, and no credentials found
	Disabled      Outcome = "disabled"
	Failed        Outcome = "failed"
)

// Report is what a run returns. It holds nothing secret.
type Report struct {
	Version    string    `json:"version"`
	StartedAt  time.Time `json:"started_at"`
	DurationMS int64     `json:"duration_ms"`
	// Error is the code of a failed listing; Connections is empty then.
	Error       Code     `json:"error,omitempty"`
	Message     string   `json:"message,omitempty"`
	Connections []Result `json:"connections"`
}

// Result is the result of one connection.
type Result struct {
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	Reason  Reason  `json:"reason,omitempty"`
	// Set is the credential set that obtained the published token, if the connection
	// has two. FailingSet is the set that the error belongs to, if the other set
	// provides a valid token.
	Set        SetName `json:"set,omitempty"`
	FailingSet SetName `json:"failing_set,omitempty"`
	// ExpiresAt is the expiry of the published token. It is absent if none is known.
	ExpiresAt        time.Time `json:"expires_at,omitzero"`
	SecondsRemaining *int64    `json:"seconds_remaining,omitempty"`
	// ValidUntil is the time until which the rotator does not end that token.
	ValidUntil time.Time `json:"valid_until,omitzero"`
	// NextRefreshAt is absent if it is not known.
	NextRefreshAt time.Time `json:"next_refresh_at,omitzero"`
	Error         Code      `json:"error,omitempty"`
	// RetryAt is absent if no time is known.
	RetryAt time.Time `json:"retry_at,omitzero"`
	// Message is one sentence that says what to do.
	Message string `json:"message,omitempty"`
}

// Reason says why a connection is due.
type Reason string

// The reasons.
const (
	ReasonUnknown        Reason = "unknown"         // no published token is known
	ReasonUncertain      Reason = "uncertain"       // the server may have ended the published token
	ReasonWindow         Reason = "window"          // the refresh window before the expiry has begun
	ReasonTurn           Reason = "turn"            // it is the other credential set's turn
	ReasonExpiry         Reason = "expiry"          // the server gives a new token only after the old one's expiry
	ReasonLeaseExpired   Reason = "lease_expired"   // a run ended without a record
	ReasonForced         Reason = "forced"          // an operator forces it
	ReasonDeadToken      Reason = "dead_token"      // a job reported that the published token is rejected
	ReasonNewCredentials Reason = "new_credentials" // after a rejection, the credentials secret has changed
	ReasonPending        Reason = "pending"         // a pending refresh token is to be saved
)
