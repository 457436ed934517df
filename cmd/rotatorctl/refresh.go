package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
)

const (
	// patience is how long the event is repeated for a connection that another run
	// refreshes. It is longer than a lease.
	patience = 100 * time.Second
	// askAgain is how long to wait in between.
	askAgain = 5 * time.Second
)

// refresh is rotatorctl refresh.
func (o *operator) refresh(ctx context.Context) error {
	s, err := o.deployed(ctx)
	if err != nil {
		return err
	}
	e := event{Action: "refresh", Force: true, Set: o.set}
	if o.connection != "" {
		e.Connections = []string{o.connection}
	}
	all, err := o.refreshNow(ctx, s.outputs["FunctionName"], e)
	if err != nil {
		return err
	}
	if o.json {
		if err := o.printJSON(all); err != nil {
			return err
		}
		return wrongIf(!all.well())
	}
	o.show(all)
	return wrongIf(!all.well())
}

func wrongIf(wrong bool) error {
	if wrong {
		return errWrong
	}
	return nil
}

// refreshNow sends the event. It repeats it for connections that another run is
// refreshing, and returns one report of all.
func (o *operator) refreshNow(ctx context.Context, function string, e event) (report, error) {
	var all report
	for began := o.now(); ; {
		var latest report
		if err := o.invoke(ctx, function, e, &latest); err != nil {
			return all, err
		}
		var busy []string
		for _, r := range latest.Connections {
			if waits(r) {
				busy = append(busy, r.Name)
			}
		}
		if all.Connections == nil {
			all = latest
		} else {
			all.merge(latest)
		}
		if len(busy) == 0 || o.now().Sub(began) > patience {
			return all, nil
		}
		e.Connections = busy
		if !o.json {
			o.say("%s: another run is refreshing it; next attempt in %s", strings.Join(busy, ", "), span(askAgain))
		}
		if err := sleep(ctx, askAgain); err != nil {
			return all, err
		}
	}
}

func waits(r result) bool { return r.Outcome == rotator.Busy || r.Outcome == rotator.Deferred }

func (r *report) merge(latest report) {
	if latest.Error != "" {
		r.Error, r.Message = latest.Error, latest.Message
	}
	for _, l := range latest.Connections {
		if i := slices.IndexFunc(r.Connections, func(k result) bool { return k.Name == l.Name }); i >= 0 {
			r.Connections[i] = l
		}
	}
}

// well reports whether every connection has a fresh token.
func (r report) well() bool {
	return r.Error == "" && len(r.Connections) > 0 && !slices.ContainsFunc(r.Connections, func(r result) bool { return !isWell(r) })
}

// isWell reports whether the connection has a fresh token, from all of its sets.
func isWell(r result) bool {
	switch r.Outcome {
	case rotator.Refreshed, rotator.Unchanged, rotator.Restored, rotator.NotDue:
		return r.Error == ""
	}
	return false
}

// show prints a report.
func (o *operator) show(all report) {
	switch {
	case all.Error != "":
		o.trouble("", "%s: %s. See %s", all.Error, strings.TrimSuffix(all.Message, "."), page(string(all.Error)))
	case len(all.Connections) == 0:
		o.trouble("", "the stack has no connection: %s", o.like("add-connection", "connection", "NAME"))
	}
	for _, r := range all.Connections {
		text := r.Name + ": " + o.outcome(r)
		if isWell(r) {
			o.say("%s", text)
		} else {
			o.trouble("", "%s", text)
		}
	}
}

// outcome describes the result of a connection.
func (o *operator) outcome(r result) string {
	left := ""
	if r.SecondsRemaining != nil {
		left = ", it lives " + span(time.Duration(*r.SecondsRemaining)*time.Second)
	}
	if r.Set != "" {
		left += " (" + string(r.Set) + ")"
	}
	text := ""
	switch r.Outcome {
	case rotator.Refreshed:
		text = "a new token is published" + left
	case rotator.Unchanged:
		text = "Reltio returned the token already published" + left + "; it is replaced as soon as it expires"
	case rotator.Restored:
		text = "the pending refresh token is saved"
	case rotator.NotDue:
		text = "the token is fresh" + left
	case rotator.Disabled:
		return `its config says "enabled": false`
	case rotator.NoCredentials:
		return "it has no credentials: " + o.like("seed", "connection", r.Name)
	case rotator.Busy:
		return "another run is still refreshing it; for the result, in a minute: " + o.like("status")
	case rotator.Deferred:
		return "it is not refreshed yet; for the result, in a minute: " + o.like("status")
	default:
		return string(r.Outcome) + " " + o.failure(r)
	}
	if r.Error != "" {
		text += "\n" + string(r.FailingSet) + ": " + o.failure(r)
	}
	return text
}

// failure says what failed, when the next attempt is, and which page to read.
func (o *operator) failure(r result) string {
	text := string(r.Error)
	if r.Message != "" {
		text += ": " + strings.TrimSuffix(r.Message, ".")
	}
	if !r.RetryAt.IsZero() {
		text += ". Next attempt at " + o.when(r.RetryAt)
	}
	if r.Error != "" {
		text += ". See " + page(string(r.Error))
	}
	return text
}
