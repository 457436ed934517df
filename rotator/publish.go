package rotator

import (
	"context"
	"time"
)

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

func (a *attempt) notPublished(k *kept) error {
	if k.token == nil || k.published {
		return nil
	}
	return &Error{Code: TokenNotPublished, Cause: k.publishErr, Message: "a token was granted but the token secret could not be written (" + k.publishErr.Error() + "); check that it exists and that the function may write it; the next heartbeat asks for a new token"}
}

func (a *attempt) warnOfShortLife(ctx context.Context, token Token) {
	if writesTooOften(token.ExpiresIn, a.Settings.Heartbeat) {
		a.Log.WarnContext(ctx, "the token lives so short that its secret is written more often than Secrets Manager takes for long (once in about 15 minutes); ask Reltio for a longer access-token lifetime",
			"connection", a.c.Name, "expires_in", int64(token.ExpiresIn/time.Second))
	}
}
