package rotator

import (
	"context"
	"time"
)

// Without Multi Token Support Reltio may answer an early refresh with the token
// that is published already. The rule: the token is not published again, its
// recorded expiry never moves later, no request is made before it has expired, and a
// run waits for that instant if it is near. With two credential sets, turns.go says
// which set is asked then.

const (
	// sameTokenMargin is how long after a recorded expiry a new token is
	// requested: servers cut expires_in to whole seconds, and so does the state.
	sameTokenMargin = time.Second
	// sameTokenTries is how often the request is repeated, sameTokenPause apart, if
	// the response is a token that should have expired.
	sameTokenTries = 5
	sameTokenPause = time.Second
)

// longestWait is how long a run waits at most for the expiry of a token that the
// server replaces only then. It is the longest time between two heartbeats, if each
// is up to a third of the interval early or late.
func longestWait(heartbeat time.Duration) time.Duration { return heartbeat + 2*heartbeat/3 }

// sameTokenWait reports whether a run waits for the published token's expiry, and
// until when. With two credential sets it does not wait if this heartbeat or a later one
// before the expiry can use the other set: that one has no error, and its own last token
// has expired by then.
func (c Connection) sameTokenWait(now time.Time, event Event, two bool, heartbeat time.Duration) (until time.Time, wait bool) {
	p := c.State.Published
	at := p.ExpiresAt.Add(sameTokenMargin)
	if two && (p.Set == "" || c.State.Of(p.Set.Other()).Error == "" && c.free(p.Set.Other(), later(now, at.Add(-heartbeat)))) {
		return at, false
	}
	return at, p.Unchanged && event.Heartbeat() && now.Before(at) && at.Sub(now) <= longestWait(heartbeat)
}

// isPublished reports whether a response is the published token.
func (a *attempt) isPublished(response TokenResponse) bool {
	published := a.c.State.Published.Fingerprint
	return published != "" && response.AccessToken.Fingerprint() == published
}

// requestUntilNew makes a token request, and repeats it while the response is the
// token that should have expired by now.
func (a *attempt) requestUntilNew(ctx context.Context, set CredentialSet) (TokenResponse, *Error) {
	response, failure := a.request(ctx, set)
	for range sameTokenTries {
		// If the server changed the refresh token, the new one must be saved before
		// another request.
		if failure != nil || a.d.reason != ReasonExpiry || !a.isPublished(response) || a.changed(set, response) ||
			!a.timeForRequest() || !sleep(ctx, sameTokenPause) {
			break
		}
		response, failure = a.request(ctx, set)
	}
	return response, failure
}

// onceMore returns the published token after a response that was the same token. Its
// expiry never moves later, because not every server counts down.
func (p Published) onceMore(response TokenResponse) Published {
	p.ExpiresAt = earlier(p.ExpiresAt, wholeSeconds(response.SentAt.Add(min(response.ExpiresIn, maxLifetime))))
	p.ValidUntil = earlier(p.ValidUntil, p.ExpiresAt)
	p.Unchanged, p.UncertainSince = true, time.Time{}
	return p
}
