package rotator

import (
	"context"
	"errors"
	"time"
)

const (
	// sameTokenTries and sameTokenPause: how often a token that should have
	// ended is asked for again when it comes back once more.
	sameTokenTries = 5
	sameTokenPause = time.Second
)

// ask asks for a token. It leaves the time that storing the answer needs:
// nothing is spent that could not be kept.
func (a *attempt) ask(ctx context.Context) (TokenResponse, error) {
	ctx, cancel := context.WithDeadline(ctx, a.until.Add(-storeReserve))
	defer cancel()
	answer, err := a.request(ctx)
	for range sameTokenTries {
		// A request spends the refresh token when the server changes it: the new
		// one is to be saved before anything else is asked for.
		if err != nil || a.c.reason != ReasonExpiry || !a.published(answer) || a.rotated(answer) || !sleep(ctx, sameTokenPause) {
			break
		}
		answer, err = a.request(ctx)
	}
	return answer, err
}

// published reports whether the answer is the token already out.
func (a *attempt) published(answer TokenResponse) bool {
	return a.c.State.TokenFingerprint != "" && answer.AccessToken.Fingerprint() == a.c.State.TokenFingerprint
}

// rotated reports whether the answer brought another refresh token than was sent.
func (a *attempt) rotated(answer TokenResponse) bool {
	return a.next.GrantType != GrantTypeClientCredentials && !answer.RefreshToken.Empty() && !answer.RefreshToken.Equal(a.creds.RefreshToken)
}

// request uses the best grant that the credentials allow. When the refresh
// token is refused it logs in at once, where it can: the refused request may
// have ended the access token that is out.
func (a *attempt) request(ctx context.Context) (TokenResponse, error) {
	if a.creds.RefreshToken.Empty() {
		if a.creds.canLogIn() {
			return a.logIn(ctx)
		}
		return a.send(ctx, GrantTypeClientCredentials)
	}
	answer, err := a.send(ctx, GrantTypeRefreshToken)
	if CodeOf(err) == RefreshTokenRejected && a.creds.canLogIn() {
		return a.logIn(ctx)
	}
	return answer, err
}

// logIn sends the username and password, once for a version of the credentials
// until that succeeds, because accounts get locked. Before it is sent, the state
// says so, in the words of a login whose answer was lost: if this process dies
// now, that is what it is.
func (a *attempt) logIn(ctx context.Context) (TokenResponse, error) {
	before := a.c.State.LoginAttempted
	tried := before == a.creds.Version && a.c.State.Error != AnswerLost
	if tried && !a.c.forced && !a.loginRecorded {
		return TokenResponse{}, &Error{Code: LoginRejected, Message: advice(LoginRejected)}
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

// send makes one token request and counts it.
func (a *attempt) send(ctx context.Context, grant GrantType) (TokenResponse, error) {
	answer, err := a.Endpoint.RequestToken(ctx, TokenRequest{
		TokenURL: a.c.Config.TokenURL, GrantType: grant, Scope: a.c.Config.Scope,
		ClientID: a.creds.ClientID, ClientSecret: a.creds.ClientSecret,
		RefreshToken: a.creds.RefreshToken, Username: a.creds.Username, Password: a.creds.Password,
	})
	a.throttled += answer.Throttled
	if failure, ok := errors.AsType[*Error](err); ok && failure.TokenEnded {
		a.next = a.next.endedBy(time.Now())
	}
	if err == nil {
		a.answered = append(a.answered, time.Since(answer.SentAt))
		a.next.GrantType = grant
	}
	return answer, err
}

// failed is the state after one more failure of a run that began at "began".
// The rotator's own holds count from there, so that the heartbeat after them is
// not missed by a second; the server's from now.
func (s State) failed(began, now time.Time, failure *Error) State {
	if s.Error != failure.Code {
		s.Failures = 0
	}
	s.Failures = min(max(s.Failures, 0), maxFailures-1) + 1 // it may be hand-edited
	s.Error = failure.Code
	s.NotBefore = time.Time{}
	if hold := backoffFor(failure.Code, s.Failures); hold > 0 {
		s.NotBefore = wholeSeconds(began.Add(hold))
	}
	if asked := min(failure.RetryAfter, maxBackoff); asked > 0 {
		s.NotBefore = later(s.NotBefore, wholeSeconds(now.Add(asked+time.Second-1))) // never early
	}
	return s
}

// backoffFor is how long a failure keeps from another token request. None: what
// may pass is tried again every heartbeat, since one request a minute is gentle
// and a longer pause keeps a token dead after the outage is over.
func backoffFor(code Code, failures int) time.Duration {
	switch code {
	case BadResponse, RequestRejected:
		return [maxFailures]time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute}[failures-1]
	case RefreshTokenRejected, ClientRejected:
		return maxBackoff // servers reject by mistake, too
	}
	return 0 // LoginRejected is held by its code, until the credentials change
}
