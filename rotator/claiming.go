package rotator

import (
	"context"
	"errors"
	"time"
)

// lease makes this run the only one that refreshes the connection, without a
// lock service: Parameter Store counts a parameter's writes, so a run that saw
// version v and whose write became v+1 wrote directly after what it saw. An
// empty outcome means: leased.
func (a *attempt) lease(ctx context.Context) (Outcome, error) {
	slot, cancel := context.WithDeadline(ctx, a.startBy)
	defer cancel()
	if a.Parameters.WaitToWrite(slot, a.rank) != nil {
		return Deferred, nil
	}
	a.until = wholeSeconds(earlier(time.Now().Add(attemptTimeout), a.deadline))
	seen := a.c.LeaseVersion
	mine := Lease{Run: a.run, From: seen, Until: a.until}.document()

	ctx, cancel = context.WithTimeout(ctx, callTimeout)
	defer cancel()
	version, err := a.Parameters.Put(ctx, a.c.Name, KindLease, mine)
	if err == nil && version == seen+1 {
		a.leaseVersion = version
		return "", nil
	}
	// Another version, or no answer: whoever wrote seen+1 holds the lease. It
	// can be this run, when the SDK repeated a write whose answer was lost.
	first, lookErr := a.Parameters.At(ctx, a.c.Name, KindLease, seen+1)
	switch {
	case lookErr == nil && first == mine:
		a.leaseVersion = max(version, seen+1)
		return "", nil
	case lookErr == nil, err == nil && errors.Is(lookErr, ErrNotFound):
		return Busy, nil
	case err == nil:
		err = lookErr
	}
	return Failed, &Error{Code: StateUnavailable, Cause: err, Message: "the lease could not be written (" + err.Error() + "); " + remedy(err, "write the connection's lease parameter")}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
