package rotator

import (
	"context"
	"errors"
	"slices"
	"time"
)

// refresh refreshes one connection: it reads the credentials, takes the lease,
// requests a token, saves a changed refresh token, publishes the access token and
// records the state. The recorded state is in a.next afterwards.
func (a *attempt) refresh(ctx context.Context) (Outcome, error) {
	a.listed, a.next = a.c.State, a.c.State
	if !sleepUntil(ctx, a.d.waitUntil) {
		return Deferred, nil
	}
	if a.findHolder(ctx) {
		return Busy, nil
	}
	if outcome, err := a.read(ctx); outcome != "" {
		return outcome, err
	}
	if outcome, err := a.takeLease(ctx, a.timeout()); outcome != "" {
		return outcome, err
	}
	// From here on, the end of ctx must not interrupt a write. Everything ends with
	// the lease and before the handler returns. Otherwise Lambda would freeze a
	// goroutine, which would publish an old token when the process resumes.
	leased, done := context.WithDeadline(context.WithoutCancel(ctx), a.until)
	defer done()

	a.inheritLease(time.Now())
	if a.inherited != nil {
		a.completeInherited(leased)
		return a.recordNothingAsked(leased)
	}
	a.restore(leased)
	a.leaveOutForPending()
	if a.unrecorded || len(a.d.ask) > 0 && !a.timeForRequest() {
		a.d.ask, a.otherwise = nil, Deferred
	}
	if len(a.d.ask) == 0 {
		return a.recordNothingAsked(leased)
	}
	set, response, failure := a.ask(leased)
	return a.storeAndRecord(leased, set, response, failure)
}

// read reads the credentials and decides again with them. If it returns an empty
// outcome, the attempt continues.
func (a *attempt) read(ctx context.Context) (Outcome, error) {
	err := a.readCredentials(ctx)
	switch {
	case errors.Is(err, ErrNotFound) && !a.c.State.everUsed():
		return NoCredentials, nil
	case err != nil && len(a.d.ask) == 0 && a.c.Pending.empty() && CodeOf(err) == "" && !errors.Is(err, ErrNotFound):
		return a.idle(), nil // a later heartbeat can read them
	case err != nil:
		return a.recordUnreadable(ctx, credentialsFailure(err))
	}
	if a.c.Pending.settling(time.Now()) {
		return Deferred, nil
	}
	a.readLabels(ctx)
	if a.labelsRead && a.labelsErr == nil && a.labels.Current != a.creds.Version {
		return Deferred, nil // an operator is writing
	}
	if failure := a.alignWithUnrecorded(ctx); failure != nil {
		return Failed, failure
	}
	if failure := a.resolve(ctx); failure != nil {
		return Failed, failure
	}
	if set := a.event.Set; set != "" && a.creds.Of(set).Name == "" {
		return Failed, &Error{Code: CredentialsUnread, Message: "the credentials secret has no set " + string(set) + `; leave out "set", or add it`}
	}
	a.unrecorded = a.unrecorded && a.unsaved
	a.c.State = a.c.State.AlignedWith(a.creds)
	a.noteReadable()
	a.next = a.c.State
	a.judgeInherited(ctx)
	return a.decideAgain()
}

func (a *attempt) readCredentials(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	version, err := a.Credentials.Read(ctx, a.c.Name)
	if err == nil {
		a.creds, err = ParseCredentials(version)
	}
	return err
}

// noteReadable notes which credential sets can be used. The error of a set ends when
// its fields are corrected, and begins when they are wrong.
func (a *attempt) noteReadable() {
	s := &a.c.State
	// A refresh token that could not be saved stays lost until an operator writes a
	// new version, unless a login can replace it.
	lost := s.Error == CredentialsNotSaved && a.creds.Version == s.CredentialsVersion &&
		slices.ContainsFunc(a.creds.Sets(), func(set CredentialSet) bool { return !set.CanLogIn() })
	if s.Error == CredentialsUnread || a.c.pendingIsGone() && !lost {
		s.Error, s.Failures = "", 0
	}
	for _, set := range a.creds.Sets() {
		part := s.Of(set.Name)
		switch {
		case set.Err == nil && part.Error != CredentialsUnread:
		case set.Err == nil && part.Version != a.creds.Version:
			*part = part.works()
		case set.Err == nil: // the error was found by a request: both sets are one login
			a.creds.Alternate.Err = sameLoginError()
		case part.Error != CredentialsUnread || part.Version != a.creds.Version:
			*part = part.failed(a.began, a.began, set.Err)
			part.Version = a.creds.Version
		}
	}
}

// decideAgain decides with the credentials. If no token is to be requested, but the
// state has to change, it returns an empty outcome and the attempt continues to its
// record.
func (a *attempt) decideAgain() (Outcome, error) {
	waited := !a.d.waitUntil.IsZero()
	now := a.began
	if waited {
		now = time.Now()
	}
	a.d = a.c.decide(now, a.event, a.Settings.Heartbeat, &a.creds)
	if waited && len(a.d.ask) > 0 {
		a.d.reason = ReasonExpiry
	}
	if len(a.d.ask) > 0 {
		a.otherwise = NotDue
		return a.d.outcome, nil
	}
	a.otherwise = a.idle()
	failure := a.creds.Broken()
	if set := a.event.Set; set != "" {
		failure = a.creds.Of(set).Err
	}
	var broken error
	if failure != nil && (a.otherwise != NotDue || a.event.Force) {
		a.otherwise, broken = Failed, failure
	}
	news := a.next.document() != a.listed.document()
	if a.unsaved || a.inherited != nil || news || !a.c.Pending.empty() || a.c.leaseExpired(a.began) && a.creds.Version != a.listed.CredentialsVersion {
		return "", nil
	}
	return a.otherwise, broken
}

// idle returns the outcome of an attempt that requests no token.
func (a *attempt) idle() Outcome {
	switch {
	case a.d.outcome != "" && a.d.outcome != Busy:
		return a.d.outcome
	case a.c.standing() != "" && !a.c.servedBeside(a.began):
		return BackingOff
	}
	return NotDue
}

// everUsed reports whether the connection ever had credentials.
func (s State) everUsed() bool {
	return s.Published.known() || s.CredentialsVersion != "" || s.Primary.Version != "" || s.Alternate.Version != ""
}

// credentialsFailure returns why the credentials cannot be used.
func credentialsFailure(err error) *Error {
	failure, ok := errors.AsType[*Error](err)
	switch {
	case ok:
		return failure
	case errors.Is(err, ErrNotFound):
		return &Error{Code: CredentialsUnread, Cause: err, Message: "the credentials secret does not exist any more or has no value; write one"}
	}
	return &Error{Code: CredentialsUnread, Cause: err, Message: "the credentials secret could not be read (" + err.Error() + "); " + remedy(err, "read it")}
}
