package rotator

import "time"

// This file says which of two credential sets is asked for the next token. The
// set that did not obtain the published token rests: its own last token is left
// to expire, because jobs may still hold it, and then its turn comes.

// turnSpread is by how much a turn may be later than half of the published
// token's life, in heartbeats.
const turnSpread = 2

// two reports whether the connection has two credential sets: as the credentials
// say, or before they were read as the state remembers.
func (c Connection) two(creds *Credentials) bool {
	if creds != nil {
		return creds.Two()
	}
	return c.State.Alternate.Identity != "" || c.State.Alternate.Version != ""
}

// resting returns the set that did not obtain the published token, and whether
// the other one is known to have obtained it.
func (c Connection) resting() (set SetName, other bool) {
	if c.State.Published.Set == "" {
		return Primary, false
	}
	return c.State.Published.Set.Other(), true
}

// free reports whether a request with the set ends no token that jobs may hold.
func (c Connection) free(set SetName, now time.Time) bool {
	return !c.Config.RefreshEndsToken || c.State.Of(set).free(now)
}

// turnAt is when the resting set's turn comes: when it is free and the published
// token has lived half of its life, or 15 heartbeats if that is longer, and a
// little more by name; at valid_until if that is sooner.
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

// turn returns the sets to ask by the clock, in order: the second one only if
// the first one fails.
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
		// The publishing set has said that it gives no other token before then.
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
	case free && !now.Before(c.turnAt(heartbeat)):
		return []SetName{resting}, ReasonTurn
	}
	return nil, ""
}

// replacement returns the sets to ask where the published token may be dead:
// first the one with which no live token is ended.
func (c Connection) replacement(now time.Time) []SetName {
	resting, other := c.resting()
	if other && !c.free(resting, now) {
		return []SetName{resting.Other(), resting}
	}
	return []SetName{resting, resting.Other()}
}

// forcedOrder returns the sets that a forced refresh asks: the resting set, or
// first the one that no rejection stands against.
func (c Connection) forcedOrder() []SetName {
	resting, _ := c.resting()
	rejected := func(set SetName) bool { return c.State.Of(set).Error.WaitsForNewCredentials() }
	if rejected(resting) && !rejected(resting.Other()) {
		return []SetName{resting.Other(), resting}
	}
	return []SetName{resting, resting.Other()}
}
