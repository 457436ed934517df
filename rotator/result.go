package rotator

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// result returns the connection's part of the report.
func (a *attempt) result(outcome Outcome, err error) Result {
	c, now := a.c, time.Now()
	c.State = a.next
	p := c.State.Published
	result := Result{Name: c.Name, Outcome: outcome, Reason: a.d.reason}
	if outcome == NotDue || outcome == Disabled || outcome == Failed && c.ConfigError != nil {
		result.Reason = ""
	}
	if c.two(nil) {
		result.Set = p.Set
	}
	if p.known() {
		seconds := int64(p.ExpiresAt.Sub(now) / time.Second)
		result.ExpiresAt, result.SecondsRemaining, result.ValidUntil = wholeSeconds(p.ExpiresAt), &seconds, wholeSeconds(p.ValidUntil)
		if c.ConfigError == nil && c.Config.Enabled {
			result.NextRefreshAt = c.nextRefresh(now, a.Settings.Heartbeat)
		}
	}
	switch failing := c.failingSet(); {
	case outcome == Failed:
		failure := failureOf(err)
		result.Error, result.Message = failure.Code, failure.Message
		result.RetryAt = c.retryAt(a.failedSet(failure), now)
	case outcome == BackingOff && a.d.tooManyReports:
		result.Error, result.Message, result.RetryAt = TooManyReports, TooManyReports.Advice(), wholeSeconds(c.reportsAgainAt(now))
	case outcome == BackingOff && a.d.notRecorded:
		result.Error, result.Message = StateUnavailable, "ten runs in a row could not record the state, so that token requests wait; check that the function may write the connection's state parameter and that no version of it has a label"
		result.RetryAt, result.NextRefreshAt = wholeSeconds(c.unrecordedUntil(now)), time.Time{}
	case outcome == BackingOff:
		result.Error, result.Message = c.standing(), c.standing().Advice()
		result.RetryAt = c.retryAt(failing, now)
	case c.two(nil) && failing != "" && (outcome == NotDue || outcome == Refreshed || outcome == Unchanged):
		result.FailingSet, result.Error = failing, c.State.Of(failing).Error
		result.Message, result.RetryAt = result.Error.Advice(), c.retryAt(failing, now)
		if failure := a.failures[failing]; failure != nil {
			result.Message = failure.Message
		}
	}
	return result
}

// failureOf returns the first failure in err that has a code. An error without a code
// is a bug.
func failureOf(err error) *Error {
	if failure, ok := errors.AsType[*Error](err); ok {
		return failure
	}
	return &Error{Code: InternalError, Cause: err, Message: InternalError.Advice()}
}

// failedSet returns the credential set that a failure belongs to, or "" if it belongs
// to none.
func (a *attempt) failedSet(failure *Error) SetName {
	for name, of := range a.failures {
		if of == failure {
			return name
		}
	}
	return ""
}

// failingSet returns a credential set with an error, or "" if there is none. If both
// sets have one, it is the set that did not obtain the published token.
func (c Connection) failingSet() SetName {
	resting, _ := c.resting()
	for _, set := range []SetName{resting, resting.Other()} {
		if c.State.Of(set).Error != "" {
			return set
		}
	}
	return ""
}

// retryAt returns when a set is used again after a failure, or the zero time if no
// time is known.
func (c Connection) retryAt(set SetName, now time.Time) time.Time {
	at := c.State.NotBefore
	if set != "" {
		part := c.State.Of(set)
		if part.Error == LoginRejected && part.RefreshTokenFingerprint == "" {
			return time.Time{}
		}
		at = later(at, part.NotBefore)
	}
	if !at.After(now) {
		return time.Time{}
	}
	return wholeSeconds(at)
}

func failures(results []Result) []string {
	var failed []string
	for _, result := range results {
		if result.Outcome == Failed {
			failed = append(failed, result.Name+": "+string(result.Error))
		}
	}
	return failed
}

// logRun logs the report unless every outcome is not_due or disabled and no token
// request failed.
func (r *Rotator) logRun(ctx context.Context, report Report, requestFailed map[string]bool) {
	level, idle := slog.LevelInfo, true
	for _, result := range report.Connections {
		switch {
		case result.Outcome == NotDue && !requestFailed[result.Name] || result.Outcome == Disabled:
			continue
		case result.Error.ActionRequired():
			level = max(level, slog.LevelError)
		case result.Error != "":
			level = max(level, slog.LevelWarn)
		}
		idle = false
	}
	if !idle {
		r.Log.Log(ctx, level, "run", "report", report)
	}
}
