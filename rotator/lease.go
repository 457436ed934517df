package rotator

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// maxLease is how far ahead a lease may end. A lease that ends later is ignored.
const maxLease = 15 * time.Minute

// maxRaces is how many versions of the lease findHolder reads at most.
const maxRaces = 4

// Lease says which run refreshes a connection. Parameter Store's version numbers
// decide which run holds it, so that no lock service is needed. They count a
// parameter's writes: if a run saw version From and its write became version
// From+1, no other run wrote in between.
type Lease struct {
	// Run is the Lambda request id and a random part, because a retried
	// invocation has the same request id.
	Run string `json:"run"`
	// From is the lease's version that the run saw before it wrote.
	From int64 `json:"from"`
	// Until is the time after which the run writes nothing.
	Until time.Time `json:"until"`
	// Set is the credential set of the token request. If the run may use both, it is
	// the one that obtained the published token. It is empty if the run makes no
	// token request.
	Set SetName `json:"set,omitempty"`
	// CredentialsVersion is the version of the credentials secret that the run read. If
	// the run ends without a record, it shows whether the run's save replaced another
	// one. It is empty if the run could not read the secret.
	CredentialsVersion string `json:"credentials_version,omitempty"`
	// Save is the id of the version as which the run first saves a changed refresh token
	// of a response, so that what it saved can be found even if an operator has written since.
	Save string `json:"save,omitempty"`
	// RunsWithoutRecord counts the runs in a row before this one that may have requested a
	// token and left no record.
	RunsWithoutRecord int `json:"runs_without_record,omitempty"`
}

func parseLease(document string) Lease {
	var l Lease
	if err := json.Unmarshal([]byte(document), &l); err != nil {
		return Lease{}
	}
	shorten(&l.CredentialsVersion, &l.Save)
	l.RunsWithoutRecord = min(max(l.RunsWithoutRecord, 0), maxRunsWithoutRecord) // it may be hand-edited
	return l
}

func (l Lease) document() string {
	document, _ := json.Marshal(l) // cannot fail: strings, numbers, a time of this century
	return string(document)
}

// leaseOpen reports whether the run that wrote the lease has not recorded a state.
// It compares From and not the parameter's version. Otherwise a run that wrote
// second and lost would leave an open lease after the other run's record.
func (c Connection) leaseOpen(now time.Time) bool {
	recorded := c.State.LeaseVersion
	if recorded > c.LeaseVersion {
		recorded = 0 // an operator deleted the lease: its versions count from 1 again
	}
	return c.Lease.Run != "" && !c.Lease.Until.IsZero() &&
		!c.Lease.Until.After(now.Add(maxLease)) && c.Lease.From+1 > recorded
}

// LeaseHeld reports whether a run is refreshing the connection.
func (c Connection) LeaseHeld(now time.Time) bool {
	return c.leaseOpen(now) && now.Before(c.Lease.Until)
}

// leaseExpired reports whether a run ended without a record.
func (c Connection) leaseExpired(now time.Time) bool {
	return c.leaseOpen(now) && !now.Before(c.Lease.Until)
}

// unknownResult reports whether the result of a token request is not known, because its
// run ended without a record.
func (c Connection) unknownResult(now time.Time) bool {
	return c.leaseExpired(now) && c.Lease.Set != ""
}

