package rotator

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"
)

const (
	// writeInterval is the least time between two writes of a secret, in heartbeats.
	// Secrets Manager keeps about 100 versions and deletes none within 24 hours, so
	// that it accepts one write in 14.4 minutes in the long run.
	writeInterval = 15
)

// window returns how long before its expiry a token is replaced. It is refreshBefore,
// but at most half of the lifetime, and no more than leaves writeInterval between two
// writes. It is never less than two heartbeats for the sake of writeInterval.
func window(refreshBefore, lifetime, heartbeat time.Duration) time.Duration {
	return min(refreshBefore, lifetime/2, max(lifetime-writeInterval*heartbeat, 2*heartbeat))
}

// survivingWindow returns the window of a token that lives on after a refresh: half of
// its lifetime or, if that is less, the lifetime without 15 heartbeats. It is at least
// the window of other tokens.
func survivingWindow(refreshBefore, lifetime, heartbeat time.Duration) time.Duration {
	return max(window(refreshBefore, lifetime, heartbeat), min(lifetime/2, lifetime-writeInterval*heartbeat))
}

// WritesTooOften reports whether tokens with this lifetime need more writes than
// Secrets Manager accepts in the long run.
func WritesTooOften(lifetime, heartbeat time.Duration) bool {
	return lifetime-writeInterval*heartbeat < 2*heartbeat
}

// share returns a part of d that depends on a name and on a refresh. It differs from
// one refresh to the next, so that connections that were seeded together are refreshed
// at different times within a day. If it depended on the name alone, connections in
// the same heartbeat would stay together.
func share(name string, issued time.Time, d time.Duration) time.Duration {
	seed := binary.BigEndian.AppendUint64([]byte(name), uint64(issued.Unix()))
	hash := sha256.Sum256(seed) // FNV puts a-1, a-2 and a-3 close together
	return time.Duration(float64(d) * float64(binary.BigEndian.Uint32(hash[:])) / math.MaxUint32)
}

// spread returns how much earlier than its window a connection is refreshed: up to a
// fifth of the window, and never so much that two writes are less than writeInterval
// apart.
func spread(name string, issued time.Time, window, lifetime, heartbeat time.Duration) time.Duration {
	return min(share(name, issued, window/5), max(lifetime-window-writeInterval*heartbeat, 0))
}

// window returns the window of the connection's published token.
func (c Connection) window(heartbeat time.Duration) time.Duration {
	if !c.Config.RefreshEndsToken {
		return survivingWindow(c.Config.RefreshBefore, c.State.Published.lifetime(), heartbeat)
	}
	return window(c.Config.RefreshBefore, c.State.Published.lifetime(), heartbeat)
}

// validUntil returns the time until which the rotator does not end a token that is
// about to be published. two says that the connection has two credential sets, and
// otherFails that the set which did not obtain the token has an error of its own.
func (c Connection) validUntil(issued, expires time.Time, two, otherFails bool, heartbeat time.Duration) time.Time {
	life := expires.Sub(issued)
	switch {
	case !c.Config.RefreshEndsToken:
		return expires
	case two && !otherFails:
		return wholeSeconds(expires.Add(-min(2*heartbeat, life/2)))
	}
	w := window(c.Config.RefreshBefore, life, heartbeat)
	if two {
		w = min(w, life/4)
	}
	return wholeSeconds(expires.Add(-w - spread(c.Name, issued, w, life, heartbeat)))
}

// refreshAt returns when the published token of a connection with one credential set
// is replaced. The zero time means at once, because no token is known.
func (c Connection) refreshAt(heartbeat time.Duration) time.Time {
	p := c.State.Published
	switch {
	case !p.known():
		return time.Time{}
	case p.Unchanged:
		return p.ExpiresAt.Add(sameTokenMargin)
	case !c.Config.RefreshEndsToken:
		w := c.window(heartbeat)
		return p.ExpiresAt.Add(-w - spread(c.Name, p.IssuedAt, w, p.lifetime(), heartbeat))
	}
	return p.ValidUntil
}

// dueAt returns when the connection becomes due by the clock.
func (c Connection) dueAt(two bool, heartbeat time.Duration) time.Time {
	if two {
		return c.turnAt(heartbeat)
	}
	return c.refreshAt(heartbeat)
}

// Lifetime returns how long the published token lives from issue to expiry, and how
// many versions the token secret gets in 24 hours with such tokens. Both are zero if
// the lifetime is not known.
func (c Connection) Lifetime(heartbeat time.Duration) (lifetime time.Duration, versions int) {
	p := c.State.Published
	if !p.known() || p.Unchanged || p.lifetime() == 0 {
		return 0, 0
	}
	interval := c.dueAt(c.two(nil), heartbeat).Sub(p.IssuedAt)
	if interval <= 0 {
		interval = p.lifetime()
	}
	return p.lifetime(), int(math.Ceil((24 * time.Hour).Seconds() / max(interval, heartbeat).Seconds()))
}

// nextRefresh returns when the connection becomes due next, or the zero time if that
// is not known.
func (c Connection) nextRefresh(now time.Time, heartbeat time.Duration) time.Time {
	at := c.dueAt(c.two(nil), heartbeat)
	if !at.After(now) || c.State.Published.uncertain() || c.standing() != "" {
		return time.Time{}
	}
	return wholeSeconds(at.Add(time.Second - 1))
}

// urgency returns a time by which due connections are ordered. Connections without a
// known token come first. The others follow by the time at which their token may have
// ended or will expire.
func (c Connection) urgency() time.Time {
	p := c.State.Published
	if p.uncertain() {
		return earlier(p.UncertainSince, p.ExpiresAt)
	}
	return p.ExpiresAt
}
