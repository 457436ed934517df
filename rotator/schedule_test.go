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
			if got := writesTooOften(c.lifetime, c.pulse); got != c.tooOften {
				t.Errorf("writesTooOften is %v", got)
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

// well is a connection whose token has 50 minutes left of an hour, seen at noon.
func well() Connection {
	return Connection{
		Name:   "default",
		Config: Config{TokenURL: "https://auth.reltio.com/oauth/token", RefreshBefore: 10 * minute, Enabled: true},
		State: State{
			RefreshedAt: noon.Add(-10 * minute), ExpiresAt: noon.Add(50 * minute),
			TokenFingerprint: "0123456789abcdef", LeaseVersion: 7,
		},
		Lease:        Lease{Run: "r/1", From: 6, Until: noon.Add(-9 * minute)},
		LeaseVersion: 7,
	}
}

func TestDecide(t *testing.T) {
	endsIn := func(d time.Duration) func(*Connection, *Event) {
		return func(c *Connection, _ *Event) {
			c.State.RefreshedAt, c.State.ExpiresAt = noon.Add(d-time.Hour), noon.Add(d)
		}
	}
	window := endsIn(5 * minute)
	with := func(changes ...func(*Connection, *Event)) []func(*Connection, *Event) { return changes }
	state := func(change func(*State)) func(*Connection, *Event) {
		return func(c *Connection, _ *Event) { change(&c.State) }
	}
	lease := func(from, version int64, until time.Duration) func(*Connection, *Event) {
		return func(c *Connection, _ *Event) {
			c.Lease, c.LeaseVersion = Lease{Run: "other/1", From: from, Until: noon.Add(until)}, version
		}
	}
	event := func(e Event) func(*Connection, *Event) {
		return func(_ *Connection, into *Event) { *into = e }
	}
	pending := func(c *Connection, _ *Event) {
		c.Pending = &PendingToken{RefreshToken: secret.New("r"), RotatedFrom: "v1"}
	}
	force := event(Event{Action: ActionRefresh, Force: true})
	report := event(Event{Action: ActionRefresh, Connections: []string{"default"}, DeadToken: "0123456789abcdef"})

	for _, c := range []struct {
		name    string
		changes []func(*Connection, *Event)
		want    decision
	}{
		{"a fresh token", nil, decision{outcome: NotDue}},
		{"inside the window", with(window), decision{grant: true, reason: ReasonWindow}},
		{"before the window and its spread", with(endsIn(12*minute + time.Second)), decision{outcome: NotDue}},
		{"expired", with(endsIn(-time.Second)), decision{grant: true, reason: ReasonWindow}},
		{"no state", with(state(func(s *State) { *s = State{LeaseVersion: 7} })), decision{grant: true, reason: ReasonUnknown}},
		{"switched off", with(window, func(c *Connection, _ *Event) { c.Config.Enabled = false }), decision{outcome: Disabled}},
		{"switched off, forced", with(force, func(c *Connection, _ *Event) { c.Config.Enabled = false }), decision{outcome: Disabled}},
		{"a wrong config", with(window, func(c *Connection, _ *Event) { c.ConfigError = configError("x") }), decision{outcome: Failed}},

		{"leased by another run", with(window, lease(7, 8, 30*time.Second)), decision{outcome: Busy, reason: ReasonWindow}},
		{"leased, and forced", with(force, lease(7, 8, 30*time.Second)), decision{outcome: Busy, reason: ReasonForced}},
		{"leased, but not due", with(lease(7, 8, 30*time.Second)), decision{outcome: NotDue}},
		{"the lease's run left no record", with(lease(7, 8, -time.Second)), decision{grant: true, reason: ReasonLeaseExpired}},
		{"the write of a run that came second", with(window, lease(6, 8, 30*time.Second)), decision{grant: true, reason: ReasonWindow}},
		{"the same, not due", with(lease(6, 8, -time.Second)), decision{outcome: NotDue}},
		{"a lease from the far future", with(window, lease(7, 8, 16*minute)), decision{grant: true, reason: ReasonWindow}},
		{"a lease deleted and written anew", with(window, lease(0, 1, 30*time.Second)), decision{outcome: Busy, reason: ReasonWindow}},

		{"backing off", with(window, state(func(s *State) { s.Error, s.NotBefore = BadResponse, noon.Add(minute) })), decision{outcome: BackingOff, reason: ReasonWindow}},
		{"the back-off is over", with(window, state(func(s *State) { s.Error, s.NotBefore = BadResponse, noon })), decision{grant: true, reason: ReasonWindow}},
		{"rejected: only new credentials help", with(window, state(func(s *State) { s.Error, s.NotBefore = RefreshTokenRejected, noon.Add(minute) })), decision{reason: ReasonWindow, waitsForNew: true}},
		{"a rejected login waits without an end", with(window, state(func(s *State) { s.Error = LoginRejected })), decision{reason: ReasonWindow, waitsForNew: true}},
		{"forced in spite of a hold", with(force, state(func(s *State) { s.Error, s.NotBefore = LoginRejected, noon.Add(minute) })), decision{grant: true, reason: ReasonForced, forced: true}},
		{"no record, but a hold", with(lease(7, 8, -time.Second), state(func(s *State) { s.Error, s.NotBefore = Throttled, noon.Add(minute) })), decision{outcome: BackingOff, reason: ReasonLeaseExpired}},

		{"same token: not before its end", with(endsIn(5*minute), state(func(s *State) { s.Unchanged = true })), decision{outcome: NotDue}},
		{"same token: its end is near", with(endsIn(40*time.Second), state(func(s *State) { s.Unchanged = true })), decision{grant: true, reason: ReasonExpiry, waitUntil: noon.Add(41 * time.Second)}},
		{"same token: a person does not wait", with(endsIn(40*time.Second), state(func(s *State) { s.Unchanged = true }), event(Event{Action: ActionRefresh})), decision{outcome: NotDue}},
		{"same token: ended", with(endsIn(-time.Second), state(func(s *State) { s.Unchanged = true })), decision{grant: true, reason: ReasonExpiry}},

		{"a job's report", with(report), decision{grant: true, reason: ReasonDeadToken}},
		{"a report of another token", with(report, state(func(s *State) { s.TokenFingerprint = "fedcba9876543210" })), decision{outcome: NotDue}},
		{"a report of a token just refreshed", with(report, state(func(s *State) { s.RefreshedAt = noon.Add(-minute) })), decision{outcome: NotDue}},
		{"a report while held back", with(report, state(func(s *State) { s.Error, s.NotBefore = Throttled, noon.Add(minute) })), decision{outcome: BackingOff, reason: ReasonDeadToken}},
		{"a report in an outage that the heartbeats know of", with(report, endsIn(0), state(func(s *State) { s.Error = ServerError })), decision{outcome: BackingOff, reason: ReasonDeadToken}},
		{"a report while leased", with(report, lease(7, 8, 30*time.Second)), decision{outcome: Busy, reason: ReasonDeadToken}},

		{"a pending refresh token alone", with(pending), decision{reason: ReasonPending}},
		{"a pending refresh token, and due", with(pending, window), decision{grant: true, reason: ReasonWindow}},
		{"a pending refresh token, and backing off", with(pending, window, state(func(s *State) { s.Error, s.NotBefore = BadResponse, noon.Add(minute) })), decision{reason: ReasonPending}},
		{"a pending refresh token, and leased", with(pending, lease(7, 8, 30*time.Second)), decision{outcome: Busy}},
	} {
		t.Run(c.name, func(t *testing.T) {
			connection, e := well(), Event{}
			for _, change := range c.changes {
				change(&connection, &e)
			}
			if got := connection.decide(noon, e, minute); got != c.want {
				t.Errorf("decided %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestRefreshAtIsEarlierByTheSpreadAndNeverLater(t *testing.T) {
	c := well()
	at := c.refreshAt(minute)
	latest := c.State.ExpiresAt.Add(-10 * minute)
	if at.After(latest) || at.Before(latest.Add(-2*minute)) {
		t.Errorf("due at %v, want within two minutes before %v", at, latest)
	}
}

func TestLate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*State)
		want   bool
	}{
		{"a fresh token", func(*State) {}, false},
		{"more than half of the window left", func(s *State) { s.ExpiresAt = noon.Add(6 * minute) }, false},
		{"less than half of it", func(s *State) { s.RefreshedAt, s.ExpiresAt = noon.Add(-56*minute), noon.Add(4*minute) }, true},
		{"expired", func(s *State) { s.ExpiresAt = noon }, true},
		{"same token, just over", func(s *State) { s.Unchanged, s.ExpiresAt = true, noon.Add(-minute) }, false},
		{"same token, long over", func(s *State) { s.Unchanged, s.ExpiresAt = true, noon.Add(-minute-time.Second) }, true},
		{"never had one, nobody tried", func(s *State) { *s = State{} }, false},
		{"never had one, and failed", func(s *State) { *s = State{Error: Unreachable} }, true},
	} {
		connection := well()
		c.change(&connection.State)
		if got := connection.late(noon, minute); got != c.want {
			t.Errorf("%s: late is %v", c.name, got)
		}
	}
}
