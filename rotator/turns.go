package rotator

import "time"

// This file says which of two credential sets requests the next token. The set that
// did not obtain the published token rests. Its own last token is left to expire,
// because jobs may still use it. After that comes the set's turn.

// turnSpread is how much later than half of the published token's life a turn may
// come, in heartbeats.
const turnSpread = 2

// two reports whether the connection has two credential sets. The credentials say so
// or, before they are read (creds is nil), the state.
func (c Connection) two(creds *Credentials) bool {
	if creds != nil {
		return creds.Two()
	}
	return c.State.Alternate.Identity != "" || c.State.Alternate.Version != ""
}

// resting returns the set that did not obtain the published token. If it is not known
// which set did, that is Primary, and other is false.
func (c Connection) resting() (set SetName, other bool) {
	if c.State.Published.Set == "" {
		return Primary, false
	}
	return c.State.Published.Set.Other(), true
}

// free reports whether a request with the set ends no token that jobs may use.
func (c Connection) free(set SetName, now time.Time) bool {
	return !c.Config.RefreshEndsToken || c.State.Of(set).free(now)
}

// turnAt returns when the resting set's turn comes. That is when the set is free and
// the published token has lived half of its life, or 15 heartbeats if that is longer,
// and up to turnSpread more. It is valid_until if that is earlier. If the token of that turn
// would expire before the published one, it is not published, and the turn comes again
// after 15 heartbeats or at valid_until.
func (c Connection) turnAt(heartbeat time.Duration) time.Time {
	p := c.State.Published
	resting, other := c.resting()
	if !p.known() || !other {
		return p.ValidUntil
	}
	at := p.IssuedAt.Add(max(p.lifetime()/2, writeInterval*heartbeat) + share(c.Name, p.IssuedAt, turnSpread*heartbeat))
	if c.Config.RefreshEndsToken {
		at = later(at, c.State.Of(resting).TokenExpiresAt.Add(expiryMargin))
	}
	return earlier(at, p.ValidUntil)
}

// turn returns the sets that request a token by the clock, in order, and why. The
// second set is used only if the first one fails.
func (c Connection) turn(now time.Time, heartbeat time.Duration) ([]SetName, Reason) {
	p := c.State.Published
	resting, other := c.resting()
	free := c.free(resting, now)
	switch {
	case !other && !now.Before(p.ValidUntil):
		return []SetName{resting, resting.Other()}, ReasonWindow
	case !other:
		return nil, ""
	case p.Unchanged && !now.Before(p.ValidUntil) && now.Before(p.ExpiresAt.Add(sameTokenMargin)):
		// The server returns the publishing set's token until it has expired.
		if free {
			return []SetName{resting}, ReasonTurn
		}
		return nil, ""
	case p.Unchanged && !now.Before(p.ValidUntil) && free:
		return []SetName{resting, p.Set}, ReasonExpiry
	case p.Unchanged && !now.Before(p.ValidUntil):
		return []SetName{p.Set}, ReasonExpiry
	case !now.Before(p.ValidUntil) && free:
		return []SetName{resting, p.Set}, ReasonTurn
	case !now.Before(p.ValidUntil):
		return []SetName{p.Set}, ReasonWindow
	case !c.Config.RefreshEndsToken && !now.Before(c.turnAt(heartbeat)):
		return []SetName{resting, p.Set}, ReasonTurn // neither request ends a token
	case free && !now.Before(c.turnAt(heartbeat)):
		return []SetName{resting}, ReasonTurn
	}
	return nil, ""
}

// replacement returns the sets that replace a published token that may have ended. The
// first one is the set whose request ends no token that jobs may use.
func (c Connection) replacement(now time.Time) []SetName {
	resting, other := c.resting()
	if other && !c.free(resting, now) {
		return []SetName{resting.Other(), resting}
	}
	return []SetName{resting, resting.Other()}
}

// forcedOrder returns the sets of a forced refresh, in order. The resting set comes
// first, unless its credentials were rejected and the other set's were not.
func (c Connection) forcedOrder() []SetName {
	resting, _ := c.resting()
	rejected := func(set SetName) bool { return c.State.Of(set).Error.WaitsForNewCredentials() }
	if rejected(resting) && !rejected(resting.Other()) {
		return []SetName{resting.Other(), resting}
	}
	return []SetName{resting, resting.Other()}
}
