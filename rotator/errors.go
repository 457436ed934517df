package rotator

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code names one kind of failure. Operators, alarms and the runbook depend on
// the values.
type Code string

// The codes. README.md says what each means to a person.
const (
	Throttled            Code = "throttled"
	ServerError          Code = "server_error"
	Unreachable          Code = "unreachable"
	AnswerLost           Code = "answer_lost"
	BadResponse          Code = "bad_response"
	RequestRejected      Code = "request_rejected"
	RefreshTokenRejected Code = "refresh_token_rejected"
	ClientRejected       Code = "client_rejected"
	LoginRejected        Code = "login_rejected"
	CredentialsUnread    Code = "credentials_unreadable"
	TokenNotPublished    Code = "token_not_published"
	CredentialsNotSaved  Code = "credentials_not_saved"
	StateUnavailable     Code = "state_unavailable"
	ConfigInvalid        Code = "config_invalid"
	InternalError        Code = "internal_error"
)

// ActionRequired reports whether time alone will not mend a failure of this code.
func (c Code) ActionRequired() bool {
	switch c {
	case RequestRejected, CredentialsUnread, CredentialsNotSaved, ConfigInvalid, InternalError:
		return true
	}
	return c.waitsForCredentials()
}

// waitsForCredentials reports whether new credentials are the way out, so that a
// held-back connection looks for them every heartbeat.
func (c Code) waitsForCredentials() bool {
	return c == RefreshTokenRejected || c == ClientRejected || c == LoginRejected
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

// Error is a failure with its code. It carries no response body and no text
// of the provider's: those can echo a token.
type Error struct {
	Code Code
	// Message is one sentence that says what to do; it holds nothing secret.
	Message string
	// RetryAfter is how long the server asked to wait, zero when it did not.
	RetryAfter time.Duration
	// TokenEnded says that the request may have ended the access token that
	// is published: its answer was lost, or an expired refresh token was tried.
	TokenEnded bool
	// Cause is for errors.Is and errors.As. It is never printed, since a
	// transport's or a provider's text can hold what was sent.
	Cause error
}

// Error gives the code and the message, never the cause's text.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns the code that err carries, or "" when it carries none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// firstOf returns the first failure, the gravest being named first.
func firstOf(errs ...error) *Error {
	for _, err := range errs {
		if failure, ok := errors.AsType[*Error](err); ok {
			return failure
		}
	}
	return nil
}

// remedy says what a person can do about a call to AWS that failed.
func remedy(err error, what string) string {
	if errors.Is(err, ErrDenied) || errors.Is(err, ErrKey) {
		return "check that the function may " + what
	}
	return "where it stays, check the function's way to AWS, and AWS's status"
}

// RotationFailed is what a heartbeat returns when an attempt failed. The Lambda
// runtime reports the type's name as errorType.
type RotationFailed struct {
	// Failures are "NAME: code", or one bare code when the listing failed.
	Failures []string
}

// Error names the connections and codes.
func (e *RotationFailed) Error() string { return strings.Join(e.Failures, "; ") }
