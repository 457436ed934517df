package rotator

import (
	"context"
	"errors"
	"time"
)

const (
	// attemptTimeout is how long one connection's attempt may take from its lease.
	attemptTimeout = 50 * time.Second
	// startReserve is how much of a run must be left for an attempt to begin: a
	// token request's 20 s and what storing takes.
	startReserve = 30 * time.Second
	// startReserveAfterWait is the same after waiting for a token's end: jobs are
	// without a token from then on, so less is worth a try.
	startReserveAfterWait = 30 * time.Second
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
		a.creds, err = ParseCredentials(version)
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
