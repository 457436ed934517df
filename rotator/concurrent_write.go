package rotator

import (
	"context"
	"errors"

	"reltio-token-rotator/rotator/secret"
)

// This file says what happens when an operator writes the credentials secret while
// a run saves a changed refresh token to it. Secrets Manager has no conditional write,
// so the run checks afterwards which version its write replaced.

// verifyWrite checks which version the write replaced. If that is not the version
// that was read, or if another version is current by now, an operator wrote at the
// same moment. If their document holds the refresh token that this run's request used,
// or an older one, they changed something else, and the new refresh token is written
// into their document. Otherwise they wrote other credentials, which stay current or
// become current again.
func (a *attempt) verifyWrite(ctx context.Context, s *saving) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	labels, err := a.Saver.Labels(ctx, a.c.Name)
	if err != nil {
		return err
	}
	theirs := labels.Current
	if labels.Current == s.versionID {
		theirs = labels.Previous
		switch {
		case s.lateOver != "" && theirs == s.read:
			theirs = s.lateOver
		case s.lateOver != "": // another operator has written since
			s.lateOver = ""
			a.warnNotVerified(ctx)
		}
		if theirs == s.read || theirs == "" {
			s.verified = true
			return nil
		}
	}
	version, err := a.Credentials.ReadVersion(ctx, a.c.Name, theirs)
	if err != nil {
		return err
	}
	if isOwn(theirs) && labels.Current == s.versionID && !version.CreatedAt.Before(a.creds.CreatedAt) {
		s.verified = true // that save took effect late; an operator makes only an older version current again
		return nil
	}
	// If the operator wrote after that save, it can no longer be found out which version
	// the save replaced.
	after := labels.Current != s.versionID
	document, err := ParseCredentials(version)
	spent := func(refreshToken secret.Value) bool {
		return refreshToken.Fingerprint() == s.spent || a.next.Of(s.set).hasReplaced(refreshToken)
	}
	set, older := document.holding(s, spent)
	if _, ok := document.holding(s, s.refreshToken.Equal); err == nil && ok && !older && after {
		// The operator edited the document that was just saved.
		s.noteChanges(a.creds, document)
		s.creds, s.versionID, s.verified = document, labels.Current, true
		a.warnNotVerified(ctx)
		return nil
	}
	if err == nil && older && s.merges < maxMerges {
		if after {
			a.warnNotVerified(ctx)
		}
		s.merges++
		s.noteChanges(a.creds, document)
		s.creds = document.with(a.newerThanTheirs(document, set, s))
		if !after {
			s.overwritten, s.overwriting = theirs, s.versionID
		}
		s.read, s.versionID, s.saved, s.lateOver = labels.Current, newVersionID(), false, ""
		return nil
	}
	s.verified = true
	if !after {
		if err := a.Saver.RestorePrevious(ctx, a.c.Name, s.versionID, theirs); err != nil && !errors.Is(err, ErrMoved) {
			s.verified = false
			return err
		}
	}
	switch {
	case s.merges == maxMerges:
		a.Log.WarnContext(ctx, "the credentials secret was changed several times while a refresh token was saved; check that your last change is there", "connection", a.c.Name)
	case after, s.overwritten != "":
		a.Log.WarnContext(ctx, "an operator wrote new credentials while a refresh token was saved; they are current and are used from now on; if others were written just before them, write them again", "connection", a.c.Name)
	default:
		a.Log.WarnContext(ctx, "an operator wrote new credentials while a refresh was under way; they are current and are used from now on", "connection", a.c.Name)
	}
	s.theirs = true
	return nil
}

// newerThanTheirs returns the refresh tokens to write into an operator's document. They
// are the changed one and, if the document holds a refresh token of the other set that
// the rotator has replaced, the current one of that set. A copy of the set that was used
// gets the changed one, too, so that it is found to be one.
func (a *attempt) newerThanTheirs(document Credentials, set SetName, s *saving) map[SetName]secret.Value {
	newer := map[SetName]secret.Value{set: s.refreshToken}
	for _, theirs := range document.Sets() {
		for _, own := range a.creds.Sets() {
			part := a.next.Of(own.Name)
			replaced := theirs.sameUser(own) && part.hasReplaced(theirs.RefreshToken)
			spent := own.Name == s.set && !theirs.RefreshToken.Empty() && theirs.RefreshToken.Fingerprint() == s.spent
			switch {
			case theirs.Name == set:
			case own.Name == s.set && (spent || replaced):
				newer[theirs.Name] = s.refreshToken
			case replaced && part.RefreshTokenFingerprint == own.RefreshToken.Fingerprint():
				newer[theirs.Name] = own.RefreshToken
			}
		}
	}
	return newer
}

// restoreTheirs makes an operator's document current again if it was overwritten and
// the changed refresh token could not be saved into it. That refresh token is pending
// and is saved into it later, or another login replaces it. It reports whether nothing
// remains to be done.
func (a *attempt) restoreTheirs(ctx context.Context, s *saving) bool {
	if s.overwritten == "" {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := a.Saver.RestorePrevious(ctx, a.c.Name, s.overwriting, s.overwritten)
	if !errors.Is(err, ErrMoved) {
		return err == nil
	}
	labels, err := a.Saver.Labels(ctx, a.c.Name)
	if err != nil || labels.Current != s.versionID { // an operator has written over what replaced that document
		a.warnNotVerified(ctx)
	}
	s.overwritten = ""
	return true
}

// holding returns the set of a document that has the client and user of a saving and a
// refresh token that matches: one that was spent, or the one that was saved. A restored
// pending refresh token has spent none, so that no set is returned. The next heartbeat
// finds out in resolve whether the document holds the refresh token that it replaces.
func (c Credentials) holding(s *saving, matches func(secret.Value) bool) (SetName, bool) {
	if s.set == "" {
		return "", false
	}
	for _, set := range c.Sets() {
		if !set.RefreshToken.Empty() && matches(set.RefreshToken) && set.sameUser(s.creds.Of(s.set)) {
			return set.Name, true
		}
	}
	return "", false
}

// noteChanges notes the sets in which an operator changed a field.
func (s *saving) noteChanges(read, theirs Credentials) {
	if s.changed == nil {
		s.changed = map[SetName]bool{}
	}
	for _, name := range []SetName{Primary, Alternate} {
		a, b := read.Of(name), theirs.Of(name)
		if name == s.set {
			a.RefreshToken, b.RefreshToken = secret.Value{}, secret.Value{}
		}
		if !a.equal(b) {
			s.changed[name] = true
		}
	}
}

func (s CredentialSet) equal(other CredentialSet) bool {
	return s.ClientID == other.ClientID && s.ClientSecret.Equal(other.ClientSecret) && s.RefreshToken.Equal(other.RefreshToken) &&
		s.Username.Equal(other.Username) && s.Password.Equal(other.Password)
}
