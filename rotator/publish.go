package rotator

import (
	"context"
	"time"
)

// publishAfter is how long a token waits for a refresh token that is being
// saved.
const publishAfter = 5 * time.Second

// kept holds what must be written after a token response.
type kept struct {
	set      CredentialSet
	response TokenResponse
	// saving is nil when the refresh token did not change.
	saving *saving
	// token is nil when there is nothing to publish.
	token     *Token
	tokenID   string
	published bool
	// publishErr is the last failure to publish.
	publishErr error
	// unusable says why nothing can be published; sooner that the token would
	// expire before the published one; twin that the other set has it too.
	unusable *Error
	sooner   bool
	twin     bool
	// bug is a panic of the save.
	bug *Error
}

// keep saves and publishes the tokens of a response and records the result. If a
// write fails, the write is repeated, never the token request.
func (a *attempt) keep(ctx context.Context, set CredentialSet, response TokenResponse, failure *Error) (Outcome, error) {
	k := &kept{set: set, response: response, tokenID: newVersionID()}
	if a.changed(set, response) && !a.inOtherSet(set, response) {
		k.saving = a.newSaving(set, response)
	}
	if failure == nil {
		a.judge(ctx, k)
	}
	a.store(ctx, k)
	if failure != nil {
		return a.recordFailure(ctx, k)
	}
	return a.recordResponse(ctx, k)
}

// judge decides whether the token of a response is published.
func (a *attempt) judge(ctx context.Context, k *kept) {
	published := a.next.Published
	k.twin = a.isTwin(k)
	if k.twin && k.set.Name == Alternate || a.isPublished(k.response) {
		return // of two sets that are one login the primary one serves
	}
	token, unusable := newToken(k.response)
	if unusable != nil {
		k.unusable = unusable
		return
	}
	now := time.Now()
	token.ValidUntil = a.c.validUntil(token.IssuedAt, token.ExpiresAt, a.creds.Two(), a.otherFails(k.set.Name), a.Settings.Heartbeat)
	if a.creds.Two() && token.ExpiresAt.Before(published.ExpiresAt) && !published.uncertain() &&
		a.d.reason != ReasonDeadToken && !a.event.Force && now.Before(published.ValidUntil) {
		k.sooner = true
		return
	}
	k.token = &token
	if WritesTooOften(token.ExpiresIn, a.Settings.Heartbeat) {
		a.Log.WarnContext(ctx, "the lifetime of the access token is so short that its secret is written more often than Secrets Manager allows in the long run (once in about 15 minutes); ask Reltio for a longer lifetime",
			"connection", a.c.Name, "expires_in", int64(token.ExpiresIn/time.Second))
	}
}

// isTwin reports whether the response shows that both credential sets are one
// login.
func (a *attempt) isTwin(k *kept) bool {
	other := k.set.Name.Other()
	if !a.creds.Two() || a.creds.Of(other).Err != nil {
		return false
	}
	last := a.next.Of(other).TokenFingerprint
	return last != "" && k.response.AccessToken.Fingerprint() == last || a.inOtherSet(k.set, k.response)
}

// inOtherSet reports whether the refresh token of a response is that of the other
// credential set.
func (a *attempt) inOtherSet(set CredentialSet, response TokenResponse) bool {
	return a.creds.Two() && !response.RefreshToken.Empty() && response.RefreshToken.Equal(a.creds.Of(set.Name.Other()).RefreshToken)
}

// otherFails reports whether the other credential set has an error of its own.
func (a *attempt) otherFails(set SetName) bool {
	other := set.Other()
	return a.failures[other] != nil || a.next.Of(other).Error != ""
}

// store saves the refresh token and publishes the access token. It repeats what
// failed until both are done or only the time for the record is left. The access
// token does not wait for a slow save.
func (a *attempt) store(ctx context.Context, k *kept) {
	ctx, cancel := context.WithDeadline(ctx, a.until.Add(-recordReserve))
	defer cancel()
	firstTry := make(chan struct{})
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		defer func() {
			if thrown := recover(); thrown != nil {
				k.bug = PanicError(thrown)
			}
		}()
		a.saveUntilDone(ctx, k.saving, firstTry)
	}()
	wait := time.NewTimer(publishAfter)
	defer wait.Stop()
	select {
	case <-firstTry:
	case <-saved:
	case <-wait.C:
	}
	for pause := firstPause; k.token != nil; pause = min(2*pause, longestPause) {
		k.publishErr = a.publish(ctx, k)
		k.published = k.publishErr == nil
		if k.published || !sleep(ctx, pause) {
			break
		}
	}
	<-saved
}

func (a *attempt) publish(ctx context.Context, k *kept) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return a.Tokens.Publish(ctx, a.c.Name, k.tokenID, k.token.document())
}

// saveUntilDone saves a changed refresh token, or makes it pending, until one is
// done or ctx ends. It closes firstTry after one try at both.
func (a *attempt) saveUntilDone(ctx context.Context, s *saving, firstTry chan struct{}) {
	if s == nil {
		close(firstTry)
		return
	}
	for pause, first := firstPause, true; ; pause, first = min(2*pause, longestPause), false {
		a.saveOnce(ctx, s)
		if !s.saved && !s.login {
			s.pendingErr = a.putPending(ctx, s)
			s.pending = s.pendingErr == nil
		}
		if first {
			close(firstTry)
		}
		if s.verified || s.pending && a.restoreTheirs(ctx, s) || !sleep(ctx, pause) {
			return
		}
	}
}
