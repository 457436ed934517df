package rotator

import (
	"context"
	"time"
)

// record writes the state, which ends the lease. A record that changes nothing else
// comes after every other write. If there is no time for it, it is left out, and the
// lease ends when its time is over. It is not left out often in a row, because that would
// look as if the state could not be recorded.
func (a *attempt) record(ctx context.Context) error {
	a.next.LeaseVersion = a.listed.LeaseVersion
	same := !a.loginRecorded && a.c.Lease.RunsWithoutRecord < maxRunsWithoutRecord/2 && a.next.document() == a.listed.document()
	a.next.LeaseVersion = a.leaseVersion
	if !same {
		if failure := a.writeState(ctx, a.next, PriorityRecord); failure != nil {
			return failure
		}
		return nil
	}
	_ = a.writeState(ctx, a.next, PrioritySame)
	return nil
}

// writeState writes a state. It repeats a failed write until ctx ends.
func (a *attempt) writeState(ctx context.Context, s State, priority Priority) *Error {
	var lastErr error
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := a.Parameters.WaitToWrite(ctx, priority)
		if err == nil {
			if _, err = a.putState(ctx, s); err == nil || a.stateWritten(ctx, s) {
				return nil
			}
		}
		if lastErr == nil || ctx.Err() == nil {
			lastErr = err
		}
		if !sleep(ctx, pause) {
			return &Error{Code: StateUnavailable, Cause: lastErr, Message: "the state could not be recorded (" + lastErr.Error() + "); " + writeRemedy(lastErr, "the connection's state parameter")}
		}
	}
}

// stateWritten reports whether a state was written although the write failed, because
// its answer was lost. A repeated write could then replace the record of a later run.
func (a *attempt) stateWritten(ctx context.Context, s State) bool {
	listing, err := a.list(ctx)
	if err != nil {
		return false
	}
	for _, c := range Connections(listing, a.Settings, time.Now()) {
		if c.Name == a.c.Name {
			return c.State.document() == s.document() || c.State.LeaseVersion > a.leaseVersion
		}
	}
	return false
}

func (a *attempt) putState(ctx context.Context, s State) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return a.Parameters.Put(ctx, a.c.Name, KindState, s.document())
}
