package rotator

import (
	"context"
	"errors"
	"maps"
	"time"
)

// This file says what an attempt does about a save that the state does not name: a run died
// between its save and its record, or its save took effect late. The lease names the
// version that the run had read.

// readLabels reads which versions are current and previous, if a save that the state
// does not name may have happened.
func (a *attempt) readLabels(ctx context.Context) {
	died, named := a.c.leaseExpired(a.began), a.creds.Version == a.listed.CredentialsVersion
	if !died && (named || isOperators(a.creds.Version) && a.c.Pending.empty()) {
		return
	}
	a.labelsErr = a.repeatRead(ctx, func(ctx context.Context) (err error) {
		a.labels, err = a.Saver.Labels(ctx, a.c.Name)
		return err
	})
	previous := a.labels.Previous
	maybe := previous != "" && a.labels.Current == a.creds.Version && (isOwn(a.creds.Version) || died && a.savedByDead(previous))
	if maybe {
		_ = a.repeatRead(ctx, func(ctx context.Context) error {
			version, err := a.Credentials.ReadVersion(ctx, a.c.Name, previous)
			a.rolledBack = err == nil && version.CreatedAt.After(a.creds.CreatedAt)
			return err
		})
	}
	a.labelsRead = !named || a.rolledBack
}

// savedByDead reports whether the run that died may have saved this version. An earlier
// run may have saved it and made an operator's version current again.
func (a *attempt) savedByDead(version string) bool {
	return isOwn(version) && !ownBefore(version, a.c.Lease.Until.Add(-twoSetsTimeout))
}

// byOperator reports whether an operator made the credentials current: wrote them, or made
// an earlier version current again. A save that takes effect late is not taken for that,
// because Secrets Manager gives it the date at which it takes effect.
func (a *attempt) byOperator() bool { return isOperators(a.creds.Version) || a.rolledBack }

// alignWithUnrecorded notes in the state what a run saved right before it died, if an
// operator has saved another document since, which may be an older one.
func (a *attempt) alignWithUnrecorded(ctx context.Context) error {
	read, last := a.c.Lease.CredentialsVersion, a.listed.CredentialsVersion
	if !a.labelsRead || !a.c.leaseExpired(a.began) || !a.byOperator() || a.creds.Version == read && !a.rolledBack {
		return nil
	}
	// The run may have merged what it saved into an operator's document. It may also have
	// saved nothing, and what it had read was not recorded.
	for _, saved := range []string{a.labels.Previous, a.c.Lease.Save, read} {
		if !isOwn(saved) || saved == last {
			continue
		}
		newer, err := a.readVersion(ctx, saved)
		if errors.Is(err, ErrNotFound) || CodeOf(err) != "" {
			continue
		}
		var used map[SetName]string
		if err == nil {
			used, err = a.usedBy(ctx, read)
		}
		switch {
		case err != nil && a.began.After(a.c.Lease.Until.Add(maxLease)):
			continue // it cannot be read for long, so that the operator's document is used
		case err != nil:
			return &Error{Code: CredentialsUnread, Cause: err, Message: "a run ended without a record, and what it may have saved to the credentials secret could not be read (" + err.Error() + "); the next heartbeat tries again"}
		}
		a.noteUnrecorded(newer, used)
		a.c.State.noteSpent(newer.spent(a.usedBefore(ctx)), newer)
		return nil
	}
	return nil
}

// noteUnrecorded notes the version "newer" in the state. A run saved it that had used these
// refresh tokens.
func (a *attempt) noteUnrecorded(newer Credentials, used map[SetName]string) {
	spent := newer.spent(used)
	if len(spent) > 0 {
		a.c.State = a.c.State.AlignedWith(newer)
	}
	a.unrecorded = true
	a.c.State.CredentialsVersion = newer.Version
	a.c.State.noteSpent(spent, newer)
}

// noteSpent notes the refresh tokens that a run without a record replaced, and their
// successors.
func (s *State) noteSpent(spent map[SetName]string, newer Credentials) {
	for set, fingerprint := range spent {
		part := s.Of(set)
		*part = part.replacing(fingerprint)
		part.RefreshTokenFingerprint = newer.Of(set).RefreshToken.Fingerprint()
	}
}

// judgeInherited decides what to do about a save that the state does not name. If it
// replaced an operator's version that its run had not read, the attempt completes it, once
// it holds the lease.
func (a *attempt) judgeInherited(ctx context.Context) {
	if !a.labelsRead {
		return
	}
	if a.byOperator() {
		a.warnOfEarlierSave(ctx)
		return
	}
	last, replaced, died := a.listed.CredentialsVersion, a.labels.Previous, a.c.leaseExpired(a.began)
	if a.labelsErr != nil && (died || a.late != nil) {
		a.warnOfReplaced(ctx, "")
		a.notVerified = true
	}
	spent, unread := a.inheritedSave(ctx)
	certain := replaced == last || replaced == a.c.Lease.CredentialsVersion || len(spent) == 1 // otherwise an operator may have replaced one
	if died && certain {
		a.next.noteSpent(spent, a.creds)
	}
	if died && !a.unsaved {
		a.next.noteSpent(a.creds.spent(a.usedBefore(ctx)), a.creds)
	}
	if a.late != nil {
		a.noteReplaced(a.late.Set, a.late.Replaces)
	}
	if unread && a.inherit(ctx, replaced, spent) {
		return
	}
	// The rotator's own write is not new credentials: a refused login stays refused.
	for _, tried := range []string{last, replaced} {
		if tried != "" {
			a.next = a.next.renamed(tried, a.creds.Version, a.changedSince(ctx, tried))
		}
	}
}

