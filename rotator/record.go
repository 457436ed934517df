package rotator

import (
	"context"
	"errors"
	"slices"
	"time"
)

// recordResponse records the result of a usable token response.
func (a *attempt) recordResponse(ctx context.Context, o *obtained) (Outcome, error) {
	now := time.Now()
	a.noteTried(ctx, o, now)
	outcome := Refreshed
	part := a.next.Of(o.set.Name)
	*part = part.works()
	if o.sameLogin {
		a.next.Alternate = a.next.Alternate.failed(a.began, now, sameLoginError())
		a.next.Alternate.Version = a.creds.Version
	}
	a.next.NotBefore = time.Time{}
	switch {
	case o.published:
		a.notePublished(o, now)
	case o.token != nil || o.unusable != nil:
		// The new token is lost, and the request may have ended the published one. A
		// failed write may have happened all the same, so jobs may hold either token.
		if o.token != nil || o.set.Name == a.next.Published.Set {
			a.next.Published = a.next.Published.uncertainAt(now)
		}
		if o.unusable != nil {
			outcome = Failed
			a.failures[o.set.Name] = o.unusable
			*part = a.c.State.Of(o.set.Name).carriedInto(*part).failed(a.began, now, o.unusable)
		}
	case o.sameLogin && o.set.Name == Alternate:
		outcome = a.otherwise
	case o.endsEarlier:
		outcome = Unchanged
		if o.response.AccessToken.Fingerprint() != part.TokenFingerprint {
			// Each request may bring a refresh token that must be saved.
			part.NotBefore = wholeSeconds(earlier(a.began.Add(writeInterval*a.Settings.Heartbeat), a.next.Published.ValidUntil))
		}
	default:
		outcome = Unchanged
		a.next.Published = a.stillUncertain(o, a.next.Published.onceMore(o.response), now)
		part.TokenExpiresAt = a.next.Published.ExpiresAt
	}
	return a.finish(ctx, outcome, first(a.notSaved(o.saving), a.pendingErr, a.notPublished(o), o.bug))
}

// recordFailure records why no token was obtained. A refresh token in the failed
// response has already been saved.
func (a *attempt) recordFailure(ctx context.Context, o *obtained) (Outcome, error) {
	now := time.Now()
	if a.d.reason == ReasonDeadToken {
		a.next.Published = a.next.Published.uncertainAt(now) // a job reported it as rejected, and it could not be replaced
	}
	for _, failure := range a.failures {
		a.next.NotBefore = later(a.next.NotBefore, retryAfter(now, failure))
	}
	a.noteTried(ctx, o, now)
	return a.finish(ctx, Failed, first(a.notSaved(o.saving), a.pendingErr, o.bug))
}

// recordNothingAsked records an attempt that made no token request. It saved a
// pending refresh token, or an error in the state has ended.
func (a *attempt) recordNothingAsked(ctx context.Context) (Outcome, error) {
	for _, set := range a.creds.Sets() {
		if part := a.next.Of(set.Name); part.Version != "" && part.Error == "" {
			a.describe(set, a.creds.CreatedAt)
		}
	}
	a.noteVersion()
	outcome := a.otherwise
	if a.restored {
		outcome = Restored
	}
	outcome, err := a.finish(ctx, outcome, a.pendingErr)
	if failure := first(a.creds.Broken(), a.creds.Of(a.event.Set).Err); outcome == Failed && err == nil && failure != nil {
		err = failure
	}
	return outcome, err
}

// recordUnreadable records that no credential set can be used, unless the state
// already says so.
func (a *attempt) recordUnreadable(ctx context.Context, failure *Error) (Outcome, error) {
	if a.c.State.Error == CredentialsUnread {
		return Failed, failure
	}
	a.d.ask = nil // no token request
	timeout, died := attemptTimeout, a.c.leaseExpired(a.began)
	if died {
		timeout = inheritTimeout
	}
	if outcome, err := a.takeLease(ctx, timeout); outcome != "" {
		return Failed, errors.Join(failure, err)
	}
	ctx, done := context.WithDeadline(context.WithoutCancel(ctx), a.until)
	defer done()
	a.inheritLease(time.Now())
	if died {
		a.leaseVersion = a.listed.LeaseVersion // what that run saved is found out when the credentials can be read
	}
	return a.finish(ctx, Failed, failure)
}

