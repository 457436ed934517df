package rotator

import (
	"context"
	"errors"
	"strings"
	"time"
)

// restore brings a refresh token out of pending refresh token into the credentials secret, and
// the attempt's credentials up to date with it. When it cannot, the error says
// so, and the refresh token is used all the same.
func (a *attempt) restore(ctx context.Context) error {
	pending := a.c.Pending
	if pending == nil {
		a.reportReplaced(ctx)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	own := a.creds.Version
	switch {
	case pending.RefreshToken.Equal(a.creds.RefreshToken): // saved after all
	case own == pending.RotatedFrom, ownBefore(own, pending.SavedAt): // or a save before that one came late
		own = newVersionID()
		document := a.creds.withRefreshToken(pending.RefreshToken)
		a.creds.RefreshToken = pending.RefreshToken
		if err := a.Saver.Save(ctx, a.c.Name, own, document); err != nil && !a.current(ctx, own) {
			a.uncertainSaveID = own
			return &Error{Code: CredentialsNotSaved, Cause: err, Message: "a changed refresh token waits pending since the credentials secret could not be written (" + err.Error() + "); " + remedy(err, "write the secret")}
		}
	default:
		a.Log.WarnContext(ctx, "a refresh token pending is given up: the credentials secret was changed meanwhile, and what stands there is used", "connection", a.c.Name)
		return a.deletePending(ctx)
	}
	if err := a.verifyUntilDone(ctx, own, pending.RotatedFrom); err != nil {
		return notReadBack(err)
	}
	version, err := a.Credentials.Read(ctx, a.c.Name)
	if err != nil {
		return notReadBack(err)
	}
	creds, err := parseCredentials(version)
	if err != nil {
		return err
	}
	a.creds = creds
	return a.deletePending(ctx)
}

// current reports whether a version is certainly the current one.
func (a *attempt) current(ctx context.Context, version string) bool {
	labels, err := a.Saver.Labels(ctx, a.c.Name)
	return err == nil && labels.Current == version
}

// verifyUntilDone looks again while it fails and there is time: once another save
// has followed, nobody can see any more whom this one replaced.
func (a *attempt) verifyUntilDone(ctx context.Context, own, read string) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		try, cancel := context.WithTimeout(ctx, saveTimeout)
		_, err := a.look(try, own, read)
		cancel()
		if err == nil || !sleep(ctx, pause) {
			return err
		}
	}
}

func notReadBack(err error) error {
	return &Error{Code: CredentialsNotSaved, Cause: err, Message: "a pending refresh token was saved but could not be read back (" + err.Error() + "); it stays pending until a coming heartbeat can"}
}

func (a *attempt) deletePending(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pendingTimeout)
	defer cancel()
	if err := a.Pending.DeletePending(ctx, a.c.Name); err != nil {
		return &Error{Code: StateUnavailable, Cause: err, Message: "the pending refresh token parameter is not needed any more and could not be deleted (" + err.Error() + "); " + remedy(err, "delete it")}
	}
	return nil
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

// reportReplaced warns when a run died between saving a refresh token and
// looking whom that write replaced: credentials that somebody put at that
// moment are the version before then. Its id is named, since the next save takes
// the label AWSPREVIOUS from it.
func (a *attempt) reportReplaced(ctx context.Context) {
	last := a.c.State.CredentialsVersion
	if !a.c.leaseExpired(time.Now()) || a.creds.Version == last || !strings.HasPrefix(a.creds.Version, ownVersion) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	labels, err := a.Saver.Labels(ctx, a.c.Name)
	if err != nil || labels.Current != a.creds.Version || labels.Previous == last || strings.HasPrefix(labels.Previous, ownVersion) {
		return
	}
	a.Log.WarnContext(ctx, "a run died right after saving a changed refresh token; if you put new credentials while it was under way, they were replaced: put them again",
		"connection", a.c.Name, "died_by", a.c.Lease.Until.Format(time.RFC3339), "replaced_version", labels.Previous)
}
