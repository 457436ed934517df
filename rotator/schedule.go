package rotator

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"
)

// Reason says why a connection is due.
type Reason string

// The reasons.
const (
	ReasonUnknown        Reason = "unknown"         // nothing believable is known of a published token
	ReasonWindow         Reason = "window"          // the refresh window before the expiry has begun
	ReasonExpiry         Reason = "expiry"          // the server gives a new token only after the old one's end
	ReasonLeaseExpired   Reason = "lease_expired"   // a run ended without a record
	ReasonForced         Reason = "forced"          // somebody said so
	ReasonDeadToken      Reason = "dead_token"      // a job reported that the published token is refused
	ReasonNewCredentials Reason = "new_credentials" // after a rejection, the credentials secret has changed
	ReasonPending        Reason = "pending"         // a refresh token waits to be saved
)

const (
	// writeInterval, in heartbeats, keeps a secret's writes within what Secrets
	// Manager takes for long: 100 versions, none pruned within 24 h, so one in
	// 14.4 minutes.
	writeInterval = 15
	// expirySlack is how long after a recorded expiry a new token is asked for:
	// servers cut expires_in to whole seconds, and so does the state.
	expirySlack = time.Second
	// deadTokenAge is how old the last refresh must be for a report to count,
	// so that twenty jobs reporting one token cause one refresh.
	deadTokenAge = time.Minute
	// overdueAfterExpiry is how long a token may be over when the server gives a
	// new one only then.
	overdueAfterExpiry = time.Minute
)

// window is how long before its expiry a token is replaced: what was asked
// for, but at most half of a short life, and not so much that the secret is
// written too often, unless two heartbeats would not fit any more.
func window(refreshBefore, lifetime, heartbeat time.Duration) time.Duration {
	return min(refreshBefore, lifetime/2, max(lifetime-writeInterval*heartbeat, 2*heartbeat))
}

// writesTooOften reports whether a lifetime forces more writes than Secrets
// Manager takes for long.
func writesTooOften(lifetime, heartbeat time.Duration) bool {
	return lifetime-writeInterval*heartbeat < 2*heartbeat
}

// spread is by how much a connection refreshes earlier than its window says: up
// to a fifth of the window, by a hash of its name and of the time of its last
// refresh. Differing from one refresh to the next, it takes apart within a day
// what was seeded together; a spread that is always the same for one name would
// leave as many groups as it spans heartbeats. It never makes a secret be written
// more often than the window alone.
func spread(name string, refreshed time.Time, window, lifetime, heartbeat time.Duration) time.Duration {
	seed := binary.BigEndian.AppendUint64([]byte(name), uint64(refreshed.Unix()))
	hash := sha256.Sum256(seed) // FNV puts a-1, a-2 and a-3 close together
	part := time.Duration(float64(window/5) * float64(binary.BigEndian.Uint32(hash[:])) / math.MaxUint32)
	return min(part, max(lifetime-window-writeInterval*heartbeat, 0))
}

// window is that of the connection's published token.
func (c Connection) window(heartbeat time.Duration) time.Duration {
	return window(c.Config.RefreshBefore, c.State.lifetime(), heartbeat)
}

// refreshAt is when the published token is to be replaced. The zero time: now,
// since nothing is known of it.
func (c Connection) refreshAt(heartbeat time.Duration) time.Time {
	switch {
	case !c.State.known():
		return time.Time{}
	case c.State.Unchanged:
		return c.State.ExpiresAt.Add(expirySlack)
	}
	w := c.window(heartbeat)
	return c.State.ExpiresAt.Add(-w - spread(c.Name, c.State.RefreshedAt, w, c.State.lifetime(), heartbeat))
}

// decision is what a run does about a connection.
type decision struct {
	// outcome is empty when the connection is due.
	outcome Outcome
	reason  Reason
	// waitUntil is when to begin, zero for at once.
	waitUntil time.Time
	// waitsForNew: only new credentials lift what holds the connection back.
	waitsForNew bool
	// grant: a token is to be asked for; otherwise only a pending refresh token to be saved.
	grant bool
	// forced: a login that was tried already may be tried again.
	forced bool
}

// decide is a pure function of one clock reading.
func (c Connection) decide(now time.Time, event Event, heartbeat time.Duration) decision {
	if c.ConfigError != nil {
		return decision{outcome: Failed}
	}
	if !c.Config.Enabled {
		return decision{outcome: Disabled}
	}
	d := c.due(now, event, heartbeat)
	if !d.grant && c.Pending == nil {
		return decision{outcome: NotDue}
	}
	if c.leased(now) {
		return decision{outcome: Busy, reason: d.reason}
	}
	if d.grant && c.holds(now, event, d) {
		d.grant, d.waitsForNew = false, c.State.Error.WaitsForNewCredentials()
	}
	switch {
	case d.grant || d.waitsForNew:
		return d
	case c.Pending != nil:
		return decision{reason: ReasonPending}
	}
	return decision{outcome: BackingOff, reason: d.reason}
}

// due reports whether a token is to be asked for, and why.
func (c Connection) due(now time.Time, event Event, heartbeat time.Duration) decision {
	at := c.refreshAt(heartbeat)
	switch {
	case event.Force:
		return decision{grant: true, reason: ReasonForced, forced: true}
	case event.DeadToken != "":
		reported := event.DeadToken == c.State.TokenFingerprint && now.Sub(c.State.RefreshedAt) > deadTokenAge
		return decision{grant: reported, reason: ReasonDeadToken}
	case !c.State.known():
		return decision{grant: true, reason: ReasonUnknown}
	case c.leaseExpired(now):
		return decision{grant: true, reason: ReasonLeaseExpired}
	case c.State.Unchanged && !now.Before(at):
		return decision{grant: true, reason: ReasonExpiry}
	case c.State.Unchanged && event.Heartbeat() && at.Sub(now) <= longestWait(heartbeat):
		return decision{grant: true, reason: ReasonExpiry, waitUntil: at}
	case !c.State.Unchanged && !now.Before(at):
		return decision{grant: true, reason: ReasonWindow}
	}
	return decision{}
}

// urgency orders the due connections: the token that ends first comes first,
// one of which nothing is known before all.
func (c Connection) urgency() time.Time { return c.State.ExpiresAt }

// late reports whether users may soon feel that the token was not replaced.
func (c Connection) late(now time.Time, heartbeat time.Duration) bool {
	left := c.State.ExpiresAt.Sub(now)
	switch {
	case !c.State.known():
		return c.State.Error != "" // seeded, and no token ever got through
	case c.State.Unchanged:
		return left < -overdueAfterExpiry
	}
	return left <= 0 || left < c.window(heartbeat)/2
}
