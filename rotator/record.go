package rotator

import (
	"context"
	"errors"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// recordKept records what became of a granted answer.
func (a *attempt) recordKept(ctx context.Context, answer TokenResponse, k *kept, bad, stillPending error) (Outcome, error) {
	now := time.Now()
	outcome, old := Refreshed, a.c.State
	switch {
	case k.published:
		a.next = State{
			GrantType: a.next.GrantType, LoginAttempted: a.next.LoginAttempted,
			RefreshedAt: k.token.IssuedAt, ExpiresAt: k.token.ExpiresAt, TokenFingerprint: answer.AccessToken.Fingerprint(),
		}
	case k.token == nil && bad == nil:
		outcome = Unchanged
		a.next = State{
			GrantType: a.next.GrantType, LoginAttempted: a.next.LoginAttempted,
			RefreshedAt: answer.SentAt, ExpiresAt: old.sameTokenEnd(answer, now), TokenFingerprint: old.TokenFingerprint, Unchanged: true,
		}
	default: // the granted token is lost, and the published one may have ended with it
		a.next = a.next.endedBy(now)
	}
	version, refreshToken, seen := a.creds.Version, a.creds.RefreshToken, a.creds.CreatedAt
	if s := k.saving; s != nil {
		refreshToken, seen = s.refreshToken, answer.SentAt
		if s.saved {
			version = s.versionID
		}
		if s.concurrentWrite {
			a.next = a.next.endedBy(now) // so that the next heartbeat uses theirs
		}
		if s.saved && !s.verified {
			a.Log.WarnContext(ctx, "a changed refresh token was saved, but not whom it replaced could be seen; if you put new credentials at this moment, put them again", "connection", a.c.Name)
		}
		if s.saved && a.c.Pending != nil {
			stillPending = a.deletePending(ctx)
		}
	}
	a.describeCredentials(version, refreshToken, seen)

	failure := firstOf(a.notSaved(k.saving), stillPending, a.notPublished(k), bad)
	if failure != nil {
		outcome = Failed
		a.next = a.next.failed(a.began, now, failure)
	}
	err := a.record(ctx)
	switch {
	case failure != nil && err != nil:
		return Failed, errors.Join(failure, err)
	case failure != nil:
		return Failed, failure
	case err != nil:
		return Failed, err
	}
	return outcome, nil
}

// recordFailure records why no token was granted.
func (a *attempt) recordFailure(ctx context.Context, err error) (Outcome, error) {
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		failure = &Error{Code: InternalError, Cause: err, Message: InternalError.Advice()}
	}
	now := time.Now()
	if a.c.reason == ReasonDeadToken {
		a.next = a.next.endedBy(now) // a job says so, and it could not be replaced
	}
	a.describeCredentials(a.creds.Version, a.creds.RefreshToken, a.creds.CreatedAt)
	if a.loginRecorded && failure.Code == AnswerLost {
		a.next = a.loginLost(a.next, now, failure)
	} else {
		a.next = a.next.failed(a.began, now, failure)
	}
	if a.loginRecorded && (failure.Code == RequestRejected || failure.Code == BadResponse) {
		a.next.NotBefore = a.began.Add(maxBackoff) // such logins may count as wrong ones
	}
	// A failure outside the window, of a forced try, does not make the token
	// that is out late: it becomes due when it would have.
	if at := a.upcoming(); failure.RetryAfter == 0 && at.After(now) && a.next.NotBefore.After(at) {
		a.next.NotBefore = at
	}
	if recordErr := a.record(ctx); recordErr != nil {
		return Failed, errors.Join(failure, recordErr)
	}
	return Failed, failure
}

// recordRestored records a run in which only a pending refresh token was due.
func (a *attempt) recordRestored(ctx context.Context, stillPending error) (Outcome, error) {
	failure := firstOf(stillPending)
	if failure != nil && !a.c.State.holds(time.Now()) {
		return a.recordFailure(ctx, failure)
	}
	if failure != nil { // what holds the token requests back stands
		a.next.LeaseVersion = a.leaseVersion
		return Failed, errors.Join(failure, a.writeState(ctx, a.next))
	}
	switch a.next.Error {
	case CredentialsNotSaved, CredentialsUnread, StateUnavailable: // of a restoring that failed
		a.next.Error, a.next.Failures = "", 0
	}
	a.describeCredentials(a.creds.Version, a.creds.RefreshToken, a.creds.CreatedAt)
	a.next.LeaseVersion = a.leaseVersion
	if err := a.writeState(ctx, a.next); err != nil {
		return Failed, err
	}
	return Restored, nil
}

// describeCredentials notes which credentials the next state rests on.
func (a *attempt) describeCredentials(version string, refreshToken secret.Value, seen time.Time) {
	now := time.Now()
	if seen.IsZero() || seen.After(now) {
		seen = now
	}
	fingerprint := refreshToken.Fingerprint()
	a.next.RefreshTokenSince = a.c.State.Since(fingerprint, seen)
	a.next.RefreshTokenFingerprint = fingerprint
	a.next.CredentialsVersion = version
	a.next.CanLogIn = a.creds.CanLogIn()
}

// upcoming is when the state about to be recorded makes the connection due.
func (a *attempt) upcoming() time.Time {
	c := a.c.Connection
	c.State = a.next
	return c.refreshAt(a.Settings.Heartbeat)
}

// record writes the state, which ends the lease. A failure that the state says
// already, of a token that has ended, is not written again: the lease then ends
// by itself, and nothing that it could throw into doubt is left.
func (a *attempt) record(ctx context.Context) error {
	a.next.LeaseVersion = a.c.State.LeaseVersion
	if a.next.Error != "" && !a.loginRecorded && !a.next.ExpiresAt.After(time.Now()) && a.next.document() == a.c.State.document() {
		return nil
	}
	a.next.LeaseVersion = a.leaseVersion
	return a.writeState(ctx, a.next)
}

// writeState writes a state, again for as long as ctx allows.
func (a *attempt) writeState(ctx context.Context, s State) error {
	var lastErr error
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := a.Parameters.WaitToWrite(ctx, PriorityRecord)
		if err == nil {
			if _, err = a.Parameters.Put(ctx, a.c.Name, KindState, s.document()); err == nil {
				return nil
			}
		}
		if lastErr == nil || ctx.Err() == nil {
			lastErr = err
		}
		if !sleep(ctx, pause) {
			return &Error{Code: StateUnavailable, Cause: lastErr, Message: "the state could not be recorded (" + lastErr.Error() + "); " + remedy(lastErr, "write the connection's state parameter")}
		}
	}
}
