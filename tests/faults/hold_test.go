package crash_test

import (
	"slices"
	"testing"
)

// hold compares a cell with the undisturbed run of its situation.
func (f found) hold(t *testing.T, c cell, calm found) {
	if f.lost(c, calm) && !c.mayLose(calm) {
		t.Errorf("a refresh token was lost")
	}
	if f.concurrentWrite && !c.mayReplace(calm) {
		t.Errorf("a person's credentials do not stand")
	}
	// A login whose answer was lost is sent once more and then not for an hour.
	if f.logins > max(1, calm.logins)+2 {
		t.Errorf("%d logins in a row, an account could get locked", f.logins)
	}
	allowed := calm.requests + c.explained(f, calm)
	if c.password && f.lost(c, calm) {
		allowed += f.refusals - calm.refusals // each was followed by a login
	}
	if c.person >= 0 && place(calm.calls, "Saver.Save") >= 0 {
		allowed++ // with theirs, when the fault let them come before the look
	}
	if f.requests > allowed {
		t.Errorf("%d token requests, %d are explained", f.requests, allowed)
	}
}

// lost reports whether a refresh token that the server gave was never stored. A
// password repairs that; the refused request shows it all the same.
func (f found) lost(c cell, calm found) bool {
	return f.rejected && !calm.rejected || !c.dead && f.refusals > calm.refusals
}

// mayLose reports whether the refresh token had no chance: the server changed it,
// and the answer never arrived, or the process died before its first durable
// write, or neither store took it for as long as the run lived.
func (c cell) mayLose(calm found) bool {
	if !c.provider.rotates() {
		return false
	}
	x := c.strike
	granted := place(calm.calls, "Endpoint.RequestToken")
	switch {
	case x.call.method == "Endpoint.RequestToken":
		return x.fault == answerLost || x.fault == slowLate || x.fault == killedAfter
	case granted < 0 || x.at < granted:
		return false
	case x.fault.kills():
		end := x.at
		if x.fault == killedAfter {
			end++
		}
		return !slices.ContainsFunc(calm.calls[granted:end], c.durable)
	}
	return x.call.method == "Pending.PutPending" && x.lasts != once && (x.fault == refused || x.fault == slow)
}

// durable reports whether a call of the undisturbed run stores a refresh token.
func (c cell) durable(met call) bool {
	if met.method != "Saver.Save" && met.method != "Pending.PutPending" {
		return false
	}
	return c.meanwhile == nil || c.meanwhile(met, 1) != refused
}

// explained is how many token requests more than undisturbed the fault explains:
// those of a run whose answer was lost, that could not publish, or that left no
// record, so that the next run cannot know what is published.
func (c cell) explained(f found, calm found) int {
	x := c.strike
	again := f.struck * max(1, count(calm.calls, "Endpoint.RequestToken"))
	leased := place(calm.calls, "Parameters.Put(lease)")
	granted := place(calm.calls, "Endpoint.RequestToken")
	switch {
	case x.fault == noFault || leased < 0 || x.at < leased:
		return 0
	case granted >= 0 && x.at < granted && (x.lasts == once || lastPlace(calm.calls, x.call.String()) < granted):
		return 0 // the request was still to come
	case x.call.method == "Endpoint.RequestToken", x.fault.kills():
		return again
	case x.call.method == "Tokens.Publish" && x.lasts != once:
		return again
	case x.call.about == "state" && (x.lasts != once || x.fault == slow || x.fault == slowLate || x.fault == cancelled):
		return again
	case x.call.about == "lease" && x.fault == slowLate: // leased by a run that has ended
		return again
	}
	return 0
}

// mayReplace reports whether a person who was faster than a save may have to put
// the credentials again: the run died between its save and giving back what
// that replaced, or could not look or give back for as long as it lived.
func (c cell) mayReplace(calm found) bool {
	back := place(calm.calls, "Saver.RestorePrevious")
	if back < 0 {
		return false // nobody was faster
	}
	x, save := c.strike, lastPlace(calm.calls[:back], "Saver.Save")
	if x.fault.kills() {
		return (x.at > save || x.at == save && x.fault == killedAfter) && (x.at < back || x.at == back && x.fault == killedBefore)
	}
	return x.lasts != once && (x.call.method == "Saver.Labels" || x.call.method == "Saver.RestorePrevious")
}

func place(calls []call, name string) int {
	return slices.IndexFunc(calls, func(met call) bool { return matches(met, name) })
}

func lastPlace(calls []call, name string) int {
	for at := len(calls) - 1; at >= 0; at-- {
		if matches(calls[at], name) {
			return at
		}
	}
	return -1
}

func count(calls []call, name string) (n int) {
	for _, met := range calls {
		if matches(met, name) {
			n++
		}
	}
	return n
}
