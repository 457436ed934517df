package rotator

import (
	"context"
	"time"
)

// publishAfter is how long the access token waits at most for the save of a changed
// refresh token before it is published.
const publishAfter = 5 * time.Second

// obtained is what a token request obtained, and how far it has been stored.
type obtained struct {
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
	// unusable is why the token cannot be published, or nil.
	unusable *Error
	// endsEarlier says that the token expires before the published one and is not
	// published.
	endsEarlier bool
	// sameLogin says that the response shows both credential sets to be one login.
	sameLogin bool
	// bug is a panic of the save.
	bug *Error
}

// storeAndRecord saves and publishes the tokens of a response and records the
// result. If a write fails, the write is repeated, never the token request. The
// failure is that of the token request. Its response can hold a refresh token all
// the same.
func (a *attempt) storeAndRecord(ctx context.Context, set CredentialSet, response TokenResponse, failure *Error) (Outcome, error) {
	o := &obtained{set: set, response: response, tokenID: newVersionID()}
	if a.changed(set, response) && !a.inOtherSet(set, response) {
		o.saving = a.newSaving(set, response)
	}
	if failure == nil {
		a.decideToPublish(ctx, o)
	}
	a.store(ctx, o)
	if failure != nil {
		return a.recordFailure(ctx, o)
	}
	return a.recordResponse(ctx, o)
}

// decideToPublish decides whether the token of a response is published. If it is,
// o.token is set.
func (a *attempt) decideToPublish(ctx context.Context, o *obtained) {
	published := a.next.Published
	o.sameLogin = a.isSameLogin(o)
	if o.sameLogin && o.set.Name == Alternate || a.isPublished(o.response) {
		return // if both sets are one login, only primary is used
	}
	token, unusable := newToken(o.response)
	if unusable != nil {
		o.unusable = unusable
		return
	}
	now := time.Now()
	token.ValidUntil = a.c.validUntil(token.IssuedAt, token.ExpiresAt, a.creds.Two(), a.otherFails(o.set.Name), a.Settings.Heartbeat)
	if a.creds.Two() && token.ExpiresAt.Before(published.ExpiresAt) && !published.uncertain() &&
		a.d.reason != ReasonDeadToken && !a.event.Force && now.Before(published.ValidUntil) {
		o.endsEarlier = true
		return
	}
	o.token = &token
	if WritesTooOften(token.ExpiresIn, a.Settings.Heartbeat) {
		a.Log.WarnContext(ctx, "the lifetime of the access token is so short that its secret is written more often than Secrets Manager allows in the long run (once in about 15 minutes); ask Reltio for a longer lifetime",
			"connection", a.c.Name, "expires_in", int64(token.ExpiresIn/time.Second))
	}
}

// isSameLogin reports whether the response shows that both credential sets are one
// login: it holds the other set's access token or refresh token.
func (a *attempt) isSameLogin(o *obtained) bool {
	other := o.set.Name.Other()
	if !a.creds.Two() || a.creds.Of(other).Err != nil {
		return false
	}
	last := a.next.Of(other).TokenFingerprint
	return last != "" && o.response.AccessToken.Fingerprint() == last || a.inOtherSet(o.set, o.response)
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

// store saves the refresh token and publishes the access token. It repeats failed
// writes until both are done or only the time for the record is left. The access
// token waits for the first try at the save, and for publishAfter at most.
func (a *attempt) store(ctx context.Context, o *obtained) {
	ctx, cancel := context.WithDeadline(ctx, a.until.Add(-recordReserve))
	defer cancel()
	firstTry := make(chan struct{})
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		defer func() {
			if thrown := recover(); thrown != nil {
				o.bug = PanicError(thrown)
			}
		}()
		a.saveUntilDone(ctx, o.saving, firstTry)
	}()
	wait := time.NewTimer(publishAfter)
	defer wait.Stop()
	select {
	case <-firstTry:
	case <-saved:
	case <-wait.C:
	}
	for pause := firstPause; o.token != nil; pause = min(2*pause, longestPause) {
		o.publishErr = a.publish(ctx, o)
		o.published = o.publishErr == nil
		if o.published || !sleep(ctx, pause) {
			break
		}
	}
	<-saved
}

func (a *attempt) publish(ctx context.Context, o *obtained) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return a.Tokens.Publish(ctx, a.c.Name, o.tokenID, o.token.document())
}

// saveUntilDone tries to save a changed refresh token and, if that fails, to make it
// pending, until one of them works or ctx ends. It closes firstTry after the first try
// at both.
func (a *attempt) saveUntilDone(ctx context.Context, s *saving, firstTry chan struct{}) {
	if s == nil {
		close(firstTry)
		return
	}
	for pause, first := firstPause, true; ; pause, first = min(2*pause, longestPause), false {
		a.saveOnce(ctx, s)
		if !s.saved && (!s.login || s.overwritten != "") {
			s.pendingErr = a.putPending(ctx, s)
			s.pending = s.pendingErr == nil
		}
		if first {
			close(firstTry)
		}
		done := s.verified
		if !done && (s.pending || s.login && s.overwritten != "") {
			done = a.restoreTheirs(ctx, s) && s.pending && time.Since(a.pendingFailedAt) >= saveSettles
		}
		if done || !sleep(ctx, pause) {
			return
		}
	}
}
