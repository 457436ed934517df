package rotator

import (
	"cmp"
	"context"
	"time"
)

// Metrics is what one run measured. What it holds is written even where it is
// zero, so that an alarm can tell none from unknown.
type Metrics struct {
	// Heartbeats is 1 for a run that could see the connections, else 0: a
	// rotator that cannot list is as silent to its users as one that is gone.
	Heartbeats int
	// Late counts connections whose token has less than half of its refresh
	// window left or, after the answer "unchanged", expired over 60 s ago.
	Late int
	// ActionRequired counts connections whose error needs action.
	ActionRequired int
	// NoCredentials counts connections that have no credentials yet.
	NoCredentials int
	// Refreshes counts new tokens published.
	Refreshes int
	// Failures counts attempts that failed.
	Failures int
	// Throttles counts 429 replies of token endpoints.
	Throttles int
	// TokenSecondsRemaining has one value, in seconds, for each connection that
	// ever had a token; negative once it has expired.
	TokenSecondsRemaining []float64
	// RefreshTokenAgeDays has one value, in days, for each connection that
	// lives on a refresh token and cannot log in.
	RefreshTokenAgeDays []float64
	// GrantMilliseconds has one value, in milliseconds, for each token request
	// that was answered.
	GrantMilliseconds []float64
	// ListingFailed says that Late, ActionRequired and NoCredentials are not known.
	ListingFailed bool
}

// measure writes the metrics: of all connections, also those that the event did
// not name.
func (r *Rotator) measure(ctx context.Context, all []Connection, attempts []*attempt, results []Result) {
	now := time.Now()
	m := Metrics{Heartbeats: 1}
	after := map[string]int{}
	for i, a := range attempts {
		after[a.c.Name] = i
		m.Throttles += a.throttled
		for _, d := range a.answered {
			m.GrantMilliseconds = append(m.GrantMilliseconds, float64(d.Microseconds())/1000)
		}
		switch results[i].Outcome {
		case Refreshed:
			m.Refreshes++
		case Failed:
			m.Failures++
		case NoCredentials:
			m.NoCredentials++
		}
	}
	for _, c := range all {
		standing := c.State.Error
		if i, ok := after[c.Name]; ok {
			c.State = attempts[i].next
			standing = cmp.Or(results[i].Error, c.State.Error)
		}
		if c.ConfigError == nil && !c.Config.Enabled {
			continue
		}
		m.add(now, c, standing, r.Settings.Heartbeat)
	}
	r.write(ctx, m)
}

func (m *Metrics) add(now time.Time, c Connection, standing Code, heartbeat time.Duration) {
	if standing.ActionRequired() {
		m.ActionRequired++
	}
	if c.late(now, heartbeat) {
		m.Late++
	}
	if c.State.known() {
		m.TokenSecondsRemaining = append(m.TokenSecondsRemaining, c.State.ExpiresAt.Sub(now).Truncate(time.Second).Seconds())
	}
	if c.State.RefreshTokenFingerprint != "" && !c.State.CanLogIn {
		m.RefreshTokenAgeDays = append(m.RefreshTokenAgeDays, now.Sub(c.State.RefreshTokenSince).Hours()/24)
	}
}

func (r *Rotator) write(ctx context.Context, m Metrics) {
	if r.Metrics.Write(time.Now(), m) != nil {
		r.Log.ErrorContext(ctx, "the metrics could not be written")
	}
}
