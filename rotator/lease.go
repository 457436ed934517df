package rotator

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// maxLease is the furthest ahead that a lease's end is believed.
const maxLease = 15 * time.Minute

// Lease says that a run is refreshing a connection. Parameter Store's versions
// decide who holds it: a run that saw version From and whose write became
// version From+1 does.
type Lease struct {
	// Run is the Lambda request id and a random part, because a retried
	// invocation has the same request id.
	Run string `json:"run"`
	// From is the lease's version that the run saw before it wrote.
	From int64 `json:"from"`
	// Until is when the run has stopped for certain.
	Until time.Time `json:"until"`
}

func parseLease(document string) Lease {
	var c Lease
	if err := json.Unmarshal([]byte(document), &c); err != nil {
		return Lease{}
	}
	return c
}

func (c Lease) document() string {
	document, _ := json.Marshal(c) // cannot fail: strings, numbers, a time of this century
	return string(document)
}

// open reports whether the run that wrote the lease has left no record. The
// comparison is with From, not with the parameter's version, so that the write
// of a run that came second does not outlive the winner's record.
func (c Connection) open(now time.Time) bool {
	recorded := c.State.LeaseVersion
	if recorded > c.LeaseVersion {
		recorded = 0 // somebody deleted the lease: its versions count from 1 again
	}
	return c.Lease.Run != "" && !c.Lease.Until.IsZero() &&
		!c.Lease.Until.After(now.Add(maxLease)) && c.Lease.From+1 > recorded
}

// leased reports whether another run is at work on the connection.
func (c Connection) leased(now time.Time) bool { return c.open(now) && now.Before(c.Lease.Until) }

// abandoned reports whether a run ended without a record, so that it is not known
// which token is published.
func (c Connection) leaseExpired(now time.Time) bool {
	return c.open(now) && !now.Before(c.Lease.Until)
}

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
