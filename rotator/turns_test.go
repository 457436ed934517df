package rotator

import (
	"testing"
	"time"
)

// With two credential sets: which one requests a token, when, and why. The primary
// set obtained the published token unless a case says otherwise.
func TestTurns(t *testing.T) {
	type change = func(*Connection, *Event)
	alternate := func(change func(*SetState)) change {
		return func(c *Connection, _ *Event) { change(&c.State.Alternate) }
	}
	fails := func(code Code, left time.Duration) change {
		return alternate(func(s *SetState) { s.Error, s.Failures, s.NotBefore = code, 1, noon.Add(left) })
	}
	failsBefore := func(c *Connection, _ *Event) { // since before the token was published
		c.State.Alternate.Error, c.State.Alternate.NotBefore = RefreshTokenRejected, noon.Add(minute)
		c.expireIn(c.State.Published.ExpiresAt.Sub(noon))
	}
	waits := alternate(func(s *SetState) { s.NotBefore = noon.Add(10 * minute) }) // its last token would have expired before the published one
	notFree := alternate(func(s *SetState) { s.TokenExpiresAt = noon.Add(minute) })
	uncertain := func(c *Connection, _ *Event) { c.State.Published.UncertainSince = noon.Add(-minute) }
	unchanged := func(c *Connection, _ *Event) { c.State.Published.Unchanged = true }
	event := func(e Event) change { return func(_ *Connection, into *Event) { *into = e } }
	force := event(Event{Action: ActionRefresh, Force: true})
	report := event(Event{Action: ActionRefresh, Connections: []string{"default"}, DeadToken: "0123456789abcdef"})
	lease := func(set SetName) change {
		return func(c *Connection, _ *Event) {
			c.Lease, c.LeaseVersion = Lease{Run: "other/1", From: 7, Until: noon.Add(-time.Second), Set: set}, 8
		}
	}
	both := func(first SetName) []SetName { return []SetName{first, first.Other()} }
	only := func(set SetName) []SetName { return []SetName{set} }

	for _, c := range []struct {
		name    string
		left    time.Duration
		changes []change
		want    decision
	}{
		{"a fresh token", 50 * minute, nil, decision{outcome: NotDue}},
		{"half of the life, and not yet the spread", 30*minute + time.Second, nil, decision{outcome: NotDue}},
		{"half of the life and the spread", 28 * minute, nil, decision{ask: only(Alternate), reason: ReasonTurn}},
		{"its turn, but it is not free", 28 * minute, []change{notFree}, decision{outcome: NotDue}},
		{"its turn, not free, and tokens live on", 28 * minute, []change{notFree, func(c *Connection, _ *Event) { c.Config.RefreshEndsToken = false }}, decision{ask: both(Alternate), reason: ReasonTurn}},
		{"its turn, after a token that was not published", 28 * minute, []change{waits}, decision{outcome: NotDue}},
		{"its turn, after a token that was not published: uncertain", 28 * minute, []change{waits, uncertain}, decision{ask: both(Alternate), reason: ReasonUncertain}},
		{"its turn, after a token that was not published: a report", 28 * minute, []change{waits, report}, decision{ask: both(Alternate), reason: ReasonDeadToken}},
		{"its turn, after a token that was not published: its run left no record", 28 * minute, []change{waits, lease(Alternate)}, decision{ask: only(Alternate), reason: ReasonLeaseExpired}},
		{"its turn, and it backs off: the published token serves", 28 * minute, []change{fails(BadResponse, minute)}, decision{outcome: NotDue}},
		{"its turn, and it is rejected: the credentials are read", 28 * minute, []change{fails(RefreshTokenRejected, minute)}, decision{reason: ReasonTurn, read: true}},
		{"rejected, and not its turn: the credentials are read all the same", 50 * minute, []change{fails(RefreshTokenRejected, minute)}, decision{read: true}},
		{"from valid_until on, free: the other one too", 2 * minute, nil, decision{ask: both(Alternate), reason: ReasonTurn}},
		{"from valid_until on, not free: the publishing one", 2 * minute, []change{notFree}, decision{ask: only(Primary), reason: ReasonWindow}},
		{"from valid_until on, backing off: the publishing one", 2 * minute, []change{fails(BadResponse, minute)}, decision{ask: only(Primary), reason: ReasonTurn}},
		{"a failing set: valid_until comes earlier, as with one set", 10 * minute, []change{failsBefore}, decision{ask: only(Primary), reason: ReasonTurn, read: true}},
		{"the server holds both", 2 * minute, []change{func(c *Connection, _ *Event) {
			c.State.NotBefore, c.State.Primary.Error, c.State.Alternate.Error = noon.Add(minute), Throttled, Throttled
		}}, decision{outcome: BackingOff, reason: ReasonTurn}},

		{"uncertain: the resting set if it is free", 50 * minute, []change{uncertain}, decision{ask: both(Alternate), reason: ReasonUncertain}},
		{"uncertain, and it is not free: the publishing one first", 50 * minute, []change{uncertain, notFree}, decision{ask: both(Primary), reason: ReasonUncertain}},
		{"a report, likewise", 50 * minute, []change{report}, decision{ask: both(Alternate), reason: ReasonDeadToken}},
		{"forced: the resting set, free or not", 50 * minute, []change{force, notFree}, decision{ask: both(Alternate), reason: ReasonForced}},
		{"forced: first the one that no rejection stands against", 50 * minute, []change{force, fails(LoginRejected, minute)}, decision{ask: both(Primary), reason: ReasonForced}},
		{"forced with a set: that set alone", 50 * minute, []change{event(Event{Action: ActionRefresh, Force: true, Set: Primary})}, decision{ask: only(Primary), reason: ReasonForced}},

		{"a run of the resting set left no record: that set at once", 50 * minute, []change{lease(Alternate)}, decision{ask: only(Alternate), reason: ReasonLeaseExpired}},
		{"a run of the publishing set left no record: it is uncertain", 50 * minute, []change{lease(Primary), notFree}, decision{ask: both(Primary), reason: ReasonLeaseExpired}},

		{"same token: before its expiry, the other one's turn", 20 * minute, []change{unchanged}, decision{ask: only(Alternate), reason: ReasonTurn}},
		{"same token: near its expiry, the other one's turn", 40 * time.Second, []change{unchanged}, decision{ask: only(Alternate), reason: ReasonTurn}},
		{"same token: near its expiry, the other one has just become free", 40 * time.Second, []change{unchanged, alternate(func(s *SetState) { s.TokenExpiresAt = noon.Add(-3 * time.Second) })}, decision{ask: only(Alternate), reason: ReasonTurn}},
		{"same token: near its expiry, a wait while the other one is not free", 40 * time.Second, []change{unchanged, notFree}, decision{ask: only(Primary), reason: ReasonExpiry, waitUntil: noon.Add(41 * time.Second)}},
		{"same token: near its expiry, a wait while the other one fails", 40 * time.Second, []change{unchanged, fails(BadResponse, minute)}, decision{ask: only(Primary), reason: ReasonExpiry, waitUntil: noon.Add(41 * time.Second)}},

		{"the publishing set was taken away and another added", 2 * minute, []change{func(c *Connection, _ *Event) { c.State.Published.Set = "" }}, decision{ask: both(Primary), reason: ReasonWindow}},
		{"no state of a token", 0, []change{func(c *Connection, _ *Event) { c.State.Published = Published{} }}, decision{ask: both(Primary), reason: ReasonUnknown}},
	} {
		t.Run(c.name, func(t *testing.T) {
			connection, e := wellWithTwo(c.left), Event{}
			for _, change := range c.changes {
				change(&connection, &e)
			}
			if got := connection.decide(noon, e, minute, nil); got.String() != c.want.String() {
				t.Errorf("decided %v\nwant %v", got, c.want)
			}
		})
	}
}

// valid_until depends on what is known when a token is published.
func TestValidUntil(t *testing.T) {
	c := well()
	issued, expires := noon, noon.Add(3599*time.Second)
	between := func(name string, got, from, to time.Time) {
		if got.Before(from) || got.After(to) {
			t.Errorf("%s: %v, want from %v to %v", name, got, from, to)
		}
	}
	between("one set", c.validUntil(issued, expires, false, false, minute), expires.Add(-12*minute-time.Second), expires.Add(-10*minute))
	between("two sets", c.validUntil(issued, expires, true, false, minute), expires.Add(-2*minute), expires.Add(-2*minute))
	between("two sets, the other one fails", c.validUntil(issued, expires, true, true, minute), expires.Add(-12*minute-time.Second), expires.Add(-10*minute))
	c.Config.RefreshBefore = 30 * minute
	between("the same with half an hour's window: a quarter of the life", c.validUntil(issued, expires, true, true, minute), expires.Add(-18*minute-time.Second), expires.Add(-899*time.Second))
	c.Config.RefreshEndsToken = false
	between("a token that lives on", c.validUntil(issued, expires, true, true, minute), expires, expires)
}
