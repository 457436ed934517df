package rotator

import (
	"context"
	"time"
)

// LoginOutcome is what is known about a login.
type LoginOutcome string

// The outcomes of a login that did not succeed.
const (
	LoginSent    LoginOutcome = "sent"    // recorded before it was sent; nothing is known
	LoginRefused LoginOutcome = "refused" // the server refused the password
	LoginUnknown LoginOutcome = "unknown" // the answer was lost; the server may have counted a wrong password
)

// Login is the history of a set's password logins, until one succeeds or an operator
// changes the credentials. Only a login changes it. An error code is not enough to
// know it.
type Login struct {
	// Version is the credentials version of the login.
	Version string       `json:"version,omitempty"`
	Outcome LoginOutcome `json:"outcome,omitempty"`
	At      time.Time    `json:"at,omitzero"`
	// Tries counts logins in a row whose outcome is not known.
	Tries int `json:"tries,omitempty"`
}

// allowedAt returns when a login with this version of the credentials may be sent.
// The zero time means at once. never is true if only new credentials, or an operator
// who forces it, allow a login. Accounts get locked after a few wrong passwords, so
// a rejected password is not sent again. After a login with an unknown outcome, the
// password is sent once more, and then once an hour.
func (l Login) allowedAt(version string) (at time.Time, never bool) {
	switch {
	case l.Outcome == "" || l.Version != version:
		return time.Time{}, false
	case l.Outcome == LoginRefused:
		return time.Time{}, true
	case l.Tries > 1:
		return l.At.Add(maxBackoff), false
	}
	return time.Time{}, false
}

// after returns the history after a recorded login has ended. failure is nil if the
// login succeeded. before is the history without that login.
func (l Login) after(before Login, failure *Error) Login {
	if failure == nil {
		return Login{}
	}
	switch failure.Code {
	case Throttled, ServerError, Unreachable, ClientRejected:
		return before // the server did not look at the password
	case LoginRejected:
		l.Outcome = LoginRefused
	default:
		if l.Outcome != LoginRefused {
			l.Outcome = LoginUnknown
		}
	}
	return l
}

// outweighs reports whether l is what counts of two histories of one user's logins with
// the same credentials. Their times are whole seconds and may be equal.
func (l Login) outweighs(other Login) bool {
	switch {
	case (l.Outcome == LoginRefused) != (other.Outcome == LoginRefused):
		return l.Outcome == LoginRefused
	case l.Tries != other.Tries:
		return l.Tries > other.Tries
	}
	return l.At.After(other.At)
}

// login returns the login history that applies to a set. If both sets have the same
// username, they share one.
func (a *attempt) login(set CredentialSet) Login {
	own := a.next.Of(set.Name).Login
	other := a.creds.Of(set.Name.Other())
	if !a.creds.Two() || !set.Username.Equal(other.Username) {
		return own
	}
	shared := a.next.Of(other.Name).Login
	if own.Version != a.creds.Version || shared.Version == own.Version && shared.outweighs(own) {
		return shared
	}
	return own
}

// logIn sends the username and password. It first records that it does: if this
// process dies, the next run knows that the outcome is unknown.
func (a *attempt) logIn(ctx context.Context, set CredentialSet) (TokenResponse, *Error) {
	before := a.login(set)
	at, never := before.allowedAt(a.creds.Version)
	switch {
	case a.event.Force:
	case never:
		return TokenResponse{}, &Error{Code: LoginRejected, Message: LoginRejected.Advice()}
	case time.Now().Before(at):
		return TokenResponse{}, &Error{Code: AnswerLost, NotBefore: at, Message: "the outcome of the last login is not known, and the password may be wrong; it is sent once an hour, because accounts get locked"}
	}
	sent := Login{Version: a.creds.Version, Outcome: LoginSent, At: time.Now(), Tries: 1}
	switch {
	case before.Version != sent.Version:
	case before.Outcome == LoginRefused:
		sent.Outcome = LoginRefused // only a login that succeeds proves otherwise
	default:
		sent.Tries = min(before.Tries, maxFailures-1) + 1
	}
	if failure := a.recordLogin(ctx, set.Name, sent, before); failure != nil {
		return TokenResponse{}, failure
	}
	response, failure := a.send(ctx, set, GrantTypePassword)
	after := sent.after(before, failure)
	a.next.Of(set.Name).Login = after
	if failure == nil && a.creds.Two() && set.Username.Equal(a.creds.Of(set.Name.Other()).Username) {
		a.next.Of(set.Name.Other()).Login = Login{}
	}
	if failure != nil && after.Outcome == LoginUnknown {
		failure.NotBefore = a.began // the next heartbeat, whatever backoff the code has
		if after.Tries > 1 {
			failure.NotBefore = sent.At.Add(maxBackoff)
		}
	}
	return response, failure
}

// recordLogin writes the state that is true if this process dies during the login. The
// lease stays open, because its version is not in this record.
func (a *attempt) recordLogin(ctx context.Context, set SetName, sent, before Login) *Error {
	now := time.Now()
	a.next.Of(set).Login = sent
	dying := a.next
	if dying.Published.Set == set {
		dying.Published = dying.Published.uncertainAt(now)
	}
	part := dying.Of(set)
	*part = part.failed(a.began, now, &Error{Code: AnswerLost, NotBefore: a.began})
	part.Version, part.AnswerLostAt = a.creds.Version, now
	if sent.Tries > 1 {
		part.NotBefore = wholeSeconds(sent.At.Add(maxBackoff))
	}
	if !a.unsaved {
		dying.CredentialsVersion = a.creds.Version
	}
	dying.LeaseVersion = a.c.State.LeaseVersion
	if failure := a.writeState(ctx, dying, PriorityRecord); failure != nil {
		a.next.Of(set).Login = before
		return failure
	}
	a.loginRecorded = true
	return nil
}