// changedSince returns the sets of which a field other than the refresh token differs from
// this version, because a run had merged an operator's fields. It returns none if nothing
// was refused or failed with this version, or if the version cannot be read: otherwise a
// refused password might be sent again.
func (a *attempt) changedSince(ctx context.Context, version string) map[SetName]bool {
	tried := func(part SetState) bool {
		return part.Error != "" && part.Version == version || part.Login.Outcome != "" && part.Login.Version == version
	}
	if !tried(a.next.Primary) && !tried(a.next.Alternate) {
		return nil
	}
	creds, err := a.readVersion(ctx, version)
	if err != nil {
		return nil
	}
	changed := map[SetName]bool{}
	for _, set := range a.creds.Sets() {
		old := creds.Of(set.Name)
		old.RefreshToken = set.RefreshToken
		changed[set.Name] = !set.equal(old)
	}
	return changed
}

// inheritedSave returns the refresh tokens that the save of the current version replaced.
// It also reports whether that save replaced an operator's version that its run had not
// read.
func (a *attempt) inheritedSave(ctx context.Context) (spent map[SetName]string, unread bool) {
	last, read, replaced := a.listed.CredentialsVersion, a.c.Lease.CredentialsVersion, a.labels.Previous
	died, byOperator := a.c.leaseExpired(a.began), isOperators(replaced)
	switch {
	case a.labelsErr != nil:
		return nil, false
	case a.late != nil && !died:
		return nil, byOperator && replaced != last
	case a.late != nil:
		return a.spentSince(ctx, read), byOperator && replaced != last
	case died && replaced == last:
		return a.spentSince(ctx, last), false
	case died && read == a.creds.Version: // that run saved nothing over what it had read
		return nil, false
	case died:
		return a.spentSince(ctx, read), byOperator && replaced != read
	}
	// Every run since that save has left a record, so it took effect late.
	used, err := a.usedBy(ctx, last)
	if used == nil {
		if byOperator && err != nil {
			a.warnOfReplaced(ctx, replaced)
		}
		return nil, false
	}
	spent = a.creds.spent(used)
	if replaced == last {
		maps.DeleteFunc(spent, func(set SetName, _ string) bool { return a.recorded(set) })
		return nil, byOperator && len(spent) > 0 // it was made from an older version
	}
	return spent, byOperator
}

// repeatRead repeats a failed read for as long as beforeReserve allows. It does not repeat
// ErrNotFound.
func (a *attempt) repeatRead(ctx context.Context, read func(context.Context) error) error {
	last := time.Now().Add(beforeReserve - callTimeout)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := read(ctx)
		if err == nil || errors.Is(err, ErrNotFound) || time.Now().After(last) || !sleep(ctx, pause) {
			return err
		}
	}
}

// warnOfEarlierSave warns if an operator may have written twice, before and after a
// save of a run that died or a save that took effect late. It can no longer be found out
// which version such a save replaced.
func (a *attempt) warnOfEarlierSave(ctx context.Context) {
	last, read, previous := a.listed.CredentialsVersion, a.c.Lease.CredentialsVersion, a.labels.Previous
	died := a.c.leaseExpired(a.began)
	if died && a.late == nil && a.creds.Version == read {
		return // that run saved nothing
	}
	saved := died || !a.c.Pending.empty()
	if a.labelsErr != nil && saved ||
		a.labelsErr == nil && previous != last && previous != read && (saved || isOwn(previous)) {
		a.warnOfReplaced(ctx, "")
	}
}

// inherit notes the save of an earlier run that replaced an operator's version, so that
// the attempt completes it. If the refresh token that a run used before it died is not
// known, its new one could be lost. Then inherit warns the operator and returns false.
func (a *attempt) inherit(ctx context.Context, theirs string, spent map[SetName]string) bool {
	s := &saving{creds: a.creds, versionID: a.creds.Version, saved: true}
	for _, set := range a.creds.Sets() {
		if spent[set.Name] != "" {
			s.set, s.spent, s.refreshToken = set.Name, spent[set.Name], set.RefreshToken
		}
	}
	if late := a.late; late != nil {
		s.set, s.spent, s.refreshToken = late.Set, late.Replaces, late.RefreshToken
	}
	if s.set == "" && a.c.leaseExpired(a.began) {
		a.warnOfReplaced(ctx, theirs)
		return false
	}
	if a.c.leaseExpired(a.began) && (a.late != nil || a.creds.Version != a.c.Lease.Save) {
		a.warnOfReplaced(ctx, theirs) // the run that died may have replaced another one before
	}
	a.inherited, a.inheritedOver = s, theirs
	return true
}

// completeInherited completes the save of an earlier run, and ends the attempt. The next
// heartbeat uses the credentials that are current then.
func (a *attempt) completeInherited(ctx context.Context) {
	s := a.inherited
	a.saveOnce(ctx, s)
	a.unsaved = !s.verified // then a later heartbeat completes it
	switch {
	case s.verified:
		a.noteSaved(ctx, s)
	case a.late != nil && a.restoreTheirs(ctx, s): // the next heartbeat saves what is pending into it
	case a.late != nil:
		a.pendingErr = pendingNotSaved(s.err)
	default:
		a.warnOfReplaced(ctx, a.inheritedOver)
	}
	a.otherwise = Deferred
}

// warnOfReplaced asks the operator to check whether an earlier run's save replaced the
// operator's version. An empty version is not known.
func (a *attempt) warnOfReplaced(ctx context.Context, version string) {
	a.Log.WarnContext(ctx, "an earlier run's save of a changed refresh token may have replaced credentials that an operator had just written; if they are not in the secret, write them again",
		"connection", a.c.Name, "lease_until", a.c.Lease.Until.Format(time.RFC3339), "replaced_version", version)
}
