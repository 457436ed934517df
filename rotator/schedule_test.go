package rotator

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"reltio-token-rotator/rotator/secret"
)

const minute = time.Minute

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestWindow(t *testing.T) {
	for _, c := range []struct {
		name                    string
		before, lifetime, pulse time.Duration
		want                    time.Duration
		tooOften                bool
	}{
		{"an hour's token: what was asked for", 10 * minute, time.Hour, minute, 10 * minute, false},
		{"half of a short life at most", 50 * minute, time.Hour, minute, 30 * minute, false},
		{"20 minutes: not written more than once in 15", 10 * minute, 20 * minute, minute, 5 * minute, false},
		{"17 minutes: two heartbeats are left", 10 * minute, 17 * minute, minute, 2 * minute, false},
		{"10 minutes: two heartbeats all the same", 10 * minute, 10 * minute, minute, 2 * minute, true},
		{"3 minutes: half of it", 10 * minute, 3 * minute, minute, 90 * time.Second, true},
		{"no life", 10 * minute, 0, minute, 0, true},
		{"a short scale", 3 * time.Second, 12 * time.Second, 500 * time.Millisecond, 3 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := window(c.before, c.lifetime, c.pulse); got != c.want {
				t.Errorf("window is %v, want %v", got, c.want)
			}
			if got := WritesTooOften(c.lifetime, c.pulse); got != c.tooOften {
				t.Errorf("WritesTooOften is %v", got)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	hour := func(name string, refreshed time.Time) time.Duration {
		return spread(name, refreshed, 10*minute, time.Hour, minute)
	}
	names, cycles := make([]int, 4), make([]int, 4) // how many lie in which half minute
	for i := range 100 {
		name, later := fmt.Sprintf("tenant-%d", i), noon.Add(time.Duration(i)*50*minute)
		s, again := hour(name, noon), hour(name, noon)
		if s < 0 || s > 2*minute {
			t.Errorf("%s: %v is not within a fifth of the window", name, s)
		}
		if again != s {
			t.Errorf("%s: it changes without a refresh", name)
		}
		names[min(s/(30*time.Second), 3)]++
		cycles[min(hour("default", later)/(30*time.Second), 3)]++
		if s := spread(name, noon, 5*minute, 20*minute, minute); s != 0 {
			t.Errorf("%s: a spread of %v makes a 20 minutes' token be written more than once in 15", name, s)
		}
	}
	for what, halves := range map[string][]int{"names": names, "refreshes of one name": cycles} {
		if slices.Min(halves) < 15 || slices.Max(halves) > 35 {
			t.Errorf("100 %s lie unevenly in the four half minutes: %v", what, halves)
		}
	}
}

// well is a connection with one credential set whose token has 50 minutes left
// of an hour, seen at noon.
func well() Connection {
	c := Connection{
		Name:   "default",
		Config: Config{TokenURL: "https://auth.reltio.com/oauth/token", RefreshBefore: 10 * minute, Enabled: true, RefreshEndsToken: true},
		State: State{
			Published:          Published{Set: Primary, Fingerprint: "0123456789abcdef"},
			Primary:            SetState{Version: "v1", RefreshTokenFingerprint: "f", TokenFingerprint: "0123456789abcdef"},
			CredentialsVersion: "v1", LeaseVersion: 7,
		},
		Lease:        Lease{Run: "r/1", From: 6, Until: noon.Add(-9 * minute), Set: Primary},
		LeaseVersion: 7,
	}
	c.expireIn(50 * minute)
	return c
}

// expireIn makes the published token live an hour, of which d is left.
func (c *Connection) expireIn(d time.Duration) {
	p := &c.State.Published
	p.IssuedAt, p.ExpiresAt = noon.Add(d-time.Hour), noon.Add(d)
	part := c.State.Of(p.Set)
	part.TokenIssuedAt, part.TokenExpiresAt = p.IssuedAt, p.ExpiresAt
	two := c.State.Alternate.Version != ""
	p.ValidUntil = c.validUntil(p.IssuedAt, p.ExpiresAt, two, c.State.Of(p.Set.Other()).Error != "", minute)
}

// wellWithTwo is a connection with two credential sets: the primary one obtained
// the published token, which has d left of an hour, and the alternate one's last
// token has expired.
func wellWithTwo(d time.Duration) Connection {
	c := well()
	c.State.Alternate = SetState{Version: "v1", RefreshTokenFingerprint: "g", TokenFingerprint: "1111111111111111", TokenIssuedAt: noon.Add(-70 * minute), TokenExpiresAt: noon.Add(-10 * minute)}
	c.expireIn(d)
	return c
}

func (d decision) String() string {
	return fmt.Sprintf("{%s %s ask %v read %v wait %v}", d.outcome, d.reason, d.ask, d.read, d.waitUntil)
}

func TestDecide(t *testing.T) {
	type change = func(*Connection, *Event)
	expireIn := func(d time.Duration) change { return func(c *Connection, _ *Event) { c.expireIn(d) } }
	window := expireIn(5 * minute)
	with := func(changes ...change) []change { return changes }
	state := func(change func(*State)) change {
		return func(c *Connection, _ *Event) { change(&c.State) }
	}
	set := func(change func(*SetState)) change {
		return func(c *Connection, _ *Event) { change(&c.State.Primary) }
	}
	lease := func(from, version int64, until time.Duration) change {
		return func(c *Connection, _ *Event) {
			c.Lease, c.LeaseVersion = Lease{Run: "other/1", From: from, Until: noon.Add(until), Set: Primary}, version
		}
	}
	event := func(e Event) change {
		return func(_ *Connection, into *Event) { *into = e }
	}
	pending := func(c *Connection, _ *Event) {
		c.Pending = PendingTokens{[]PendingToken{{Set: Primary, Replaces: "f", RefreshToken: secret.New("r")}}}
	}
	unchanged := state(func(s *State) { s.Published.Unchanged = true })
	uncertain := state(func(s *State) { s.Published.UncertainSince = noon.Add(-minute) })
	fails := func(code Code, left time.Duration) change {
		return set(func(s *SetState) { s.Error, s.Failures, s.NotBefore = code, 1, noon.Add(left) })
	}
	force := event(Event{Action: ActionRefresh, Force: true})
	report := event(Event{Action: ActionRefresh, Connections: []string{"default"}, DeadToken: "0123456789abcdef"})
	reports := func(n int) change {
		return state(func(s *State) { s.Published.ReportedAt = slices.Repeat([]time.Time{noon.Add(-time.Hour)}, n) })
	}
	// runs is how many runs in a row left no record, and since is when the last lease ended.
	notRecorded := func(runs int, since time.Duration) change {
		return func(c *Connection, _ *Event) {
			c.Lease, c.LeaseVersion = Lease{Run: "other/1", From: 7, Until: noon.Add(-since), Set: Primary, RunsWithoutRecord: runs - 1}, 8
		}
	}
	one := []SetName{Primary}

	for _, c := range []struct {
		name    string
		changes []change
		want    decision
	}{
		{"a fresh token", nil, decision{outcome: NotDue}},
		{"inside the window", with(window), decision{ask: one, reason: ReasonWindow}},
		{"before the window and its spread", with(expireIn(12*minute + time.Second)), decision{outcome: NotDue}},
		{"expired", with(expireIn(-time.Second)), decision{ask: one, reason: ReasonWindow}},
		{"no state", with(state(func(s *State) { *s = State{LeaseVersion: 7} })), decision{ask: one, reason: ReasonUnknown}},
		{"switched off", with(window, func(c *Connection, _ *Event) { c.Config.Enabled = false }), decision{outcome: Disabled}},
		{"switched off, forced", with(force, func(c *Connection, _ *Event) { c.Config.Enabled = false }), decision{outcome: Disabled}},
		{"a wrong config", with(window, func(c *Connection, _ *Event) { c.ConfigError = configError("x") }), decision{outcome: Failed}},
		{"a token that lives on after a refresh, at half of its life", with(func(c *Connection, _ *Event) { c.Config.RefreshEndsToken = false }, expireIn(30*minute)), decision{ask: one, reason: ReasonWindow}},
		{"the same, before", with(func(c *Connection, _ *Event) { c.Config.RefreshEndsToken = false }, expireIn(37*minute)), decision{outcome: NotDue}},
		{"a smaller window in the config counts from the next token on", with(window, func(c *Connection, _ *Event) { c.Config.RefreshBefore = 2 * minute }), decision{ask: one, reason: ReasonWindow}},

		{"uncertain", with(uncertain), decision{ask: one, reason: ReasonUncertain}},
		{"uncertain, and backing off", with(uncertain, fails(BadResponse, minute)), decision{outcome: BackingOff, reason: ReasonUncertain}},
		{"uncertain after a lost answer", with(uncertain, set(func(s *SetState) { s.Error = AnswerLost })), decision{ask: one, reason: ReasonUncertain}},

		{"leased by another run", with(window, lease(7, 8, 30*time.Second)), decision{outcome: Busy, reason: ReasonWindow}},
		{"leased, and forced", with(force, lease(7, 8, 30*time.Second)), decision{outcome: Busy, reason: ReasonForced}},
		{"leased, but not due", with(lease(7, 8, 30*time.Second)), decision{outcome: NotDue}},
		{"the lease's run left no record", with(lease(7, 8, -time.Second)), decision{ask: one, reason: ReasonLeaseExpired}},
		{"a run that asked for nothing left no record", with(lease(7, 8, -time.Second), func(c *Connection, _ *Event) { c.Lease.Set = "" }), decision{outcome: NotDue}},
		{"the write of a run that came second", with(window, lease(6, 8, 30*time.Second)), decision{ask: one, reason: ReasonWindow}},
		{"the same, not due", with(lease(6, 8, -time.Second)), decision{outcome: NotDue}},
		{"a lease from the far future", with(window, lease(7, 8, 16*minute)), decision{ask: one, reason: ReasonWindow}},
		{"a lease deleted and written again", with(window, lease(0, 1, 30*time.Second)), decision{outcome: Busy, reason: ReasonWindow}},

		{"nine runs left no record", with(notRecorded(9, 5*time.Second)), decision{ask: one, reason: ReasonLeaseExpired}},
		{"ten runs left no record", with(notRecorded(10, 5*time.Second)), decision{outcome: BackingOff, reason: ReasonLeaseExpired, notRecorded: true}},
		{"ten, and no token is known", with(notRecorded(10, minute), state(func(s *State) { *s = State{} })), decision{outcome: BackingOff, reason: ReasonUnknown, notRecorded: true}},
		{"ten, for less than half an hour", with(notRecorded(10, 30*minute-time.Second)), decision{outcome: BackingOff, reason: ReasonLeaseExpired, notRecorded: true}},
		{"ten, for half an hour", with(notRecorded(10, 30*minute)), decision{ask: one, reason: ReasonLeaseExpired}},
		{"ten, and forced", with(notRecorded(10, minute), force), decision{ask: one, reason: ReasonForced}},
		{"ten, and a job's report", with(notRecorded(10, minute), report), decision{outcome: BackingOff, reason: ReasonDeadToken, notRecorded: true}},
		{"ten, and a pending refresh token", with(notRecorded(10, minute), pending), decision{outcome: BackingOff, reason: ReasonLeaseExpired, notRecorded: true}},
		{"ten, and a run is active", with(notRecorded(10, -minute)), decision{outcome: NotDue}},
		{"ten, and the next one recorded", with(notRecorded(10, minute), state(func(s *State) { s.LeaseVersion = 8 })), decision{outcome: NotDue}},

		{"backing off", with(window, fails(BadResponse, minute)), decision{outcome: BackingOff, reason: ReasonWindow}},
		{"the backoff is over", with(window, fails(BadResponse, 0)), decision{ask: one, reason: ReasonWindow}},
		{"the server asked to wait", with(window, state(func(s *State) { s.NotBefore, s.Primary.Error = noon.Add(minute), Throttled })), decision{outcome: BackingOff, reason: ReasonWindow}},
		{"rejected: only new credentials help", with(window, fails(RefreshTokenRejected, minute)), decision{reason: ReasonWindow, read: true}},
		{"a rejected login waits without an end", with(window, set(func(s *SetState) { s.Error, s.RefreshTokenFingerprint = LoginRejected, "" })), decision{reason: ReasonWindow, read: true}},
		{"a refresh token beside a rejected login is tried", with(window, fails(LoginRejected, 0)), decision{ask: one, reason: ReasonWindow}},
		{"unreadable credentials are read again, due or not", with(state(func(s *State) { s.Error = CredentialsUnread })), decision{read: true}},
		{"forced in spite of a backoff", with(force, fails(LoginRejected, minute)), decision{ask: one, reason: ReasonForced}},
		{"no record, but a backoff", with(lease(7, 8, -time.Second), state(func(s *State) { s.NotBefore, s.Primary.Error = noon.Add(minute), Throttled })), decision{read: true, reason: ReasonLeaseExpired}},
		{"new credentials allow a login before its time", with(window, fails(AnswerLost, minute), set(func(s *SetState) { s.Login.Outcome = LoginUnknown })), decision{read: true, reason: ReasonWindow}},

		{"same token: not before its expiry", with(expireIn(5*minute), unchanged), decision{outcome: NotDue}},
		{"same token: its expiry is near", with(expireIn(40*time.Second), unchanged), decision{ask: one, reason: ReasonExpiry, waitUntil: noon.Add(41 * time.Second)}},
		{"same token: an operator does not wait", with(expireIn(40*time.Second), unchanged, event(Event{Action: ActionRefresh})), decision{outcome: NotDue}},
		{"same token: expired", with(expireIn(-time.Second), unchanged), decision{ask: one, reason: ReasonExpiry}},

		{"a job's report", with(report), decision{ask: one, reason: ReasonDeadToken}},
		{"a report of another token", with(report, state(func(s *State) { s.Published.Fingerprint = "fedcba9876543210" })), decision{outcome: NotDue}},
		{"a report of a token just refreshed", with(report, expireIn(59*minute)), decision{outcome: NotDue}},
		{"a report while backing off", with(report, fails(BadResponse, minute)), decision{outcome: BackingOff, reason: ReasonDeadToken}},
		{"a report in an outage that the heartbeats know of", with(report, uncertain, set(func(s *SetState) { s.Error = ServerError })), decision{outcome: BackingOff, reason: ReasonDeadToken}},
		{"a report while leased", with(report, lease(7, 8, 30*time.Second)), decision{outcome: Busy, reason: ReasonDeadToken}},
		{"the sixth report in three hours", with(report, reports(5)), decision{ask: one, reason: ReasonDeadToken}},
		{"the seventh", with(report, reports(6)), decision{outcome: BackingOff, reason: ReasonDeadToken, tooManyReports: true}},
		{"the seventh, of another token", with(report, reports(6), state(func(s *State) { s.Published.Fingerprint = "fedcba9876543210" })), decision{outcome: NotDue}},
		{"after too many reports the clock goes on", with(reports(6), window), decision{ask: one, reason: ReasonWindow}},

		{"a pending refresh token alone", with(pending), decision{reason: ReasonPending}},
		{"a pending refresh token, and due", with(pending, window), decision{ask: one, reason: ReasonWindow}},
		{"a pending refresh token, and backing off", with(pending, window, fails(BadResponse, minute)), decision{reason: ReasonPending}},
		{"a pending refresh token, and leased", with(pending, lease(7, 8, 30*time.Second)), decision{outcome: Busy}},
	} {
		t.Run(c.name, func(t *testing.T) {
			connection, e := well(), Event{}
			for _, change := range c.changes {
				change(&connection, &e)
			}
			if got := connection.decide(noon, e, minute, nil); got.String() != c.want.String() || got.tooManyReports != c.want.tooManyReports || got.notRecorded != c.want.notRecorded {
				t.Errorf("decided %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestRefreshAtIsEarlierByTheSpreadAndNeverLater(t *testing.T) {
	c := well()
	at := c.refreshAt(minute)
	latest := c.State.Published.ExpiresAt.Add(-10 * minute)
	if at.After(latest) || at.Before(latest.Add(-2*minute)) {
		t.Errorf("due at %v, want within two minutes before %v", at, latest)
	}
}

func TestOverdue(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Connection)
		want   bool
	}{
		{"a fresh token", func(*Connection) {}, false},
		{"more than half of the window left", func(c *Connection) { c.expireIn(6 * minute) }, false},
		{"less than half of it", func(c *Connection) { c.expireIn(4 * minute) }, true},
		{"expired", func(c *Connection) { c.expireIn(0) }, true},
		{"uncertain for less than half of the window", func(c *Connection) { c.State.Published.UncertainSince = noon.Add(-4 * minute) }, false},
		{"uncertain for half of it", func(c *Connection) { c.State.Published.UncertainSince = noon.Add(-5 * minute) }, true},
		{"same token, just over", func(c *Connection) { c.expireIn(-minute); c.State.Published.Unchanged = true }, false},
		{"same token, long over", func(c *Connection) { c.expireIn(-minute - time.Second); c.State.Published.Unchanged = true }, true},
		{"never had one, never tried", func(c *Connection) { c.State = State{} }, false},
		{"never had one, and failed", func(c *Connection) { c.State = State{Primary: SetState{Error: Unreachable}} }, true},
		{"ten runs left no record", func(c *Connection) { c.State.LeaseVersion, c.Lease.RunsWithoutRecord = 6, 9 }, true},
		{"nine runs left no record", func(c *Connection) { c.State.LeaseVersion, c.Lease.RunsWithoutRecord = 6, 8 }, false},
		{"ten runs left no record, the next one did", func(c *Connection) { c.Lease.RunsWithoutRecord = 9 }, false},
		{"two sets: the resting one's turn is long over, and time is left", func(c *Connection) { *c = wellWithTwo(10 * minute) }, false},
		{"two sets: neither was replaced", func(c *Connection) { *c = wellWithTwo(4 * minute) }, true},
	} {
		connection := well()
		c.change(&connection)
		if got := connection.overdue(noon, minute); got != c.want {
			t.Errorf("%s: overdue is %v", c.name, got)
		}
	}
}
