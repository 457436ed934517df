package rotator

import (
	"slices"
	"time"
)

// decision says what a run does about a connection.
type decision struct {
	// outcome is empty if there is something to do.
	outcome Outcome
	reason  Reason
	// waitUntil is when to begin. The zero time means at once.
	waitUntil time.Time
	// ask are the credential sets to request a token with, in order. The second one
	// is used only if the first one fails. If there is none, the run only saves a
	// pending refresh token or reads the credentials.
	ask []SetName
	// read says that the run reads the credentials and then decides again, because new
	// credentials would make the connection due or end its error, or because a run that
	// died may have replaced an operator's credentials.
	read bool
	// tooManyReports says that a job's report was refused because reports have
	// already caused too many refreshes.
	tooManyReports bool
	// notRecorded says that nothing is done because too many runs in a row could not
	// record the state.
	notRecorded bool
}

// decide says what a run does about the connection. It has no side effect and reads
// no clock. A run calls it before it reads the credentials (creds is nil), and again
// afterwards, with a state that is aligned with them.
func (c Connection) decide(now time.Time, event Event, heartbeat time.Duration, creds *Credentials) decision {
	if c.ConfigError != nil {
		return decision{outcome: Failed}
	}
	if !c.Config.Enabled {
		return decision{outcome: Disabled}
	}
	d := c.due(now, event, heartbeat, creds)
	wanted := len(d.ask) > 0
	if event.Force && creds != nil {
		d.ask = slices.DeleteFunc(d.ask, func(set SetName) bool { return creds.Of(set).Err != nil })
	}
	if !event.Force {
		d = c.withoutBackedOff(d, now, event, creds)
	}
	if len(d.ask) == 0 && creds == nil {
		d.read = d.read || c.waitsForCredentials(now) || c.unknownResult(now)
	}
	switch {
	case !wanted && !d.read && c.Pending.empty():
		return decision{outcome: NotDue}
	case c.LeaseHeld(now):
		return decision{outcome: Busy, reason: d.reason}
	case !event.Force && now.Before(c.unrecordedUntil(now)):
		return decision{outcome: BackingOff, reason: d.reason, notRecorded: true}
	case len(d.ask) > 0 && event.DeadToken != "" && c.TooManyReports(now):
		return decision{outcome: BackingOff, reason: d.reason, tooManyReports: true}
	case len(d.ask) > 0 || d.read:
		return d
	case !c.Pending.empty():
		return decision{reason: ReasonPending}
	case wanted && !c.servedBeside(now):
		return decision{outcome: BackingOff, reason: d.reason}
	}
	return decision{outcome: NotDue}
}

// due says whether to request a token, why, and with which sets. It ignores
// backoffs.
func (c Connection) due(now time.Time, event Event, heartbeat time.Duration, creds *Credentials) decision {
	p, two := c.State.Published, c.two(creds)
	only := func(sets []SetName) []SetName {
		if two {
			return sets
		}
		return []SetName{Primary}
	}
	d := decision{}
	switch until, wait := c.sameTokenWait(now, event, two, heartbeat); {
	case event.Force && event.Set != "":
		d = decision{ask: []SetName{event.Set}, reason: ReasonForced}
	case event.Force:
		d = decision{ask: only(c.forcedOrder()), reason: ReasonForced}
	case event.DeadToken != "" && c.reported(event, now):
		d = decision{ask: only(c.replacement(now)), reason: ReasonDeadToken}
	case event.DeadToken != "":
	case !p.known():
		d = decision{ask: only([]SetName{Primary, Alternate}), reason: ReasonUnknown}
	case c.unknownResult(now) && c.Lease.Set != p.Set && two && p.Set != "":
		d = decision{ask: []SetName{c.Lease.Set}, reason: ReasonLeaseExpired}
		if !now.Before(p.ValidUntil) || p.uncertain() {
			d.ask = c.replacement(now)
		}
	case c.unknownResult(now):
		d = decision{ask: only(c.replacement(now)), reason: ReasonLeaseExpired}
	case p.uncertain():
		d = decision{ask: only(c.replacement(now)), reason: ReasonUncertain}
	case wait:
		d = decision{ask: only([]SetName{p.Set}), reason: ReasonExpiry, waitUntil: until}
	case two:
		d.ask, d.reason = c.turn(now, heartbeat)
	case p.Unchanged && !now.Before(until):
		d = decision{ask: []SetName{Primary}, reason: ReasonExpiry}
	case !p.Unchanged && !now.Before(c.refreshAt(heartbeat)):
		d = decision{ask: []SetName{Primary}, reason: ReasonWindow}
	}
	if two && len(d.ask) == 0 && creds != nil && event.DeadToken == "" {
		for _, set := range creds.Sets() { // an operator has corrected the set that is not in use
			if c.corrected(set.Name, creds) && c.free(set.Name, now) {
				return decision{ask: []SetName{set.Name}, reason: ReasonNewCredentials}
			}
		}
	}
	return d
}

// withoutBackedOff removes the sets that a backoff forbids. If new credentials can
// end the backoff, every heartbeat reads the credentials.
func (c Connection) withoutBackedOff(d decision, now time.Time, event Event, creds *Credentials) decision {
	d.ask = slices.DeleteFunc(slices.Clone(d.ask), func(set SetName) bool {
		switch s := c.State.Of(set); {
		case now.Before(c.State.NotBefore):
			return true
		case creds != nil && creds.Of(set).Err != nil:
			return true
		case event.DeadToken != "" && s.Error != "" && c.State.Published.uncertain():
			return true // the heartbeats replace it; otherwise many reports would cause many requests
		case !s.backedOff(now) || s.Error == "" && d.reason != ReasonTurn: // without an error, only its turn waits
			return false
		case creds == nil:
			d.read = d.read || s.waitsForNewCredentials()
			return true
		case c.corrected(set, creds):
			d.reason = ReasonNewCredentials
			return false
		}
		return true
	})
	return d
}

// corrected reports whether new credentials end the error of a set.
func (c Connection) corrected(set SetName, creds *Credentials) bool {
	s := c.State.Of(set)
	return s.waitsForNewCredentials() && creds.Of(set).Err == nil && s.Version != creds.Version
}

// waitsForNewCredentials reports whether new credentials end the set's error, or allow
// a login before the next one is due.
func (s SetState) waitsForNewCredentials() bool {
	return s.Error.WaitsForNewCredentials() || s.Error != "" && s.Login.Outcome != ""
}

// waitsForCredentials reports whether reading the credentials may end an error of
// the connection.
func (c Connection) waitsForCredentials(now time.Time) bool {
	s := c.State
	return s.Error == CredentialsUnread || c.pendingIsGone() || s.Primary.Error == CredentialsUnread || s.Alternate.Error == CredentialsUnread ||
		c.two(nil) && (s.Primary.waitsForNewCredentials() || s.Alternate.waitsForNewCredentials()) && !now.Before(s.NotBefore)
}

// pendingIsGone reports whether the standing error is about a pending refresh
// token that could not be saved or deleted, and none is pending any more.
func (c Connection) pendingIsGone() bool {
	return (c.State.Error == StateUnavailable || c.State.Error == CredentialsNotSaved) && c.Pending.empty()
}

// servedBeside reports whether jobs have a valid token from one credential set
// while the other set fails.
func (c Connection) servedBeside(now time.Time) bool {
	p := c.State.Published
	return c.two(nil) && p.known() && p.Set != "" && !p.uncertain() && now.Before(p.ValidUntil) && c.State.Of(p.Set).Error == ""
}