// finish writes the record, which ends the lease, and returns the result of the
// attempt. connection is the failure that belongs to no credential set, or nil.
func (a *attempt) finish(ctx context.Context, outcome Outcome, connection *Error) (Outcome, error) {
	a.next.Error, a.next.Failures = a.next.Error.following(a.next.Failures, connection)
	settled := later(a.settledAt, a.pendingFailedAt.Add(saveSettles)) // what failed could change what the next run writes
	sleepUntil(ctx, earlier(settled, a.until.Add(-recordReserve)))
	err := a.record(ctx)
	failure := connection
	if failure == nil {
		failure = a.gravest()
	}
	c := a.c
	c.State = a.next
	switch {
	case failure != nil && err != nil:
		return Failed, errors.Join(failure, err)
	case err != nil:
		return Failed, err
	case connection == nil && failure != nil && a.creds.Two() && outcome == Failed && c.servedBeside(time.Now()):
		return NotDue, nil
	case connection == nil && outcome != Failed && (failure == nil || a.next.Published.Set != "" && a.failures[a.next.Published.Set] == nil):
		return outcome, nil
	case failure == nil:
		return outcome, nil
	}
	return Failed, failure
}

// gravest returns the failure of a credential set that the report names. If both sets
// failed, a failure that needs an operator comes first.
func (a *attempt) gravest() *Error {
	var first *Error
	for _, set := range a.d.ask {
		failure := a.failures[set]
		if failure != nil && (first == nil || failure.Code.ActionRequired() && !first.Code.ActionRequired()) {
			first = failure
		}
	}
	return first
}

// following returns the connection's error and its count after an attempt. failure
// belongs to no credential set; if it is nil, the error ends.
func (c Code) following(failures int, failure *Error) (Code, int) {
	switch {
	case failure == nil:
		return "", 0
	case failure.Code != c:
		return failure.Code, 1
	}
	return c, min(failures, maxFailures-1) + 1
}

// noteTried notes in the next state with which credentials each set was tried, how
// it failed, and what the save of a changed refresh token changes.
func (a *attempt) noteTried(ctx context.Context, o *obtained, now time.Time) {
	for name, failure := range a.failures {
		a.describe(a.creds.Of(name), a.creds.CreatedAt)
		a.next.Of(name).Version = a.creds.Version
		if !a.leavesNoError(name, failure, now) {
			*a.next.Of(name) = a.next.Of(name).failed(a.began, now, failure)
			a.limitForcedBackoff(name, now)
		}
	}
	if other := a.creds.Of(o.set.Name.Other()); other.Name != "" && other.Err == nil && a.next.Of(other.Name).Identity == "" {
		a.describe(other, a.creds.CreatedAt) // so that turnAt knows the set before its first request
	}
	a.describe(o.set, a.creds.CreatedAt)
	a.next.Of(o.set.Name).Version = a.creds.Version
	a.noteVersion()
	s := o.saving
	if s == nil {
		return
	}
	if s.login && !s.saved && !s.pending {
		a.Log.WarnContext(ctx, "the refresh token of a login could not be saved ("+s.err.Error()+"); the next refresh logs in again; check that the function may write the secret", "connection", a.c.Name)
	}
	part := a.next.Of(s.set)
	o.set.RefreshToken = s.refreshToken
	a.describe(o.set, o.response.SentAt)
	*part = part.replacing(a.stored[s.set].Fingerprint()).replacing(s.spent)
	if s.saved {
		a.settledAt = time.Time{}
		a.noteSaved(ctx, s)
	}
	if s.saved && !s.theirs {
		a.pendingErr = nil // this document holds what could not be saved before
		if !a.c.Pending.empty() {
			a.pendingErr = a.deletePending(ctx)
		}
	}
}

