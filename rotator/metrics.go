package rotator

import (
	"context"
	"time"
)

// overdueFailure is how long a credential set may fail. After that the failure
// counts as ActionRequired, whatever its code.
const overdueFailure = 2 * time.Hour

// overdueAfterExpiry is how long a token may be expired if the server returns a new
// one only after the expiry.
const overdueAfterExpiry = time.Minute

// measure writes the metrics of all connections, also of those that the event did
// not name.
func (r *Rotator) measure(ctx context.Context, all []Connection, attempts []*attempt, results []Result) {
	now := time.Now()
	m := Metrics{Heartbeats: 1}
	after := map[string]int{}
	for i, a := range attempts {
		after[a.c.Name] = i
		m.Throttles += a.throttled
		for _, d := range a.durations {
			m.GrantMilliseconds = append(m.GrantMilliseconds, float64(d.Microseconds())/1000)
		}
		m.Failures += len(a.failures)
		switch outcome := results[i].Outcome; {
		case outcome == Refreshed:
			m.Refreshes++
		case outcome == Failed && len(a.failures) == 0:
			m.Failures++
		}
	}
	for _, c := range all {
		result := Result{Outcome: NotDue}
		if i, ok := after[c.Name]; ok {
			c.State, result = attempts[i].next, results[i]
		} else if !c.State.everUsed() && c.State.Error == "" {
			result.Outcome = NoCredentials
		}
		if c.ConfigError == nil && c.Config.Enabled || c.ConfigError != nil {
			m.add(now, c, result, r.Settings.Heartbeat)
		}
	}
	r.write(ctx, m)
}

func (m *Metrics) add(now time.Time, c Connection, result Result, heartbeat time.Duration) {
	if result.Outcome == NoCredentials {
		m.NoCredentials++
	}
	if result.Error.ActionRequired() || c.actionRequired(now) {
		m.ActionRequired++
	}
	if c.overdue(now, heartbeat) {
		m.RefreshOverdue++
	}
	if p := c.State.Published; p.known() {
		m.TokenSecondsRemaining = append(m.TokenSecondsRemaining, p.ExpiresAt.Sub(now).Truncate(time.Second).Seconds())
	}
	for _, set := range []SetState{c.State.Primary, c.State.Alternate} {
		if set.RefreshTokenFingerprint != "" && !set.CanLogIn {
			m.RefreshTokenAgeDays = append(m.RefreshTokenAgeDays, now.Sub(set.RefreshTokenSince).Hours()/24)
		}
	}
}

// actionRequired reports whether the connection or any of its sets has an error
// that needs an operator.
func (c Connection) actionRequired(now time.Time) bool {
	for _, set := range []SetState{c.State.Primary, c.State.Alternate} {
		if set.Error.ActionRequired() || set.Error != "" && now.Sub(set.FailingSince) >= overdueFailure {
			return true
		}
	}
	return c.ConfigError != nil || c.State.Error.ActionRequired() || c.TooManyReports(now)
}

func (r *Rotator) write(ctx context.Context, m Metrics) {
	if r.Metrics.Write(time.Now(), m) != nil {
		r.Log.ErrorContext(ctx, "the metrics could not be written")
	}
}

// overdue defines the metric RefreshOverdue. It reports whether one of these is true:
//   - The connection has an error and never had a token.
//   - Runs could not record the state, so that it is not known which token is published.
//   - The token has been uncertain for half of its refresh window.
//   - The token has expired, or less than half of its refresh window is left.
//
// If the server returns a new token only after the expiry, the last one is instead:
// the token expired more than a minute ago.
func (c Connection) overdue(now time.Time, heartbeat time.Duration) bool {
	p := c.State.Published
	left := p.ExpiresAt.Sub(now)
	switch {
	case !c.unrecordedUntil(now).IsZero():
		return true
	case !p.known():
		return c.standing() != ""
	case p.uncertain() && now.Sub(p.UncertainSince) >= c.window(heartbeat)/2:
		return true
	case p.Unchanged:
		return left < -overdueAfterExpiry
	}
	return left <= 0 || left < c.window(heartbeat)/2
}
