package rotator

import (
	"context"
	"errors"
	"slices"
	"time"
)

// recordResponse records the result of a usable token response.
func (a *attempt) recordResponse(ctx context.Context, k *kept) (Outcome, error) {
	now := time.Now()
	a.noteTried(ctx, k, now)
	outcome := Refreshed
	part := a.next.Of(k.set.Name)
	*part = part.works()
	if k.twin {
		a.next.Alternate = a.next.Alternate.failed(a.began, now, twinError())
		a.next.Alternate.Version = a.creds.Version
	}
	a.next.NotBefore = time.Time{}
	switch {
	case k.published:
		a.notePublished(k, now)
	case k.token != nil || k.unusable != nil: // the new token is lost, and with it perhaps the one before
		// A write that failed may have happened: jobs may hold either token.
		if k.token != nil || k.set.Name == a.next.Published.Set {
			a.next.Published = a.next.Published.uncertainAt(now)
		}
		if k.unusable != nil {
			outcome = Failed
			a.failures[k.set.Name] = k.unusable
			*part = a.c.State.Of(k.set.Name).carriedInto(*part).failed(a.began, now, k.unusable)
		}
	case k.twin && k.set.Name == Alternate:
		outcome = a.otherwise
	case k.sooner:
		outcome = Unchanged
	default:
		outcome = Unchanged
		a.next.Published = a.stillUncertain(k, a.next.Published.onceMore(k.response), now)
		part.TokenExpiresAt = a.next.Published.ExpiresAt
	}
	return a.finish(ctx, outcome, first(a.notSaved(k.saving), a.pendingErr, a.notPublished(k), k.bug))
}

// recordFailure records why no token was obtained. A refresh token that came
// with the failure is saved already.
func (a *attempt) recordFailure(ctx context.Context, k *kept) (Outcome, error) {
	now := time.Now()
	if a.d.reason == ReasonDeadToken {
		a.next.Published = a.next.Published.uncertainAt(now) // a job says so, and it could not be replaced
	}
	for _, failure := range a.failures {
		a.next.NotBefore = later(a.next.NotBefore, retryAfter(now, failure))
	}
	a.noteTried(ctx, k, now)
	return a.finish(ctx, Failed, first(a.notSaved(k.saving), a.pendingErr, k.bug))
}

// recordNothingAsked records a run that made no token request: a pending refresh
// token was saved, or an error that stood has ended.
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

// recordUnreadable records that the credentials cannot be used at all, unless
// the state says so already.
func (a *attempt) recordUnreadable(ctx context.Context, failure *Error) (Outcome, error) {
	if a.c.State.Error == CredentialsUnread {
		return Failed, failure
	}
	a.d.ask = nil // no token request
	if outcome, err := a.takeLease(ctx); outcome != "" {
		return Failed, errors.Join(failure, err)
	}
	ctx, done := context.WithDeadline(context.WithoutCancel(ctx), a.until)
	defer done()
	a.inheritLease(time.Now())
	return a.finish(ctx, Failed, failure)
}