// noteVersion notes the credentials version that was used. If an operator saved an
// older document, the state continues to name the version with the newer refresh
// token until that token is saved again. The same applies if no set of an operator's
// document can be used, because the operator may correct it with an older one.
func (a *attempt) noteVersion() {
	if !a.unsaved && a.creds.Broken() == nil {
		a.next.CredentialsVersion = a.creds.Version
	}
}

// leavesNoError reports whether the state ignores a failure: a forced refresh failed
// with a set that is not due, and the failure does not show that its credentials are
// wrong. The set becomes due when it would have without the attempt.
func (a *attempt) leavesNoError(set SetName, failure *Error, now time.Time) bool {
	c := a.c
	c.State = a.next
	due := slices.Contains(c.due(now, Event{}, a.Settings.Heartbeat, &a.creds).ask, set)
	return a.event.Force && !due && !failure.Code.WaitsForNewCredentials()
}

// limitForcedBackoff shortens the backoff after a forced refresh, so that the token
// becomes due when it would have without the attempt.
func (a *attempt) limitForcedBackoff(set SetName, now time.Time) {
	c := a.c
	c.State = a.next
	at := c.dueAt(a.creds.Two(), a.Settings.Heartbeat)
	if part := a.next.Of(set); a.event.Force && at.After(now) && part.NotBefore.After(at) {
		part.NotBefore = at
	}
}

// describe notes which credentials a set has. "seen" is the earliest time at which
// its refresh token is known to have existed.
func (a *attempt) describe(set CredentialSet, seen time.Time) {
	now := time.Now()
	if seen.IsZero() || seen.After(now) {
		seen = now
	}
	part := a.next.Of(set.Name)
	fingerprint := set.RefreshToken.Fingerprint()
	part.RefreshTokenSince = part.Since(fingerprint, seen)
	part.RefreshTokenFingerprint = fingerprint
	part.Identity, part.CanLogIn = set.identity(), set.CanLogIn()
	if part.Login.Version != a.creds.Version {
		part.Login = Login{} // the credentials have changed
	}
}

// notePublished notes the token that was written to the token secret.
func (a *attempt) notePublished(o *obtained, now time.Time) {
	p := Published{
		Set: o.set.Name, IssuedAt: o.token.IssuedAt, ExpiresAt: o.token.ExpiresAt, ValidUntil: o.token.ValidUntil,
		Fingerprint: o.token.AccessToken.Fingerprint(), ReportedAt: recent(a.next.Published.ReportedAt, now),
	}
	if a.d.reason == ReasonDeadToken {
		p.ReportedAt = recent(append(p.ReportedAt, wholeSeconds(now)), now)
	}
	a.next.Published = a.stillUncertain(o, p, now)
	if s := o.saving; s != nil && (s.theirs || s.changed[s.set]) {
		a.next.Published = a.next.Published.uncertainAt(now) // it was obtained with credentials that an operator has changed since
	}
	part := a.next.Of(o.set.Name)
	part.TokenIssuedAt, part.TokenExpiresAt, part.TokenFingerprint = p.IssuedAt, p.ExpiresAt, p.Fingerprint
}

// lateEffect is for how long a server behind a gateway may still execute a request
// whose answer was lost.
const lateEffect = time.Minute

// stillUncertain returns p, marked as uncertain if the server may still execute an
// earlier request of the set that obtained it, and so end it.
func (a *attempt) stillUncertain(o *obtained, p Published, now time.Time) Published {
	part := a.next.Of(o.set.Name)
	if part.GrantType != GrantTypeClientCredentials && !part.AnswerLostAt.IsZero() && o.response.SentAt.Sub(part.AnswerLostAt) < lateEffect {
		return p.uncertainAt(now)
	}
	return p
}

func (a *attempt) notPublished(o *obtained) *Error {
	if o.token == nil || o.published {
		return nil
	}
	return &Error{Code: TokenNotPublished, Cause: o.publishErr, Message: "a token was obtained but the token secret could not be written (" + o.publishErr.Error() + "); check that it exists and that the function may write it; the next heartbeat requests a new token"}
}
