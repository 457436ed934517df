package rotator

import (
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
	// inheritTimeout is how long an attempt may take that leaves the lease open, because
	// it cannot find out what a run that died has saved.
	inheritTimeout = 20 * time.Second
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
	// stored are the refresh tokens in the secret. unsaved says that other ones are
	// in use and must be saved, and restored says that they were saved.
	stored            map[SetName]secret.Value
	unsaved, restored bool
	// late is a pending refresh token of which a save took effect late: it, or one that
	// it has replaced, is in the secret. It is not known which version that save
	// replaced.
	late *PendingToken
	// notVerified says that the labels could not be read, so that the refresh token stays
	// pending.
	notVerified bool
	// labelsRead says that the labels of the credentials secret were read. labels or
	// labelsErr is the result.
	labelsRead bool
	labels     VersionLabels
	labelsErr  error
	// rolledBack says that an operator made an earlier version current again.
	rolledBack bool
	// unrecorded says that a run died right after its save, that an operator has saved an
	// older document over that one, and that the state names the save now. This attempt
	// writes the newer refresh token into the document and does nothing else.
	unrecorded bool
	// inherited is an earlier run's save that replaced inheritedOver, an operator's version
	// which that run had not read. This attempt completes it and does nothing else.
	inherited     *saving
	inheritedOver string
	// saveID is the version id that the lease names for the save of a changed refresh
	// token.
	saveID string
	// uncertainSaveID is the version id of a save that failed but may still take
	// effect. The next save uses the same id, so that only one of the two takes effect
	// and an older refresh token cannot replace a newer one.
	uncertainSaveID string
	// settledAt is until when that save may take effect, if nothing is pending.
	settledAt time.Time
	// pendingFailedAt is when the pending parameter could last not be written or deleted.
	// That may still take effect.
	pendingFailedAt time.Time
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
