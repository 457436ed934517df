package rotator

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// ownVersion begins the id of every secret version that the rotator writes, so
// that a person who lists the versions sees who wrote which.
const ownVersion = "rotator-"

// newVersionID is chosen before the write, so that a repeated write is the same
// write. It tells when, since a write may come late and the version's own date
// with it. Secrets Manager wants 32 to 64 characters.
func newVersionID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return fmt.Sprintf("%s%d-%x", ownVersion, time.Now().Unix(), id)
}

// ownBefore reports whether the rotator chose to write a version before t, or in
// the same second.
func ownBefore(versionID string, t time.Time) bool {
	rest, own := strings.CutPrefix(versionID, ownVersion)
	seconds, _, _ := strings.Cut(rest, "-")
	chosen, err := strconv.ParseInt(seconds, 10, 64)
	return own && err == nil && chosen <= t.Unix()
}

// kept is what a granted answer leaves to be stored.
type kept struct {
	// saving is nil when the refresh token did not change.
	saving *saving
	// token is nil when there is nothing to publish.
	token     *Token
	tokenID   string
	published bool
	// publishErr is the last failure to publish.
	publishErr error
}

// saving is a changed refresh token on its way into the credentials secret.
type saving struct {
	refreshToken    secret.Value
	document        secret.Value
	versionID       string
	saved           bool // in the secret
	verified        bool // and nobody's version was replaced, or theirs is current again
	concurrentWrite bool // somebody wrote new credentials meanwhile
	stillPending    bool // pending instead
	err             error
}

func (a *attempt) newSaving(refreshToken secret.Value) *saving {
	return &saving{refreshToken: refreshToken, document: a.creds.withRefreshToken(refreshToken), versionID: cmp.Or(a.uncertainSaveID, newVersionID())}
}

// keep stores what was granted and records it. The token request is never
// repeated because a write failed: the write is.
func (a *attempt) keep(ctx context.Context, answer TokenResponse, stillPending error) (Outcome, error) {
	k := &kept{tokenID: newVersionID()}
	if a.rotated(answer) {
		k.saving = a.newSaving(answer.RefreshToken)
	}
	var bad error
	if !a.published(answer) {
		var token Token
		if token, bad = newToken(answer); bad == nil {
			k.token = &token
			a.warnOfShortLife(ctx, token)
		}
	}
	a.store(ctx, k)
	return a.recordKept(ctx, answer, k, bad, stillPending)
}

// store saves, looks, publishes, in this order and again for what failed, until
// all is done or only the record's time is left. One failed try at saving does
// not keep the token from the jobs.
func (a *attempt) store(ctx context.Context, k *kept) {
	ctx, cancel := context.WithDeadline(ctx, a.until.Add(-recordReserve))
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		done := true
		if s := k.saving; s != nil {
			done = a.save(ctx, s)
		}
		if k.token != nil && !k.published {
			k.publishErr = a.publish(ctx, k)
			k.published = k.publishErr == nil
			done = done && k.published
		}
		if done || !sleep(ctx, pause) {
			return
		}
	}
}

func (a *attempt) publish(ctx context.Context, k *kept) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return a.Tokens.Publish(ctx, a.c.Name, k.tokenID, k.token.document())
}

const (
	// saveTimeout and pendingTimeout bound one try, so that a token waits for 5 s at
	// most for a refresh token that cannot be saved.
	saveTimeout    = 3 * time.Second
	pendingTimeout = 2 * time.Second
)

// save makes one try at bringing the refresh token into the secret, else into
// pending refresh token, and at looking whom that write replaced. It reports whether nothing is
// left to do.
func (a *attempt) save(ctx context.Context, s *saving) bool {
	if s.stillPending {
		return true
	}
	saveCtx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	if !s.saved {
		s.err = a.Saver.Save(saveCtx, a.c.Name, s.versionID, s.document)
		s.saved = s.err == nil
	}
	if s.saved {
		if !s.verified {
			s.concurrentWrite, s.err = a.look(saveCtx, s.versionID, a.creds.Version)
			s.verified = s.err == nil
		}
		return s.verified
	}
	pending := PendingToken{RefreshToken: s.refreshToken, RotatedFrom: a.creds.Version, SavedAt: time.Now()}
	if !pending.fits() {
		return false
	}
	pendingCtx, cancelPending := context.WithTimeout(ctx, pendingTimeout)
	defer cancelPending()
	if err := a.Pending.PutPending(pendingCtx, a.c.Name, pending.document()); err != nil {
		s.err = errors.Join(s.err, err)
		return false
	}
	s.stillPending = true
	return true
}

// look finds out whom the write of version "own" replaced. If that was not the
// version "read", somebody was faster, and theirs is made current again; if own
// is not current any more, somebody wrote later. Either is "displaced".
func (a *attempt) look(ctx context.Context, own, read string) (concurrentWrite bool, err error) {
	labels, err := a.Saver.Labels(ctx, a.c.Name)
	switch {
	case err != nil:
		return false, err
	case labels.Current != own:
		return true, nil
	case labels.Previous == read || labels.Previous == "":
		return false, nil
	case strings.HasPrefix(labels.Previous, ownVersion):
		return false, nil // an earlier save's, which seemed to fail and was pending
	}
	if err := a.Saver.RestorePrevious(ctx, a.c.Name, own, labels.Previous); err != nil && !errors.Is(err, ErrMoved) {
		return false, err
	}
	a.Log.WarnContext(ctx, "somebody put new credentials while a refresh was under way; theirs are current again and will be used at the next heartbeat", "connection", a.c.Name)
	return true, nil
}

