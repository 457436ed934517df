package rotator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Code names one kind of failure. Operators, alarms and the runbook depend on
// the values.
type Code string

// The codes. Each has its meaning in the table below.
const (
	Throttled            Code = "throttled"
	ServerError          Code = "server_error"
	AnswerLost           Code = "answer_lost"
	Unreachable          Code = "unreachable"
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
	TooManyReports       Code = "too_many_reports"
	InternalError        Code = "internal_error"
)

// Codes returns every code, in the order of the runbook.
func Codes() []Code {
	return []Code{
		Throttled, ServerError, AnswerLost, Unreachable, BadResponse, RequestRejected,
		RefreshTokenRejected, ClientRejected, LoginRejected,
		CredentialsUnread, TokenNotPublished, CredentialsNotSaved, StateUnavailable, ConfigInvalid, TooManyReports, InternalError,
	}
}

// Class says who can end a failure.
type Class int

const (
	// Transient failures end without an operator.
	Transient Class = iota
	// Operator failures need an operator.
	Operator
	// Bug failures need a change of this code.
	Bug
)

// meaning is what is known about a code. The code is also the anchor of its section
// in docs/runbook.md.
type meaning struct {
	class Class
	// backoff has the wait before the next token request after each failure in a
	// row. After the last entry, that entry is used again. If it is empty, the next
	// heartbeat may send a request.
	backoff []time.Duration
	// newCredentials says that a new version of the credentials secret ends the
	// backoff, so each heartbeat looks for one.
	newCredentials bool
	// advice says what an operator can do, for messages that know only the code.
	advice string
}

// meaning is the table of codes.
func (c Code) meaning() meaning {
	backoff := func(minutes ...time.Duration) []time.Duration {
		for i := range minutes {
			minutes[i] *= time.Minute
		}
		return minutes
	}
	// Without a backoff, the server gets one request a minute, which is no load. After
	// a longer backoff, a token would stay expired although the outage has ended. A
	// rejected credential is tried once an hour, because servers also reject by mistake.
	switch c {
	case Throttled:
		return meaning{Transient, nil, false, "the token endpoint answered 429 (too many requests); no action is needed unless it continues: then fewer clients must request tokens"}
	case ServerError:
		return meaning{Transient, nil, false, "the token endpoint is unavailable; the function tries again when the server allows it"}
	case AnswerLost:
		return meaning{Transient, nil, false, "the token endpoint's answer was lost; the next heartbeat tries again"}
	case Unreachable:
		return meaning{Transient, nil, false, "the token endpoint cannot be reached; check the token URL, DNS and the function's network"}
	case BadResponse:
		return meaning{Transient, backoff(1, 2, 4, 8, 15, 30), false, "the token endpoint's response has no usable token; check the token URL and the client's settings in Reltio"}
	case RequestRejected:
		return meaning{Operator, backoff(1, 2, 4, 8, 15, 30), false, "the token endpoint, or a firewall before it, rejects the request; check the token URL, the scope and the allowed source addresses"}
	case RefreshTokenRejected:
		return meaning{Operator, backoff(60), true, "the refresh token is rejected; log in again and write the new refresh token to the credentials secret"}
	case ClientRejected:
		return meaning{Operator, backoff(60), true, "the client is rejected; correct client_id and client_secret in the credentials secret"}
	case LoginRejected:
		return meaning{Operator, backoff(60), true, "the login is rejected and is not repeated with these credentials, because accounts get locked; correct username and password in the credentials secret, or write a refresh token there"}
	case CredentialsUnread:
		return meaning{Operator, nil, true, "the credentials secret cannot be used; write a corrected value"}
	case TokenNotPublished:
		return meaning{Transient, nil, false, "the token secret could not be written; check that it exists and that the function may write it"}
	case CredentialsNotSaved:
		return meaning{Operator, nil, false, "a changed refresh token could not be saved to the credentials secret; check that the function may write it"}
	case StateUnavailable:
		return meaning{Transient, nil, false, "Parameter Store could not be read or written; check the function's permissions and the account's request limits"}
	case ConfigInvalid:
		return meaning{Operator, nil, false, "the connection's config is wrong; correct it"}
	case TooManyReports:
		return meaning{Operator, nil, false, "jobs keep reporting new tokens as rejected; look for another login of the same user, or for jobs whose 401 has another cause; scheduled refreshes continue"}
	case InternalError:
		return meaning{Bug, nil, false, "this is a bug in the rotator; report it"}
	}
	return meaning{class: Bug, advice: "this version of the rotator does not know the error; see the runbook of the version that recorded it"}
}

// Class reports who can end a failure of this code.
func (c Code) Class() Class { return c.meaning().class }

// Advice returns one sentence that says what an operator can do.
func (c Code) Advice() string { return c.meaning().advice }

// WaitsForNewCredentials reports whether a new version of the credentials secret
// ends the failure's backoff.
func (c Code) WaitsForNewCredentials() bool { return c.meaning().newCredentials }

// Runbook returns the page about this code.
func (c Code) Runbook() string { return "docs/runbook.md#" + string(c) }

// ActionRequired reports whether time alone does not end a failure of this code.
func (c Code) ActionRequired() bool { return c.known() && c.Class() != Transient }

// known reports whether this version has the code: the state may have been
// written by another one, or by hand.
func (c Code) known() bool { return slices.Contains(Codes(), c) }

// Error is a failure with its code. It carries no response body and no text of
// the server, because those can repeat a token.
type Error struct {
	Code Code
	// Message is one sentence that says what to do; it holds nothing secret.
	Message string
	// RetryAfter is how long the server asked to wait. It is zero if the server did
	// not ask.
	RetryAfter time.Duration
	// NotBefore replaces the backoff of the code if it is not zero. A time in the
	// past means that the next heartbeat tries again.
	NotBefore time.Time
	// TokenEnded says that the request may have ended the access token of its
	// credential set: its answer was lost, or an expired refresh token was tried.
	TokenEnded bool
	// Cause is for errors.Is and errors.As. It is never printed, since a
	// transport's or a provider's text can hold what was sent.
	Cause error
}

// Error returns the code and the message, never the cause's text.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns the code that err carries, or "" when it carries none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// first returns the first failure that is not nil.
func first(failures ...*Error) *Error {
	for _, failure := range failures {
		if failure != nil {
			return failure
		}
	}
	return nil
}

// remedy returns what an operator can do about a call to AWS that failed.
func remedy(err error, what string) string {
	if labelled, ok := errors.AsType[*LabelledVersionError](err); ok {
		return labelled.Remedy()
	}
	if errors.Is(err, ErrDenied) || errors.Is(err, ErrKey) {
		return "check that the function may " + what
	}
	return "if it continues, check the function's network path to AWS and the AWS status page"
}

// writeRemedy returns what an operator can do about a write to AWS that failed.
func writeRemedy(err error, what string) string {
	return remedy(err, "write "+what)
}

// joined returns both errors as one error of one line.
func joined(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return fmt.Errorf("%w, %w", a, b)
}

// RotationFailed is the error of a heartbeat in which an attempt failed. The Lambda
// runtime reports the name of this type as errorType.
type RotationFailed struct {
	// Failures are "NAME: code" for each connection, or only a code if the listing
	// failed.
	Failures []string
}

// Error returns the connections and codes.
func (e *RotationFailed) Error() string { return strings.Join(e.Failures, "; ") }
