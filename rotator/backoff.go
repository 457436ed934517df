package rotator

import "time"

// failed is the state after one more failure of a run that began at "began".
// The rotator's own holds count from there, so that the heartbeat after them is
// not missed by a second; the server's from now.
func (s State) failed(began, now time.Time, failure *Error) State {
	if s.Error != failure.Code {
		s.Failures = 0
	}
	s.Failures = min(max(s.Failures, 0), maxFailures-1) + 1 // it may be hand-edited
	s.Error = failure.Code
	s.NotBefore = time.Time{}
	if hold := failure.Code.backoffAfter(s.Failures); hold > 0 {
		s.NotBefore = wholeSeconds(began.Add(hold))
	}
	if asked := min(failure.RetryAfter, maxBackoff); asked > 0 {
		s.NotBefore = later(s.NotBefore, wholeSeconds(now.Add(asked+time.Second-1))) // never early
	}
	return s
}

// backoffAfter returns how long a failure forbids another token request, where
// it is the n-th in a row, from 1.
func (c Code) backoffAfter(failures int) time.Duration {
	waits := c.meaning().backoff
	if len(waits) == 0 {
		return 0
	}
	return waits[min(failures, len(waits))-1]
}

// holds reports whether an earlier failure forbids a token request for now.
func (c Connection) holds(now time.Time, event Event, d decision) bool {
	switch {
	case d.forced:
		return false
	case c.State.holds(now):
		return true
	}
	// A reported token that has failed to be replaced is the heartbeats' affair:
	// the reports of many jobs would be many requests in an outage.
	return event.DeadToken != "" && c.State.Error != "" && !now.Before(c.State.ExpiresAt)
}

// holds reports whether the standing failure keeps from a token request.
func (s State) holds(now time.Time) bool {
	return now.Before(s.NotBefore) || s.Error == LoginRejected
}
