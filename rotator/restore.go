package rotator

import (
	"context"
	"errors"
	"slices"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// resolve finds the refresh tokens to use. They are those in the secret, unless an
// operator saved an older document over a newer one or a refresh token is pending.
func (a *attempt) resolve(ctx context.Context) error {
	a.stored = map[SetName]secret.Value{}
	use, err := a.newerThanSaved(ctx)
	if err != nil {
		return err
	}
	saved := map[SetName]bool{}
	maybeLate := a.creds.Version
	if maybeLate == a.c.State.CredentialsVersion || a.rolledBack {
		maybeLate = "" // it did not take effect late
	}
	for _, set := range a.creds.Sets() {
		a.stored[set.Name] = set.RefreshToken
		pending, ok := a.c.Pending.For(set, maybeLate)
		if newer, older := use[set.Name]; older {
			set.RefreshToken = newer
			if !ok {
				pending, ok = a.c.Pending.For(set, maybeLate)
			}
		}
		if ok && !a.hasReplaced(pending.RefreshToken) && !a.creds.holds(pending.RefreshToken) {
			use[set.Name], saved[pending.Set] = pending.RefreshToken, true
			part := a.c.State.Of(pending.Set)
			if *part = part.replacing(pending.Replaces); part.RefreshTokenFingerprint == pending.Replaces {
				part.RefreshTokenFingerprint = pending.RefreshToken.Fingerprint() // the run that made it pending left no record
			}
			if pending.Replaces != a.stored[set.Name].Fingerprint() && pending.Replaces != set.RefreshToken.Fingerprint() {
				a.late = &pending
			}
		}
		for _, pending := range a.c.Pending.Tokens {
			if pending.RefreshToken.Equal(set.RefreshToken) {
				a.late, saved[pending.Set] = &pending, true
			}
		}
	}
	for _, pending := range a.c.Pending.Tokens {
		if !saved[pending.Set] {
			a.Log.WarnContext(ctx, "a pending refresh token is discarded, because the credentials secret holds another refresh token now", "connection", a.c.Name, "set", pending.Set)
		}
	}
	if len(use) > 0 {
		a.creds, a.unsaved = a.creds.with(use), true
	}
	return nil
}

// holds reports whether one of the sets has this refresh token.
func (c Credentials) holds(refreshToken secret.Value) bool {
	return refreshToken.Equal(c.Primary.RefreshToken) || refreshToken.Equal(c.Alternate.RefreshToken)
}

// hasReplaced reports whether the rotator replaced this refresh token, in either set.
func (a *attempt) hasReplaced(refreshToken secret.Value) bool {
	return a.c.State.Primary.hasReplaced(refreshToken) || a.c.State.Alternate.hasReplaced(refreshToken)
}

// newerThanSaved returns the refresh tokens with which the rotator had already replaced
// those in the current version. There are some if an operator saved an older document
// over a newer one, for example from a console page that had been open for long. The
// newer refresh tokens are in the version that the state names.
func (a *attempt) newerThanSaved(ctx context.Context) (map[SetName]secret.Value, error) {
	use, state := map[SetName]secret.Value{}, a.c.State
	if a.creds.Version == state.CredentialsVersion || state.CredentialsVersion == "" {
		return use, nil
	}
	parts := map[SetName]SetState{}
	for _, set := range a.creds.Sets() {
		if pending, ok := a.c.Pending.For(set, ""); ok && !a.hasReplaced(pending.RefreshToken) {
			continue // that is the newer one
		}
		for _, part := range []SetState{state.Primary, state.Alternate} {
			if part.hasReplaced(set.RefreshToken) {
				parts[set.Name] = part
			}
		}
	}
	if len(parts) == 0 {
		return use, nil
	}
	newer, err := a.readVersion(ctx, state.CredentialsVersion)
	switch {
	case errors.Is(err, ErrNotFound), CodeOf(err) != "":
		return use, nil // it was deleted or is broken, so no newer refresh token can be found
	case err != nil:
		return nil, &Error{Code: CredentialsUnread, Cause: err, Message: "an operator saved an older document over the credentials secret, and the newer version could not be read (" + err.Error() + "); the next heartbeat tries again"}
	}
	for name, part := range parts {
		for _, set := range newer.Sets() {
			pending, _ := a.c.Pending.For(set, newer.Version)
			newest := []string{set.RefreshToken.Fingerprint(), pending.RefreshToken.Fingerprint()}
			if part.RefreshTokenFingerprint != "" && slices.Contains(newest, part.RefreshTokenFingerprint) && set.sameUser(a.creds.Of(name)) {
				use[name] = set.RefreshToken
				if pending.Replaces != set.RefreshToken.Fingerprint() && pending.RefreshToken.Fingerprint() == part.RefreshTokenFingerprint {
					use[name] = pending.RefreshToken // it replaces a refresh token that was saved late
				}
				a.Log.WarnContext(ctx, "an older document was saved over the credentials secret; the newer refresh token is written back to it", "connection", a.c.Name, "set", name)
			}
		}
	}
	return use, nil
}

// restore saves the refresh tokens that resolve found, before any token request. If
// that fails, they are used anyway, and a.pendingErr is the reason.
func (a *attempt) restore(ctx context.Context) {
	if !a.unsaved {
		if !a.c.Pending.empty() && !a.notVerified {
			a.pendingErr = a.deletePending(ctx)
			a.restored = a.pendingErr == nil
		}
		return
	}
	s := &saving{creds: a.creds, read: a.creds.Version, versionID: newVersionID()}
	saveCtx, cancel := context.WithDeadline(ctx, a.until.Add(-recordReserve))
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		a.saveOnce(saveCtx, s)
		if s.verified || !s.saved || len(a.d.ask) > 0 && !a.timeForRequest() || !sleep(saveCtx, pause) {
			break
		}
	}
	if !s.saved {
		a.uncertainSaveID = s.versionID
		a.pendingErr = pendingNotSaved(s.err)
		a.settleAgain(ctx)
		return
	}
	if s.theirs { // the next heartbeat uses the operator's credentials and what is pending
		a.d.ask, a.otherwise = nil, Deferred
		return
	}
	a.noteSaved(ctx, s)
	a.creds, a.unsaved = s.creds, false
	a.creds.Version, a.creds.CreatedAt = s.versionID, time.Now()
	for _, set := range a.creds.Sets() {
		before := a.stored[set.Name]
		a.stored[set.Name] = set.RefreshToken
		a.noteReplaced(set.Name, before.Fingerprint())
	}
	a.restored = true
	if !a.c.Pending.empty() {
		a.pendingErr = a.deletePending(ctx)
	}
}

