package rotator

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"
)

const (
	// writeInterval, in heartbeats, keeps a secret's writes within what Secrets
	// Manager takes for long: 100 versions, none pruned within 24 h, so one in
	// 14.4 minutes.
	writeInterval = 15
)

// window is how long before its expiry a token is replaced: what was asked
// for, but at most half of a short life, and not so much that the secret is
// written too often, unless two heartbeats would not fit.
func window(refreshBefore, lifetime, heartbeat time.Duration) time.Duration {
	return min(refreshBefore, lifetime/2, max(lifetime-writeInterval*heartbeat, 2*heartbeat))
}

// survivingWindow is the window of a token that lives on after a refresh: half
// of the life, or what 15 heartbeats leave of it, and at least the window.
func survivingWindow(refreshBefore, lifetime, heartbeat time.Duration) time.Duration {
	return max(window(refreshBefore, lifetime, heartbeat), min(lifetime/2, lifetime-writeInterval*heartbeat))
}

// WritesTooOften reports whether a lifetime forces more writes than Secrets
// Manager takes for long.
func WritesTooOften(lifetime, heartbeat time.Duration) bool {
	return lifetime-writeInterval*heartbeat < 2*heartbeat
}

// share is a part of d that is the same for one name and one refresh. It differs
// from one refresh to the next, so that connections seeded together are apart
// within a day; a share by name alone would leave as many groups as d spans
// heartbeats.
func share(name string, issued time.Time, d time.Duration) time.Duration {
	seed := binary.BigEndian.AppendUint64([]byte(name), uint64(issued.Unix()))
	hash := sha256.Sum256(seed) // FNV puts a-1, a-2 and a-3 close together
	return time.Duration(float64(d) * float64(binary.BigEndian.Uint32(hash[:])) / math.MaxUint32)
}

// spread is by how much a connection refreshes earlier than its window says: up
// to a fifth of the window. It never makes a secret be written more often than
// the window alone.
func spread(name string, issued time.Time, window, lifetime, heartbeat time.Duration) time.Duration {
	return min(share(name, issued, window/5), max(lifetime-window-writeInterval*heartbeat, 0))
}

// window is that of the connection's published token.
func (c Connection) window(heartbeat time.Duration) time.Duration {
	if !c.Config.RefreshEndsToken {
		return survivingWindow(c.Config.RefreshBefore, c.State.Published.lifetime(), heartbeat)
	}
	return window(c.Config.RefreshBefore, c.State.Published.lifetime(), heartbeat)
}

// validUntil is the time until which the rotator does not end a token that is
// about to be published. Two: the connection has two credential sets, and
// otherFails says that the other one has an error of its own.
func (c Connection) validUntil(issued, expires time.Time, two, otherFails bool, heartbeat time.Duration) time.Time {
	life := expires.Sub(issued)
	switch {
	case !c.Config.RefreshEndsToken:
		return expires
	case two && !otherFails:
		return expires.Add(-min(2*heartbeat, life/2))
	}
	w := window(c.Config.RefreshBefore, life, heartbeat)
	if two {
		w = min(w, life/4)
	}
	return wholeSeconds(expires.Add(-w - spread(c.Name, issued, w, life, heartbeat)))
}

// refreshAt is when the published token of a connection with one credential set
// is to be replaced. The zero time: now, since nothing is known of it.
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

// dueAt is when the clock makes the connection due.
func (c Connection) dueAt(two bool, heartbeat time.Duration) time.Time {
	if two {
		return c.turnAt(heartbeat)
	}
	return c.refreshAt(heartbeat)
}

// Lifetime is the published token's whole life, and versions how many versions the
// token secret gets in 24 hours with such tokens. Both are zero where the life is
// not known.
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

// nextRefresh is when the connection becomes due next, or the zero time where
// that is not known.
func (c Connection) nextRefresh(now time.Time, heartbeat time.Duration) time.Time {
	at := c.dueAt(c.two(nil), heartbeat)
	if !at.After(now) || c.State.Published.uncertain() || c.standing() != "" {
		return time.Time{}
	}
	return wholeSeconds(at.Add(time.Second - 1))
}

// urgency orders the due connections: one of which nothing is known before all,
// then those whose token may be expired, then the token that expires first.
func (c Connection) urgency() time.Time {
	p := c.State.Published
	if p.uncertain() {
		return earlier(p.UncertainSince, p.ExpiresAt)
	}
	return p.ExpiresAt
}
