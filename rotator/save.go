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
