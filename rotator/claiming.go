package rotator

import (
	"context"
	"errors"
	"time"
)

// claim makes this run the only one that refreshes the connection, without a
// lock service: Parameter Store counts a parameter's writes, so a run that saw
// version v and whose write became v+1 wrote directly after what it saw. An
// empty outcome means: claimed.
func (a *attempt) claim(ctx context.Context) (Outcome, error) {
	turn, cancel := context.WithDeadline(ctx, a.startBy)
	defer cancel()
	if a.Parameters.WaitToWrite(turn, a.rank) != nil {
		return Deferred, nil
	}
	a.until = wholeSeconds(earlier(time.Now().Add(attemptTime), a.deadline))
	seen := a.c.ClaimVersion
	mine := Claim{Run: a.run, From: seen, Until: a.until}.document()

	ctx, cancel = context.WithTimeout(ctx, callTime)
	defer cancel()
	version, err := a.Parameters.Put(ctx, a.c.Name, KindClaim, mine)
	if err == nil && version == seen+1 {
		a.claimVersion = version
		return "", nil
	}
	// Another version, or no answer: whoever wrote seen+1 holds the claim. It
	// can be this run, when the SDK repeated a write whose answer was lost.
	first, lookErr := a.Parameters.At(ctx, a.c.Name, KindClaim, seen+1)
	switch {
	case lookErr == nil && first == mine:
		a.claimVersion = max(version, seen+1)
		return "", nil
	case lookErr == nil, err == nil && errors.Is(lookErr, ErrNotFound):
		return Busy, nil
	case err == nil:
		err = lookErr
	}
	return Failed, &Error{Code: StateUnavailable, Cause: err, Message: "the claim could not be written (" + err.Error() + "); " + remedy(err, "write the connection's claim parameter")}
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
