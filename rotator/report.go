package rotator

import "time"

// Outcome is what a run did about a connection.
type Outcome string

// The outcomes.
const (
	NotDue        Outcome = "not_due"
	Refreshed     Outcome = "refreshed"
	Unchanged     Outcome = "unchanged"      // the server returned the token already out
	Restored      Outcome = "restored"       // a pending refresh token was saved, nothing else was due
	BackingOff    Outcome = "backing_off"    // held back after a failure; no attempt made
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

// Result is what became of one connection.
type Result struct {
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	Reason  Reason  `json:"reason,omitempty"`
	// ExpiresAt is the published token's, absent where there never was one.
	ExpiresAt        time.Time `json:"expires_at,omitzero"`
	SecondsRemaining *int64    `json:"seconds_remaining,omitempty"`
	Error            Code      `json:"error,omitempty"`
	// RetryAt is absent where no time is known.
	RetryAt time.Time `json:"retry_at,omitzero"`
	// Message is one sentence that says what to do.
	Message string `json:"message,omitempty"`
}

// advice says what to do about a standing failure of which only the code is
// remembered.
func advice(code Code) string {
	switch code {
	case Throttled:
		return "the token endpoint asked to wait (429); nothing to do unless it goes on: then fewer clients must ask it for tokens"
	case ServerError:
		return "the token endpoint failed; it is asked again every heartbeat"
	case Unreachable:
		return "the token endpoint cannot be reached; check the token URL, DNS and the function's network"
	case AnswerLost:
		return "the token endpoint's answer was lost; it is asked again"
	case BadResponse:
		return "the token endpoint's answer holds no usable token; check the token URL and the client's settings in Reltio"
	case RequestRejected:
		return "the token endpoint or a firewall before it refuses the request; check the token URL, the scope and allowed source addresses"
	case RefreshTokenRejected:
		return "the refresh token is refused; log in again and put the new refresh token into the credentials secret"
	case ClientRejected:
		return "the client is refused; correct client_id and client_secret in the credentials secret"
	case LoginRejected:
		return "the login is refused and is not tried again with these credentials, since accounts get locked; correct username and password in the credentials secret, or put a refresh token there"
	case CredentialsUnread:
		return "the credentials secret cannot be used; put a corrected value"
	case TokenNotPublished:
		return "the token secret could not be written; check that it exists and that the function may write it"
	case CredentialsNotSaved:
		return "a changed refresh token could not be saved to the credentials secret; check that the function may write it"
	case StateUnavailable:
		return "Parameter Store could not be read or written; check that the function may, and the account's request limits"
	case ConfigInvalid:
		return "the connection's config is wrong; correct it"
	case InternalError:
		return "a bug in the rotator; report it"
	}
	return "see the runbook"
}
