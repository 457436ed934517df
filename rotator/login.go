package rotator

import (
	"context"
	"time"
)

// logIn sends the username and password, once for a version of the credentials
// until that succeeds, because accounts get locked. Before it is sent, the state
// says so, in the words of a login whose answer was lost: if this process dies
// now, that is what it is.
func (a *attempt) logIn(ctx context.Context) (TokenResponse, error) {
	before := a.c.State.LoginAttempted
	tried := before == a.creds.Version && a.c.State.Error != AnswerLost
	if tried && !a.c.forced && !a.loginRecorded {
		return TokenResponse{}, &Error{Code: LoginRejected, Message: LoginRejected.Advice()}
	}
	if err := a.recordLogin(ctx); err != nil {
		return TokenResponse{}, err
	}
	answer, err := a.send(ctx, GrantTypePassword)
	switch CodeOf(err) {
	case Unreachable, Throttled, ServerError, ClientRejected:
		a.next.LoginAttempted = before // nobody looked at the password
	case RequestRejected, BadResponse:
		a.next.LoginAttempted = before // perhaps nobody did: tried again, but after an hour
	case "":
		a.next.LoginAttempted = ""
	}
	return answer, err
}

func (a *attempt) recordLogin(ctx context.Context) error {
	if a.loginRecorded {
		return nil
	}
	now := time.Now()
	a.next.LoginAttempted = a.creds.Version
	lost := a.loginLost(a.next.endedBy(now), now, &Error{Code: AnswerLost})
	// The lease stays open: its version is not in this record.
	if err := a.writeState(ctx, lost); err != nil {
		a.next.LoginAttempted = a.c.State.LoginAttempted
		return err
	}
	a.loginRecorded = true
	return nil
}

// loginLost is the state after a login whose answer was lost, or will be should
// this process die. The first is tried again at the next heartbeat, as after any
// lost answer; a second one in a row is held, since it may count as a wrong one.
// Lost answers to other requests before it are not counted.
func (a *attempt) loginLost(s State, now time.Time, failure *Error) State {
	if a.c.State.LoginAttempted != a.creds.Version {
		s.Failures = 0
	}
	s = s.failed(a.began, now, failure)
	if s.Failures > 1 {
		s.NotBefore = a.began.Add(maxBackoff)
	}
	return s
}
