package rotator

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// reportReserve is the part of an invocation that is reserved for the report.
	reportReserve = 2 * time.Second
	// defaultTimeout is an invocation's time if its context has no deadline.
	defaultTimeout = 180 * time.Second
)

// Run does what the event asks for and returns a report. requestID names the
// invocation in leases. The error is a *RotationFailed if an attempt of a heartbeat
// failed, or if the listing failed or the run panicked, whatever the event. Any
// other error says what is wrong with the event. The report is returned with the
// error too.
func (r *Rotator) Run(ctx context.Context, requestID string, event Event) (report Report, err error) {
	now := time.Now()
	defer func() {
		if thrown := recover(); thrown != nil {
			err = r.panicked(ctx, &report, PanicError(thrown))
		}
	}()
	report = Report{Version: r.Version, StartedAt: wholeSeconds(now), Connections: []Result{}}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = now.Add(defaultTimeout)
	}
	deadline = deadline.Add(-reportReserve)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()

	listing, err := r.list(ctx)
	if err != nil {
		return r.listingFailed(ctx, now, report, err)
	}
	all := Connections(listing, r.Settings, now)
	if len(all) == 0 {
		r.Log.WarnContext(ctx, "no connection was found: there is no config parameter under the stack's prefix; deploy the stack again, or correct PREFIX")
	}
	chosen, err := choose(all, event.Connections)
	if err != nil {
		return report, err
	}
	attempts := r.decide(now, deadline, requestID, event, chosen)
	results := refreshAll(ctx, attempts)

	report.Connections = results
	report.DurationMS = time.Since(now).Milliseconds()
	r.logRun(ctx, report, requestFailed(attempts))
	r.measure(ctx, all, attempts, results)
	if failed := failures(results); len(failed) > 0 && event.Heartbeat() {
		return report, &RotationFailed{Failures: failed}
	}
	return report, nil
}

// listingFailed ends a run that could not list the connections.
func (r *Rotator) listingFailed(ctx context.Context, now time.Time, report Report, err error) (Report, error) {
	report.Error = StateUnavailable
	report.Message = "the connections could not be listed (" + err.Error() + "); " + remedy(err, "read its parameters")
	report.DurationMS = time.Since(now).Milliseconds()
	r.Log.ErrorContext(ctx, "run", "report", report)
	r.write(ctx, Metrics{Failures: 1, ListingFailed: true})
	return report, &RotationFailed{Failures: []string{string(StateUnavailable)}}
}

// choose returns the named connections, or all if none is named.
func choose(all []Connection, names []string) ([]Connection, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []Connection
	var unknown, known []string
	for _, c := range all {
		known = append(known, c.Name)
		if slices.Contains(names, c.Name) {
			chosen = append(chosen, c)
		}
	}
	for _, name := range names {
		switch {
		case slices.Contains(known, name):
		case IsConnectionName(name):
			unknown = append(unknown, strconv.Quote(name))
		default: // it could be a token that was pasted instead of a name
			unknown = append(unknown, "(one whose name is not allowed)")
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("unknown connection %s; there are: %s", strings.Join(unknown, ", "), strings.Join(known, ", "))
	}
	return chosen, nil
}

// decide returns an attempt for each connection, due or not, in the order of the
// connections. Each attempt gets a rank. The most urgent one has the lowest.
func (r *Rotator) decide(now, deadline time.Time, requestID string, event Event, chosen []Connection) []*attempt {
	run := requestID + "/" + rand.Text()[:8]
	found := &hosts{failed: map[string]int{}}
	attempts := make([]*attempt, len(chosen))
	for i, c := range chosen {
		d := c.decide(now, event, r.Settings.Heartbeat, nil)
		if d.waitUntil.Add(attemptTimeout).After(deadline) {
			d = decision{outcome: NotDue}
		}
		attempts[i] = &attempt{
			Rotator: r, c: c, d: d, event: event, run: run, hosts: found, began: now, deadline: deadline,
			startBy: r.startBy(now, deadline, event, c, d), next: c.State,
		}
	}
	byUrgency := slices.SortedStableFunc(slices.Values(attempts), func(a, b *attempt) int {
		return cmp.Or(a.c.urgency().Compare(b.c.urgency()), cmp.Compare(a.c.Name, b.c.Name))
	})
	for i, a := range byUrgency {
		a.rank = PriorityRecord + 1 + Priority(i)
	}
	return attempts
}

// startBy returns the time after which an attempt that still waits for a write is
// deferred to a later run. In a heartbeat it is one second before the next one:
// that run's process does not know this one's writes, and both together would
// exceed Parameter Store's limit. In the last second the running attempts write
// their records. An operator's event has until the deadline, because no heartbeat
// would repeat it.
func (r *Rotator) startBy(now, deadline time.Time, event Event, c Connection, d decision) time.Time {
	reserve := attemptTimeout
	if c.two(nil) {
		reserve = twoSetsTimeout
	}
	latest := deadline.Add(-reserve)
	if d.waitUntil.IsZero() && event.Heartbeat() {
		return earlier(now.Add(r.Settings.Heartbeat*59/60), latest)
	}
	return latest
}

// refreshAll refreshes the due connections side by side.
func refreshAll(ctx context.Context, attempts []*attempt) []Result {
	results := make([]Result, len(attempts))
	var running sync.WaitGroup
	for i, a := range attempts {
		switch {
		case a.c.ConfigError != nil:
			results[i] = a.result(Failed, a.c.ConfigError)
		case a.d.outcome != "":
			results[i] = a.result(a.d.outcome, nil)
		default:
			running.Go(func() {
				outcome, err := a.refreshSafely(ctx)
				results[i] = a.result(outcome, err)
			})
		}
	}
	running.Wait()
	return results
}

// requestFailed reports for each connection whether a token request failed in this
// run.
func requestFailed(attempts []*attempt) map[string]bool {
	names := map[string]bool{}
	for _, a := range attempts {
		names[a.c.Name] = len(a.failures) > 0
	}
	return names
}

// refreshSafely turns a panic in one connection into a failure of that connection.
// The failure names the place of the panic. It does not show the panic's value,
// which could hold a secret.
func (a *attempt) refreshSafely(ctx context.Context) (outcome Outcome, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			outcome = Failed
			err = PanicError(thrown)
		}
	}()
	return a.refresh(ctx)
}
