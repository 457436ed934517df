// Package rotator keeps OAuth access tokens fresh: it decides when a token is
// due, asks for a new one, and stores it where jobs read it.
//
// A Rotator runs once a heartbeat. Each run lists what is known of every
// connection, decides with one clock reading which are due, and takes each due
// one through refresh.go. Nothing is kept in memory between runs.
//
// The package talks to AWS and to the token endpoint through the small
// interfaces that stand beside their users; the subpackages implement them.
package rotator

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// reportReserve is the part of an invocation that is kept for the report.
	reportReserve = 2 * time.Second
	// defaultTimeout is an invocation's time where the context names no end.
	defaultTimeout = 180 * time.Second
)

// Rotator has what a run needs. Every field but Version must be set.
type Rotator struct {
	Settings    Settings
	Version     string
	Lister      Lister
	Parameters  ParameterWriter
	Credentials CredentialsReader
	Saver       CredentialsSaver
	Pending     PendingStore
	Tokens      TokenPublisher
	Endpoint    TokenEndpoint
	Metrics     MetricsWriter
	Log         *slog.Logger
}

// Run does what the event asks for and reports. requestID names the invocation
// in leases. The error is a *RotationFailed when an attempt failed in a
// heartbeat or the listing failed in any event, or says what is wrong with the
// event; the report is complete beside it.
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
	r.logRun(ctx, report, asked(attempts))
	r.measure(ctx, all, attempts, results)
	if failed := failures(results); len(failed) > 0 && event.Heartbeat() {
		return report, &RotationFailed{Failures: failed}
	}
	return report, nil
}

func (r *Rotator) list(ctx context.Context) ([]Parameter, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	return r.Lister.List(ctx)
}

// listingFailed ends a run that could not see the connections.
func (r *Rotator) listingFailed(ctx context.Context, now time.Time, report Report, err error) (Report, error) {
	report.Error = StateUnavailable
	report.Message = "the connections could not be listed (" + err.Error() + "); " + remedy(err, "read its parameters")
	report.DurationMS = time.Since(now).Milliseconds()
	r.Log.ErrorContext(ctx, "run", "report", report)
	r.write(ctx, Metrics{Failures: 1, ListingFailed: true})
	return report, &RotationFailed{Failures: []string{string(StateUnavailable)}}
}

// choose returns the named connections, all when none is named.
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
		default: // it could be a token that got in the name's place
			unknown = append(unknown, "(one whose name is not allowed)")
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("unknown connection %s; there are: %s", strings.Join(unknown, ", "), strings.Join(known, ", "))
	}
	return chosen, nil
}

// decide makes an attempt of each connection, due or not, in the connections'
// order. The due ones get their rank: most urgent first.
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

// startBy is when an attempt that is still waiting for its turn is left to a
// later run. Where many are due, that is the next heartbeat: its process knows
// nothing of this one's writes, and both together would be above the limit of
// Parameter Store. A second before it, so that the records of the attempts under
// way are written. What an operator asked for would not be taken up there.
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

// asked are the connections of which an attempt made a token request.
func asked(attempts []*attempt) map[string]bool {
	names := map[string]bool{}
	for _, a := range attempts {
		names[a.c.Name] = len(a.failures) > 0
	}
	return names
}
