package rotator

import (
	"slices"
	"time"
)

const (
	// deadTokenAge is how old the last refresh must be for a report to count,
	// so that twenty jobs that report one token cause one refresh.
	deadTokenAge = time.Minute
	// maxReports is how many refreshes reports may cause in reportInterval. Each one
	// writes a version of the token secret, and Secrets Manager accepts about 100
	// versions in a day.
	maxReports     = 6
	reportInterval = 3 * time.Hour
)

// reported reports whether a job's report is about the published token, and that
// token was not published a moment ago.
func (c Connection) reported(event Event, now time.Time) bool {
	p := c.State.Published
	return event.DeadToken == p.Fingerprint && now.Sub(p.IssuedAt) > deadTokenAge
}

// recent returns the times that lie in the last reportInterval.
func recent(times []time.Time, now time.Time) []time.Time {
	times = slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool {
		return t.After(now) || now.Sub(t) >= reportInterval
	})
	if len(times) == 0 {
		return nil
	}
	slices.SortFunc(times, time.Time.Compare)
	return times[max(0, len(times)-maxReports):]
}

// TooManyReports reports whether jobs have caused as many refreshes as they may.
func (c Connection) TooManyReports(now time.Time) bool {
	return len(recent(c.State.Published.ReportedAt, now)) >= maxReports
}

// reportsAgainAt returns when a report may cause a refresh again.
func (c Connection) reportsAgainAt(now time.Time) time.Time {
	times := recent(c.State.Published.ReportedAt, now)
	if len(times) < maxReports {
		return time.Time{}
	}
	return times[0].Add(reportInterval)
}