// finish notes what belongs to no credential set, writes the record, which ends
// the lease, and returns the result of the attempt.
func (a *attempt) finish(ctx context.Context, outcome Outcome, connection *Error) (Outcome, error) {
	a.next.Error, a.next.Failures = a.next.Error.following(a.next.Failures, connection)
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

// gravest returns the failure of the attempt's credential sets that the report
// names: one that needs an operator before one that does not.
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

// following is the standing error and its count after a failure that belongs to
// no credential set; nil ends the one that stood.
func (c Code) following(failures int, failure *Error) (Code, int) {
	switch {
	case failure == nil:
		return "", 0
	case failure.Code != c:
		return failure.Code, 1
	}
	return c, min(failures, maxFailures-1) + 1
}

// noteTried notes the credentials that the asked sets rest on, their failures,
// and what the save of a changed refresh token means for them.
func (a *attempt) noteTried(ctx context.Context, k *kept, now time.Time) {
	for name, failure := range a.failures {
		a.describe(a.creds.Of(name), a.creds.CreatedAt)
		a.next.Of(name).Version = a.creds.Version
		if !a.leavesNoError(name, failure, now) {
			*a.next.Of(name) = a.next.Of(name).failed(a.began, now, failure)
			a.keepDue(name, now)
		}
	}
	if other := a.creds.Of(k.set.Name.Other()); other.Name != "" && other.Err == nil && a.next.Of(other.Name).Identity == "" {
		a.describe(other, a.creds.CreatedAt) // its turn can come before it was ever asked
	}
	a.describe(k.set, a.creds.CreatedAt)
	a.next.Of(k.set.Name).Version = a.creds.Version
	a.noteVersion()
	s := k.saving
	if s == nil {
		return
	}
	if s.login && !s.saved {
		a.Log.WarnContext(ctx, "the refresh token of a login could not be saved ("+s.err.Error()+"); the next refresh logs in again; check that the function may write the secret", "connection", a.c.Name)
	}
	part := a.next.Of(s.set)
	if !s.theirs {
		k.set.RefreshToken = s.refreshToken
		a.describe(k.set, k.response.SentAt)
	}
	if s.saved {
		*part = part.replacing(a.stored[s.set].Fingerprint()).replacing(s.spent)
		a.noteSaved(ctx, s)
	}
	if s.saved && !s.theirs && !a.c.Pending.empty() {
		a.pendingErr = a.deletePending(ctx)
	}
}

// noteVersion notes the credentials version that was used. As long as a newer
// refresh token waits to be put back into it, the state names the version that
// holds that one.
func (a *attempt) noteVersion() {
	if !a.unsaved {
		a.next.CredentialsVersion = a.creds.Version
	}
}

// leavesNoError reports whether a failed attempt is as if it had not been: a
// forced refresh with a set that is not due, whose failure says nothing lasting.
// The token becomes due when it would have.
func (a *attempt) leavesNoError(set SetName, failure *Error, now time.Time) bool {
	c := a.c
	c.State = a.next
	due := slices.Contains(c.due(now, Event{}, a.Settings.Heartbeat, &a.creds).ask, set)
	return a.event.Force && !due && !failure.Code.WaitsForNewCredentials()
}

// keepDue ends the backoff of a forced refresh when the token would have become
// due without it.
func (a *attempt) keepDue(set SetName, now time.Time) {
	c := a.c
	c.State = a.next
	at := c.dueAt(a.creds.Two(), a.Settings.Heartbeat)
	if part := a.next.Of(set); a.event.Force && at.After(now) && part.NotBefore.After(at) {
		part.NotBefore = at
	}
}

// describe notes which credentials a set has. A refresh token has stood in the
// secret since "seen" at the latest.
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
		part.Login = Login{} // the credentials are news
	}
}

// notePublished notes the token that is in the token secret now.
func (a *attempt) notePublished(k *kept, now time.Time) {
	p := Published{
		Set: k.set.Name, IssuedAt: k.token.IssuedAt, ExpiresAt: k.token.ExpiresAt, ValidUntil: k.token.ValidUntil,
		Fingerprint: k.token.AccessToken.Fingerprint(), ReportedAt: recent(a.next.Published.ReportedAt, now),
	}
	if a.d.reason == ReasonDeadToken {
		p.ReportedAt = recent(append(p.ReportedAt, wholeSeconds(now)), now)
	}
	a.next.Published = a.stillUncertain(k, p, now)
	if s := k.saving; s != nil && (s.theirs || s.changed[s.set]) {
		a.next.Published = a.next.Published.uncertainAt(now) // of credentials that an operator has changed
	}
	part := a.next.Of(k.set.Name)
	part.TokenIssuedAt, part.TokenExpiresAt, part.TokenFingerprint = p.IssuedAt, p.ExpiresAt, p.Fingerprint
}

// lateEffect is for how long a request whose answer was lost may still be
// executed, by a server behind a gateway that gave up.
const lateEffect = time.Minute

// stillUncertain is a token that a set has obtained, as long as an earlier
// request of that set may still be executed and end it.
func (a *attempt) stillUncertain(k *kept, p Published, now time.Time) Published {
	part := a.next.Of(k.set.Name)
	if part.GrantType != GrantTypeClientCredentials && !part.AnswerLostAt.IsZero() && k.response.SentAt.Sub(part.AnswerLostAt) < lateEffect {
		return p.uncertainAt(now)
	}
	return p
}

func (a *attempt) notPublished(k *kept) *Error {
	if k.token == nil || k.published {
		return nil
	}
	return &Error{Code: TokenNotPublished, Cause: k.publishErr, Message: "a token was obtained but the token secret could not be written (" + k.publishErr.Error() + "); check that it exists and that the function may write it; the next heartbeat asks for a new token"}
}
