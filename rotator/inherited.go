package rotator

import (
	"context"
	"strings"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// clockMargin is how far the clocks of AWS and of a run may differ, and the fraction of
// a second that recorded times leave out.
const clockMargin = 2 * time.Second

// verifyInherited verifies which version an earlier run's save replaced, if that
// run died right after the save or the save took effect late. The state does not
// name such a save. If it replaced a version of an operator's that its run had not
// read, the attempt completes the save, and ends. The next heartbeat uses the
// credentials that are current then.
func (a *attempt) verifyInherited(ctx context.Context) (ended bool) {
	own, last := a.creds.Version, a.listed.CredentialsVersion
	died, byOperator := a.c.leaseExpired(a.began), !strings.HasPrefix(own, ownVersion)
	if own == last || byOperator && !died && a.c.Pending.empty() {
		return false
	}
	labels, err := a.inheritedLabels(ctx)
	if byOperator {
		a.warnOfEarlierSave(ctx, labels, err)
		return false
	}
	known := err == nil && labels.Current == own
	if !known && (died || a.late != nil) {
		a.warnOfReplaced(ctx, "")
		a.notVerified = true
	}
	if a.late != nil || died && known && labels.Previous == last {
		a.noteInherited()
	}
	if !known || labels.Previous == last || labels.Previous == "" || strings.HasPrefix(labels.Previous, ownVersion) {
		if last != "" { // the rotator's own write is not new credentials: a refused login stays refused
			a.next = a.next.renamed(last, own)
		}
		return false
	}
	if a.unsaved && a.late == nil || !a.concurrent(ctx, labels.Previous) {
		return false
	}
	return a.completeInherited(ctx, labels.Previous)
}

// warnOfEarlierSave warns if an operator may have written twice, before and after a
// save of a run that died or a save that took effect late. It can no longer be found out
// which version such a save replaced.
func (a *attempt) warnOfEarlierSave(ctx context.Context, labels VersionLabels, err error) {
	died := a.c.leaseExpired(a.began)
	began := a.c.Lease.Until.Add(-twoSetsTimeout - clockMargin)
	saved := strings.HasPrefix(labels.Previous, ownVersion) || a.late != nil || died && a.creds.CreatedAt.After(began)
	if err != nil && (died || a.late != nil) || err == nil && labels.Previous != a.listed.CredentialsVersion && saved {
		a.warnOfReplaced(ctx, "")
	}
}

// concurrent reports whether an operator wrote a version while the run was at work
// whose save replaced it. A run that died had not read the version if it is younger than
// the run's lease, or if its other fields differ from those that the run saved. If this
// cannot be found out, the operator is warned.
func (a *attempt) concurrent(ctx context.Context, versionID string) bool {
	died := a.c.leaseExpired(a.began)
	replaced, err := a.Credentials.ReadVersion(ctx, a.c.Name, versionID)
	var theirs Credentials
	if err == nil {
		theirs, err = ParseCredentials(replaced)
	}
	leased := a.c.Lease.Until.Add(-attemptTimeout)
	younger := died && replaced.CreatedAt.After(leased.Add(clockMargin))
	if err == nil && (a.late != nil || younger || !theirs.sameButRefreshTokens(a.creds)) {
		return true
	}
	if err != nil || died { // otherwise the state was lost
		a.warnOfReplaced(ctx, versionID)
	}
	return false
}

// completeInherited completes a save that replaced an operator's version, and ends the
// attempt. If the state does not say which refresh token was replaced, the refresh token
// that was saved could be lost, so that the operator is warned instead.
func (a *attempt) completeInherited(ctx context.Context, theirs string) (ended bool) {
	s := &saving{creds: a.creds, read: a.listed.CredentialsVersion, versionID: a.creds.Version, saved: true}
	for _, set := range a.creds.Sets() {
		if part := a.next.Of(set.Name); set.RefreshToken.Fingerprint() != part.RefreshTokenFingerprint {
			s.set, s.spent, s.refreshToken = set.Name, part.RefreshTokenFingerprint, set.RefreshToken
		}
	}
	if late := a.late; late != nil {
		s.set, s.spent, s.refreshToken = late.Set, late.Replaces, late.RefreshToken
	}
	if s.set != "" && s.spent == "" {
		a.warnOfReplaced(ctx, theirs)
		return false
	}
	a.saveOnce(ctx, s)
	a.unsaved = !s.saved // then a later heartbeat completes it
	switch {
	case s.saved:
		a.noteSaved(ctx, s)
	case a.late != nil && a.restoreTheirs(ctx, s): // the next heartbeat saves what is pending into it
	case a.late != nil:
		a.pendingErr = pendingNotSaved(s.err)
	default:
		a.warnOfReplaced(ctx, theirs)
	}
	a.otherwise = Deferred
	return true
}

// noteInherited notes which refresh tokens the inherited save replaced: those that the
// state names, or that a late save was to replace.
func (a *attempt) noteInherited() {
	if a.late != nil {
		a.noteReplaced(a.late.Set, a.late.Replaces)
	}
	for _, set := range a.creds.Sets() {
		if !a.unsaved {
			a.noteReplaced(set.Name, a.next.Of(set.Name).RefreshTokenFingerprint)
		}
	}
}

// inheritedLabels reads which versions are current and previous. It repeats a read that
// fails, as long as there is time for a token request afterwards.
func (a *attempt) inheritedLabels(ctx context.Context) (VersionLabels, error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		labels, err := a.Saver.Labels(ctx, a.c.Name)
		if err == nil || time.Until(a.until) < requestReserve+storeReserve+callTimeout || !sleep(ctx, pause) {
			return labels, err
		}
	}
}

// warnOfReplaced asks the operator to check whether a run that ended without a record
// replaced the operator's version. An empty version is not known.
func (a *attempt) warnOfReplaced(ctx context.Context, version string) {
	a.Log.WarnContext(ctx, "a run ended right after it saved a changed refresh token; if you wrote new credentials during that run, the save replaced them: write them again",
		"connection", a.c.Name, "died_by", a.c.Lease.Until.Format(time.RFC3339), "replaced_version", version)
}

// sameButRefreshTokens reports whether all other fields of the documents are
// equal, known or not.
func (c Credentials) sameButRefreshTokens(other Credentials) bool {
	refreshTokens := map[SetName]secret.Value{Primary: c.Primary.RefreshToken, Alternate: c.Alternate.RefreshToken}
	return c.with(refreshTokens).document.Equal(other.with(refreshTokens).document)
}