// settleAgain sets the time of what is pending to now, because a save that has just failed
// may still take effect within saveSettles. Until then no other run refreshes the
// connection. If nothing is pending, this run waits for that time before its record.
func (a *attempt) settleAgain(ctx context.Context) {
	p := PendingTokens{slices.Clone(a.c.Pending.Tokens)}
	if p.empty() {
		a.settledAt = time.Now().Add(saveSettles)
		return
	}
	for i := range p.Tokens {
		p.Tokens[i].SavedAt = time.Now()
	}
	_ = a.writePending(ctx, p)
}

func pendingNotSaved(err error) *Error {
	return &Error{Code: CredentialsNotSaved, Cause: err, Message: "a pending refresh token could not be saved to the credentials secret (" + err.Error() + "); " + writeRemedy(err, "the secret")}
}

// leaveOutForPending leaves out each set whose changed refresh token might not fit into
// the pending parameter beside the one that is already there.
func (a *attempt) leaveOutForPending() {
	if a.pendingErr == nil || a.c.Pending.empty() || a.c.Pending.fitTwice() {
		return
	}
	a.d.ask = slices.DeleteFunc(a.d.ask, func(set SetName) bool {
		stored := a.creds.Of(set)
		stored.RefreshToken = a.stored[set]
		_, own := a.c.Pending.For(stored, a.creds.Version)
		return !own
	})
}

func (a *attempt) deletePending(ctx context.Context) *Error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := a.Pending.DeletePending(ctx, a.c.Name); err != nil {
		a.pendingFailedAt = time.Now()
		return &Error{Code: StateUnavailable, Cause: err, Message: "the pending parameter is no longer needed and could not be deleted (" + err.Error() + "); " + remedy(err, "delete it")}
	}
	a.c.Pending = PendingTokens{}
	return nil
}

// putPending adds the changed refresh token of a saving to the pending parameter.
func (a *attempt) putPending(ctx context.Context, s *saving) error {
	p := a.withPending(s)
	if !p.fits() {
		return errTooLong
	}
	return a.writePending(ctx, p)
}

func (a *attempt) writePending(ctx context.Context, p PendingTokens) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := a.Pending.PutPending(ctx, a.c.Name, p.document()); err != nil {
		a.pendingFailedAt = time.Now()
		return err
	}
	a.c.Pending = p
	return nil
}

// withPending returns the pending tokens together with the refresh token of a saving.
// It leaves out those that the secret no longer needs.
func (a *attempt) withPending(s *saving) PendingTokens {
	var p PendingTokens
	for _, t := range a.c.Pending.Tokens {
		for name, stored := range a.stored {
			if name != s.set && t.Replaces == stored.Fingerprint() {
				p.Tokens = append(p.Tokens, t)
			}
		}
	}
	p.Tokens = append(p.Tokens, PendingToken{
		Set: s.set, Replaces: a.stored[s.set].Fingerprint(), RefreshToken: s.refreshToken, SavedAt: time.Now(),
	})
	return p
}