// recordKept records what became of a granted answer.
func (a *attempt) recordKept(ctx context.Context, answer TokenResponse, k *kept, bad, stillPending error) (Outcome, error) {
	now := time.Now()
	outcome, old := Refreshed, a.c.State
	switch {
	case k.published:
		a.next = State{
			GrantType: a.next.GrantType, LoginAttempted: a.next.LoginAttempted,
			RefreshedAt: k.token.IssuedAt, ExpiresAt: k.token.ExpiresAt, TokenFingerprint: answer.AccessToken.Fingerprint(),
		}
	case k.token == nil && bad == nil:
		outcome = Unchanged
		a.next = State{
			GrantType: a.next.GrantType, LoginAttempted: a.next.LoginAttempted,
			RefreshedAt: answer.SentAt, ExpiresAt: old.sameTokenEnd(answer, now), TokenFingerprint: old.TokenFingerprint, Unchanged: true,
		}
	default: // the granted token is lost, and the published one may have ended with it
		a.next = a.next.endedBy(now)
	}
	version, refreshToken, seen := a.creds.Version, a.creds.RefreshToken, a.creds.CreatedAt
	if s := k.saving; s != nil {
		refreshToken, seen = s.refreshToken, answer.SentAt
		if s.saved {
			version = s.versionID
		}
		if s.concurrentWrite {
			a.next = a.next.endedBy(now) // so that the next heartbeat uses theirs
		}
		if s.saved && !s.verified {
			a.Log.WarnContext(ctx, "a changed refresh token was saved, but not whom it replaced could be seen; if you put new credentials at this moment, put them again", "connection", a.c.Name)
		}
		if s.saved && a.c.Pending != nil {
			stillPending = a.deletePending(ctx)
		}
	}
	a.describeCredentials(version, refreshToken, seen)

	failure := firstOf(a.notSaved(k.saving), stillPending, a.notPublished(k), bad)
	if failure != nil {
		outcome = Failed
		a.next = a.next.failed(a.began, now, failure)
	}
	err := a.record(ctx)
	switch {
	case failure != nil && err != nil:
		return Failed, errors.Join(failure, err)
	case failure != nil:
		return Failed, failure
	case err != nil:
		return Failed, err
	}
	return outcome, nil
}

// sameTokenEnd is when a token that came back once more ends: never later than
// was believed, since not every server counts down. What was recorded in doubt
// is no belief.
func (s State) sameTokenEnd(answer TokenResponse, now time.Time) time.Time {
	end := answer.SentAt.Add(min(answer.ExpiresIn, maxLifetime))
	doubt := s.Error != "" && !s.ExpiresAt.After(now)
	if s.known() && !doubt {
		end = earlier(end, s.ExpiresAt)
	}
	return wholeSeconds(end)
}

func (a *attempt) notSaved(s *saving) error {
	if s == nil || s.saved {
		return nil
	}
	cause := "(" + strings.ReplaceAll(s.err.Error(), "\n", ", ") + ")"
	if s.stillPending {
		return &Error{Code: CredentialsNotSaved, Cause: s.err, Message: "a changed refresh token could not be saved to the credentials secret " + cause + " and is kept pending; it is saved at a coming heartbeat; check that the function may write the secret"}
	}
	lost := "a changed refresh token could be saved neither to the credentials secret nor pending " + cause
	if !(PendingToken{RefreshToken: s.refreshToken, RotatedFrom: a.creds.Version}).fits() {
		lost = "a changed refresh token could not be saved to the credentials secret " + cause + " and is too long for pending refresh token (4 KB)"
	}
	return &Error{Code: CredentialsNotSaved, Cause: s.err, Message: lost + "; it is lost: log in again and put the new refresh token into the credentials secret"}
}

func (a *attempt) notPublished(k *kept) error {
	if k.token == nil || k.published {
		return nil
	}
	return &Error{Code: TokenNotPublished, Cause: k.publishErr, Message: "a token was granted but the token secret could not be written (" + k.publishErr.Error() + "); check that it exists and that the function may write it; the next heartbeat asks for a new token"}
}

// firstOf returns the first failure, the gravest being named first.
func firstOf(errs ...error) *Error {
	for _, err := range errs {
		if failure, ok := errors.AsType[*Error](err); ok {
			return failure
		}
	}
	return nil
}

func (a *attempt) warnOfShortLife(ctx context.Context, token Token) {
	if writesTooOften(token.ExpiresIn, a.Settings.Heartbeat) {
		a.Log.WarnContext(ctx, "the token lives so short that its secret is written more often than Secrets Manager takes for long (once in about 15 minutes); ask Reltio for a longer access-token lifetime",
			"connection", a.c.Name, "expires_in", int64(token.ExpiresIn/time.Second))
	}
}
