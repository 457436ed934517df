package faults_test

import (
	"slices"
	"testing"
)

// check compares a failure case with the baseline of its situation: the same
// heartbeat without a fault.
func (r result) check(t *testing.T, c failureCase, baseline result) {
	if r.lost(c, baseline) && !c.mayLose(baseline) {
		t.Errorf("a refresh token was lost")
	}
	if r.concurrentWrite && !c.mayReplace(baseline) {
		t.Errorf("an operator's credentials are not current")
	}
	// A login whose answer was lost is sent once more and then not for an hour.
	if r.logins > max(1, baseline.logins)+2 {
		t.Errorf("%d logins in a row, an account could get locked", r.logins)
	}
	allowed := baseline.requests
	for _, i := range c.injections {
		allowed += i.explains(r, baseline)
	}
	if c.password && r.lost(c, baseline) {
		allowed += r.refusals - baseline.refusals // each was followed by a login
	}
	if c.two && r.lost(c, baseline) {
		allowed++ // of the other set: what jobs hold is uncertain
	}
	if c.operator >= 0 && place(baseline.calls, "Saver.Save") >= 0 {
		allowed++ // with theirs, when the fault let them write before the check
	}
	if r.requests > allowed {
		t.Errorf("%d token requests, %d are explained", r.requests, allowed)
	}
}

// lost reports whether a refresh token that the server issued was never stored. Even
// if a login replaces it, the rejected request shows the loss.
func (r result) lost(c failureCase, baseline result) bool {
	return r.rejected && !baseline.rejected || !c.expired && r.refusals > baseline.refusals
}

// mayLose reports whether the refresh token could not be stored. The server changed
// it, and the answer never arrived, or the process died before its first durable
// write, or neither store accepted it during the run.
func (c failureCase) mayLose(baseline result) bool {
	if c.expired && c.password && slices.ContainsFunc(c.injections, func(i injection) bool { return i.call.Method == "Saver.Save" && i.lasts != once }) {
		return true // a login brought it, and another login can
	}
	return c.provider.rotates() && slices.ContainsFunc(c.injections, func(i injection) bool { return c.loses(i, baseline) })
}

func (c failureCase) loses(i injection, baseline result) bool {
	issued := place(baseline.calls, tokenRequest)
	switch {
	case i.call.Method == tokenRequest:
		return i.fault.losesAnswer()
	case issued < 0 || i.at < issued:
		return false
	case i.fault.kills:
		end := i.at
		if i.fault.effect != never {
			end++
		}
		return !slices.ContainsFunc(baseline.calls[issued:end], c.durable)
	}
	return i.call.Method == "Pending.PutPending" && i.lasts != once && i.fault.effect == never
}

// durable reports whether a call of the baseline stores a refresh token.
func (c failureCase) durable(met call) bool {
	if met.Method != "Saver.Save" && met.Method != "Pending.PutPending" {
		return false
	}
	return c.meanwhile == nil || c.meanwhile(met, 1) != refused
}

// explains returns how many additional token requests, compared with the baseline,
// the fault explains. A run may request again if an answer was lost, if nothing
// could be published, or if there is no record, so that the next run cannot know
// what is published.
func (i injection) explains(r, baseline result) int {
	again := r.faulty * max(1, count(baseline.calls, tokenRequest))
	leased := place(baseline.calls, "Parameters.Put(lease)")
	issued := place(baseline.calls, tokenRequest)
	switch {
	case leased < 0 || i.at < leased:
		return 0
	case i.call.About == "state" && i.fault.effect == late:
		return again // it comes over a newer record
	case issued >= 0 && i.at < issued && (i.lasts == once || lastPlace(baseline.calls, i.call.String()) < issued):
		return 0 // the request was still to come
	case i.call.Method == tokenRequest && i.fault.losesAnswer() && !i.fault.kills:
		return again + 1 // a token obtained within a minute of it is uncertain, and replaced
	case i.call.Method == tokenRequest, i.fault.kills:
		return again
	case i.call.Method == "Tokens.Publish" && i.lasts != once:
		return again
	case i.call.About == "state" && (i.lasts != once || i.fault.noTimeLeft):
		return again
	case i.call.About == "lease" && i.fault.effect == late: // leased by a run that has ended
		return again
	}
	return 0
}

// mayReplace reports whether an operator who wrote before a save may have to write
// the credentials again. The run died after its save and before it restored the
// version that the save replaced, or it could not check or restore during the run.
func (c failureCase) mayReplace(baseline result) bool {
	restore := place(baseline.calls, "Saver.RestorePrevious")
	if restore < 0 {
		return false // no concurrent write
	}
	save := lastPlace(baseline.calls[:restore], "Saver.Save")
	return slices.ContainsFunc(c.injections, func(i injection) bool {
		if i.fault.kills {
			saved := i.at > save || i.at == save && i.fault.effect != never
			restored := i.at > restore || i.at == restore && i.fault.effect != never
			return saved && !restored
		}
		return i.lasts != once && slices.Contains([]string{"Saver.Labels", "Credentials.ReadVersion", "Saver.RestorePrevious"}, i.call.Method)
	})
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
