package rotator

import (
	"context"
	"errors"
	"time"

	"reltio-token-rotator/rotator/secret"
)

const (
	// attemptTimeout is how long one connection's attempt may take from its lease.
	attemptTimeout = 50 * time.Second
	// startReserve is how much of a run must be left for an attempt to begin: a
	// token request's 20 s and what storing takes.
	startReserve = 30 * time.Second
	// startReserveAfterWait is the same after waiting for a token's end: jobs are
	// without a token from then on, so less is worth a try.
	startReserveAfterWait = 15 * time.Second
	// storeReserve is kept free for what follows a granted token: four calls
	// (save, look, publish, record), each twice as long as a second.
	storeReserve = 8 * time.Second
	// recordReserve is the part of it that only the record may use.
	recordReserve = 2 * time.Second
	// callTimeout bounds one call of a store.
	callTimeout = 10 * time.Second
)

// attempt is one connection's way through the story, in one run.
type attempt struct {
	*Rotator
	c decided
	// run is the run's name in leases; rank the attempt's place by urgency.
	run  string
	rank Priority
	// began is the run's clock reading, deadline its end; what has not leased
	// by startBy is left to a later run; until is the lease's end, after which
	// nothing is written.
	began, deadline, startBy, until time.Time

	leaseVersion int64

	creds Credentials
	// next is the state that the record will say.
	next State
	// unsure is the id of a save that failed and may yet happen. The next save
	// has the same id: the secret takes one of the two, so that an older refresh
	// token cannot come late and replace a newer one.
	uncertainSaveID string
	// announced: the state says that a login was sent.
	loginRecorded bool

	throttled int
	answered  []time.Duration
}

// decided is a connection and what the run does about it.
type decided struct {
	Connection
	decision
}

// rotate is the story of one connection: read its credentials, lease it, ask
// for a token, save a changed refresh token, publish the access token, record
// the state. What is recorded is left in a.next.
func (a *attempt) rotate(ctx context.Context) (Outcome, error) {
	a.next = a.c.State
	if !sleepUntil(ctx, a.c.waitUntil) {
		return Deferred, nil
	}
	if outcome, err := a.read(ctx); outcome != "" {
		return outcome, err
	}
	if outcome, err := a.lease(ctx); outcome != "" {
		return outcome, err
	}
	// From here on the run's own end must not cut a write short. All of it ends
	// with the lease, and before the handler returns: a goroutine left behind
	// would wake after the freeze and publish an old token.
	leased, done := context.WithDeadline(context.WithoutCancel(ctx), a.until)
	defer done()

	if now := time.Now(); a.c.leaseExpired(now) {
		// This run's record will end the lease, but not the doubt, unless it
		// publishes.
		a.next = a.next.endedBy(now)
	}
	stillPending := a.restore(leased)
	if !a.c.grant {
		return a.recordRestored(leased, stillPending)
	}
	answer, err := a.ask(ctx)
	if err != nil {
		return a.recordFailure(leased, err)
	}
	return a.keep(leased, answer, stillPending)
}

// read reads the credentials and tells what becomes of a connection that has
// none, or that only new ones could move. An empty outcome means: go on.
func (a *attempt) read(ctx context.Context) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	version, err := a.Credentials.Read(ctx, a.c.Name)
	if err == nil {
		a.creds, err = parseCredentials(version)
	}
	switch {
	case err != nil && a.c.waitsForNew:
		return BackingOff, nil
	case errors.Is(err, ErrNotFound) && a.c.State.RefreshedAt.IsZero():
		return NoCredentials, nil
	case errors.Is(err, ErrNotFound):
		return Failed, &Error{Code: CredentialsUnread, Cause: err, Message: "the credentials secret is gone or has no value any more; put one"}
	case err != nil && CodeOf(err) == "":
		return Failed, &Error{Code: CredentialsUnread, Cause: err, Message: "the credentials secret could not be read (" + err.Error() + "); " + remedy(err, "read it")}
	case err != nil:
		return Failed, err
	}
	if a.c.waitsForNew {
		if a.creds.Version != a.c.State.CredentialsVersion {
			a.c.grant, a.c.reason = true, ReasonNewCredentials
		} else if a.c.Pending == nil {
			return BackingOff, nil
		}
	}
	return "", nil
}

// recordFailure records why no token was granted.
func (a *attempt) recordFailure(ctx context.Context, err error) (Outcome, error) {
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		failure = &Error{Code: InternalError, Cause: err, Message: advice(InternalError)}
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

// upcoming is when the state about to be recorded makes the connection due.
func (a *attempt) upcoming() time.Time {
	c := a.c.Connection
	c.State = a.next
	return c.refreshAt(a.Settings.Heartbeat)
}

// describeCredentials notes which credentials the next state rests on.
func (a *attempt) describeCredentials(version string, refreshToken secret.Value, seen time.Time) {
	now := time.Now()
	if seen.IsZero() || seen.After(now) {
		seen = now
	}
	fingerprint := refreshToken.Fingerprint()
	a.next.RefreshTokenSince = a.c.State.since(fingerprint, seen)
	a.next.RefreshTokenFingerprint = fingerprint
	a.next.CredentialsVersion = version
	a.next.CanLogIn = a.creds.canLogIn()
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
			return &Error{Code: StateUnavailable, Cause: lastErr, Message: "the state could not be recorded (" + lastErr.Error() + "); check that the function may write the connection's state parameter"}
		}
	}
}

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
)

// sleep pauses for d; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func sleepUntil(ctx context.Context, t time.Time) bool { return sleep(ctx, time.Until(t)) }