// takeLease makes this run the only one that refreshes the connection, for as long as
// timeout. If it returns an empty outcome, the run holds the lease.
func (a *attempt) takeLease(ctx context.Context, timeout time.Duration) (Outcome, error) {
	slot, cancel := context.WithDeadline(ctx, a.startBy)
	defer cancel()
	if a.Parameters.WaitToWrite(slot, a.rank) != nil || a.deferredFor(time.Now()) {
		return Deferred, nil
	}
	a.until = wholeSeconds(earlier(time.Now().Add(timeout), a.deadline))
	seen := a.c.LeaseVersion
	mine := a.newLease(seen).document()

	ctx, cancel = context.WithTimeout(ctx, callTimeout)
	defer cancel()
	version, err := a.Parameters.Put(ctx, a.c.Name, KindLease, mine)
	if err == nil && version == seen+1 {
		a.leaseVersion = version
		return "", nil
	}
	// The version is another one, or there was no answer. The run that wrote seen+1
	// holds the lease. That is this run if the SDK repeated a write whose answer was
	// lost.
	first, readErr := a.Parameters.At(ctx, a.c.Name, KindLease, seen+1)
	switch {
	case readErr == nil && first == mine:
		a.leaseVersion = max(version, seen+1)
		return "", nil
	case readErr == nil, err == nil && errors.Is(readErr, ErrNotFound):
		return Busy, nil
	case err == nil:
		err = readErr
	}
	return Failed, &Error{Code: StateUnavailable, Cause: err, Message: "the lease could not be written (" + err.Error() + "); " + writeRemedy(err, "the connection's lease parameter")}
}

// newLease returns the lease that the run writes over version seen.
func (a *attempt) newLease(seen int64) Lease {
	a.saveID = newVersionID()
	l := Lease{Run: a.run, From: seen, Until: a.until, Set: a.leaseSet(), CredentialsVersion: a.creds.Version, Save: a.saveID}
	if a.c.leaseExpired(a.began) {
		l.RunsWithoutRecord = a.c.Lease.RunsWithoutRecord
		if len(a.d.ask) > 0 {
			l.RunsWithoutRecord = min(l.RunsWithoutRecord+1, maxRunsWithoutRecord)
		}
	}
	if a.inherited != nil || a.unrecorded || a.creds.Version == "" && a.c.leaseExpired(a.began) {
		// What a run saved before it died is not settled yet.
		l.CredentialsVersion, l.Save = a.c.Lease.CredentialsVersion, a.c.Lease.Save
	}
	return l
}

// timeout returns how long the attempt may take after it took the lease.
func (a *attempt) timeout() time.Duration {
	if len(a.d.ask) > 1 {
		return twoSetsTimeout
	}
	return attemptTimeout
}

// leaseSet returns the set that the lease names.
func (a *attempt) leaseSet() SetName {
	for _, set := range a.d.ask {
		if set == a.c.State.Published.Set {
			return set
		}
	}
	if len(a.d.ask) > 0 {
		return a.d.ask[0]
	}
	if a.c.leaseExpired(a.began) {
		return a.c.Lease.Set // until this run's record, it is not known what that lease's run did
	}
	return ""
}

// findHolder reads the lease of the last run that held it, if a run that did not get it
// wrote over it: the listing shows only the later document, which may end earlier. It
// reports whether the holder may still be running.
func (a *attempt) findHolder(ctx context.Context) (held bool) {
	first, last := a.c.Lease.From+1, a.c.LeaseVersion-1
	if last < first || !a.c.leaseExpired(a.began) {
		return false
	}
	for version := last; version >= max(first, last-maxRaces+1); version-- {
		var document string
		err := a.repeatRead(ctx, func(ctx context.Context) (err error) {
			document, err = a.Parameters.At(ctx, a.c.Name, KindLease, version)
			return err
		})
		if err != nil {
			return !errors.Is(err, ErrNotFound)
		}
		if holder := parseLease(document); holder.From+1 == version && holder.Run != a.c.Lease.Run {
			a.c.Lease = holder
			break
		}
	}
	return a.c.LeaseHeld(a.began)
}

// inheritLease marks the published token as uncertain if a run that ended without a
// record may have ended it. This run's record ends that run's lease, and without the
// mark nothing would show the uncertainty any more.
func (a *attempt) inheritLease(now time.Time) {
	if a.c.unknownResult(now) {
		// The run may have published a token of the resting set, too.
		a.next.Published = a.next.Published.uncertainAt(now)
	}
}
