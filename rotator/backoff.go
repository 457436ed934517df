package rotator

import "time"

// While the state cannot be recorded, each heartbeat finds a lease without a record and
// requests a token, so that the secrets soon have more versions than Secrets Manager
// accepts in a day. After maxRunsWithoutRecord such runs in a row, unrecordedBackoff passes
// before each request.
const (
	maxRunsWithoutRecord = 10
	unrecordedBackoff    = 30 * time.Minute
)

// unrecordedUntil returns when the next token may be requested if too many runs in a row
// left no record, or the zero time if they did not.
func (c Connection) unrecordedUntil(now time.Time) time.Time {
	if !c.leaseExpired(now) || c.Lease.RunsWithoutRecord+1 < maxRunsWithoutRecord {
		return time.Time{}
	}
	return c.Lease.Until.Add(unrecordedBackoff)
}

// failed returns the state of a set after one more failure. "began" is when the
// run began. The backoff counts from there, so that a backoff of one minute ends
// before the next heartbeat.
func (s SetState) failed(began, now time.Time, failure *Error) SetState {
	if s.Error != failure.Code {
		s.Failures = 0
	}
	if s.FailingSince.IsZero() {
		s.FailingSince = now
	}
	s.Failures = min(max(s.Failures, 0), maxFailures-1) + 1 // it may be hand-edited
	s.Error = failure.Code
	s.NotBefore = time.Time{}
	switch wait := failure.Code.backoffAfter(s.Failures); {
	case failure.NotBefore.After(now):
		s.NotBefore = wholeSeconds(failure.NotBefore.Add(time.Second - 1))
	case failure.NotBefore.IsZero() && wait > 0:
		s.NotBefore = wholeSeconds(began.Add(wait))
	}
	return s
}

// works returns the state of a set without a failure.
func (s SetState) works() SetState {
	s.Error, s.Failures, s.FailingSince, s.NotBefore = "", 0, time.Time{}, time.Time{}
	return s
}

// carriedInto returns part with the standing failure of this set, so that its count
// goes on.
func (s SetState) carriedInto(part SetState) SetState {
	part.Error, part.Failures, part.FailingSince = s.Error, s.Failures, s.FailingSince
	return part
}

// backedOff reports whether the failure of the set forbids a token request. A
// rejected login is never repeated because time has passed. If the set also has a
// refresh token, that token is tried again.
func (s SetState) backedOff(now time.Time) bool {
	return now.Before(s.NotBefore) || s.Error == LoginRejected && s.RefreshTokenFingerprint == ""
}

// retryAfter returns when a server's Retry-After ends, rounded up and at most
// maxBackoff ahead, or the zero time if there was none.
func retryAfter(now time.Time, failure *Error) time.Time {
	asked := min(failure.RetryAfter, maxBackoff)
	if asked <= 0 {
		return time.Time{}
	}
	return wholeSeconds(now.Add(asked + time.Second - 1)) // never early
}

// backoffAfter returns how long a failure forbids another token request. failures
// counts the failures in a row, this one included.
func (c Code) backoffAfter(failures int) time.Duration {
	waits := c.meaning().backoff
	if len(waits) == 0 {
		return 0
	}
	return waits[min(failures, len(waits))-1]
}
