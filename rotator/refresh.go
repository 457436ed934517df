package rotator

import (
	"context"
	"errors"
	"slices"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// The time of an attempt, and what happens before its end: no attempt takes a lease
// with less than attemptTimeout left in the run (run.go, startBy). No token request
// starts with less than requestReserve and storeReserve left (token_request.go,
// timeForRequest). Saving and publishing end recordReserve before the lease ends
// (publish.go, store). Only the record is written after that. Four calls of 3.5 s
// fit into storeReserve.
const (
	beforeReserve  = 15 * time.Second
	requestReserve = 20 * time.Second
	storeReserve   = 20 * time.Second
	// attemptTimeout is how long an attempt may take after it took the lease, and
	// how much of a run must be left when it begins. With two credential sets it is
	// twoSetsTimeout, which has time for a second request.
	attemptTimeout = beforeReserve + requestReserve + storeReserve
	twoSetsTimeout = attemptTimeout + requestReserve
	// recordReserve is the part of storeReserve that only the record may use.
	recordReserve = 4 * time.Second
	// callTimeout limits one call of a store. Two tries of the SDK fit.
	callTimeout = 10 * time.Second
)

// attempt is one refresh attempt of a connection, in one run.
type attempt struct {
	*Rotator
	c Connection
	d decision
	// event is the event of the run, and run its name in leases. rank is the
	// attempt's rank by urgency. hosts counts the run's failures by token URL.
	event Event
	run   string
	rank  Priority
	hosts *hosts
	// began is when the run began, and deadline when it ends. An attempt without a
	// lease at startBy is deferred to a later run. until is when the lease ends. The
	// attempt writes nothing after that.
	began, deadline, startBy, until time.Time

	leaseVersion int64

	// listed is the state in the run's listing, and next the state that the attempt
	// will record.
	listed, next State
	creds        Credentials
	// stored are the refresh tokens in the secret; unsaved: others are used
	// instead, and are to be saved; restored: that has happened.
	stored            map[SetName]secret.Value
	unsaved, restored bool
	// savedLate is a pending refresh token that is in the secret after all: its
	// save came late, and which version that replaced is not verified.
	savedLate *PendingToken
	// uncertainSaveID is the id of a save that failed and may yet happen. The
	// next save has the same id: the secret takes one of the two, so that an
	// older refresh token cannot come late and replace a newer one.
	uncertainSaveID string
	// pendingErr is why a pending refresh token is not in the secret yet.
	pendingErr *Error
	// otherwise is the outcome if no token is requested.
	otherwise Outcome
	// grantType is the grant type of the last token request.
	grantType GrantType
	// loginRecorded says that this attempt has recorded a login.
	loginRecorded bool
	// failures are the failures of this attempt, by credential set.
	failures map[SetName]*Error

	throttled int
	durations []time.Duration
}

// refresh refreshes one connection: it reads the credentials, takes the lease,
// requests a token, saves a changed refresh token, publishes the access token and
// records the state. The recorded state is in a.next afterwards.
func (a *attempt) refresh(ctx context.Context) (Outcome, error) {
	a.listed, a.next = a.c.State, a.c.State
	if !sleepUntil(ctx, a.d.waitUntil) {
		return Deferred, nil
	}
	if outcome, err := a.read(ctx); outcome != "" {
		return outcome, err
	}
	if outcome, err := a.takeLease(ctx); outcome != "" {
		return outcome, err
	}
	// From here on the run's own end must not cut a write short. All of it ends
	// with the lease, and before the handler returns: a goroutine left behind
	// would wake after the freeze and publish an old token.
	leased, done := context.WithDeadline(context.WithoutCancel(ctx), a.until)
	defer done()

	a.inheritLease(time.Now())
	if a.verifyInherited(leased) {
		return a.recordNothingAsked(leased)
	}
	a.restore(leased)
	a.leaveOutForPending()
	if len(a.d.ask) > 0 && !a.timeForRequest() {
		a.d.ask, a.otherwise = nil, Deferred
	}
	if len(a.d.ask) == 0 {
		return a.recordNothingAsked(leased)
	}
	set, response, failure := a.ask(leased)
	return a.keep(leased, set, response, failure)
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
	if failure := a.resolve(ctx); failure != nil {
		return Failed, failure
	}
	if set := a.event.Set; set != "" && a.creds.Of(set).Name == "" {
		return Failed, &Error{Code: CredentialsUnread, Message: "the credentials secret has no set " + string(set) + `; leave out "set", or add it`}
	}
	a.c.State = a.c.State.AlignedWith(a.creds)
	a.noteReadable()
	a.next = a.c.State
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

// noteReadable notes which credential sets can be used: an error of a set ends
// when its fields are put right, and another stands when they are wrong.
func (a *attempt) noteReadable() {
	s := &a.c.State
	// A refresh token that could not be saved is lost where no version is new, unless
	// a login can replace it.
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
		case set.Err == nil: // both sets were found to be one login
			a.creds.Alternate.Err = twinError()
		case part.Error != CredentialsUnread || part.Version != a.creds.Version:
			*part = part.failed(a.began, a.began, set.Err)
			part.Version = a.creds.Version
		}
	}
}

// decideAgain decides with the credentials. Where no token is to be requested
// but the state says something that is true no longer, the attempt goes on to
// its record.
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
	news := a.c.State.document() != a.listed.document()
	if a.unsaved || news || !a.c.Pending.empty() {
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
