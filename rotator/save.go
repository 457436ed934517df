package rotator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// ownVersion begins the id of every secret version that the rotator writes, so
// that an operator who lists the versions sees who wrote which.
const ownVersion = "rotator-"

// ownBefore reports whether the rotator chose to write a version before t, or in
// the same second.
func ownBefore(versionID string, t time.Time) bool {
	rest, own := strings.CutPrefix(versionID, ownVersion)
	seconds, _, _ := strings.Cut(rest, "-")
	chosen, err := strconv.ParseInt(seconds, 10, 64)
	return own && err == nil && chosen <= t.Unix()
}

// newVersionID is chosen before the write, so that a repeated write is the same
// write. It says when, since a write may come late and the version's own date
// with it. Secrets Manager wants 32 to 64 characters.
func newVersionID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return fmt.Sprintf("%s%d-%x", ownVersion, time.Now().Unix(), id)
}

// maxMerges is how often a run writes a changed refresh token into a document that
// an operator saved at the same moment.
const maxMerges = 2

// saving is a document that is being saved to the credentials secret.
type saving struct {
	// set is the one whose refresh token changed, and spent the fingerprint of
	// the one that its token request used; both are empty where a pending one is
	// restored.
	set          SetName
	spent        string
	refreshToken secret.Value
	// creds are what is saved, over version "read", as version versionID.
	creds     Credentials
	read      string
	versionID string
	// login: a login brought the refresh token, and another one can replace it.
	login bool

	saved    bool // in the secret
	verified bool // and it is known which version that write replaced
	pending  bool // in the pending parameter instead
	merges   int
	// overwritten is an operator's version that this saving's version "overwriting"
	// replaced, as long as the operator's fields are not in the secret again.
	overwritten, overwriting string
	// theirs: an operator's credentials are current; changed are the sets of
	// which an operator changed a field meanwhile. Both are news.
	theirs  bool
	changed map[SetName]bool
	// err is why the secret did not take it, pendingErr why the parameter did not.
	err, pendingErr error
}

func (a *attempt) newSaving(set CredentialSet, response TokenResponse) *saving {
	s := &saving{
		set: set.Name, spent: set.RefreshToken.Fingerprint(), refreshToken: response.RefreshToken,
		creds:     a.creds.with(map[SetName]secret.Value{set.Name: response.RefreshToken}),
		read:      a.creds.Version,
		versionID: a.uncertainSaveID,
		login:     a.grantType == GrantTypePassword,
	}
	if s.versionID == "" {
		s.versionID = newVersionID()
	}
	return s
}

// saveOnce makes one try at writing the document and at verifying which version
// that write replaced.
func (a *attempt) saveOnce(ctx context.Context, s *saving) {
	for !s.verified {
		if !s.saved {
			if s.err = a.write(ctx, s); s.err != nil {
				return
			}
			s.saved = true
		}
		if s.err = a.verifyWrite(ctx, s); s.err != nil {
			return
		}
	}
}

func (a *attempt) write(ctx context.Context, s *saving) error {
	err := func() error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return a.Saver.Save(ctx, a.c.Name, s.versionID, s.creds.document)
	}()
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	labels, lookErr := a.Saver.Labels(ctx, a.c.Name)
	if lookErr != nil || labels.Current != s.versionID {
		return err
	}
	if s.versionID != a.uncertainSaveID {
		return nil // the write happened, and its answer was lost
	}
	// The id is that of an earlier save too: which of the two has happened?
	version, lookErr := a.Credentials.ReadVersion(ctx, a.c.Name, s.versionID)
	switch {
	case lookErr != nil:
		return err
	case version.Document.Equal(s.creds.document):
		return nil
	}
	s.read, s.versionID = s.versionID, newVersionID()
	return err
}

// verifyWrite checks which version the write replaced. If that is not the one
// that was read, or another one is current by now, an operator wrote at the same
// moment: where their document holds the refresh token that was just spent, they
// changed something else, and the new one goes into their document. Otherwise
// they gave other credentials, and theirs stay or become current again.
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
		if theirs == s.read || theirs == "" || strings.HasPrefix(theirs, ownVersion) {
			s.verified = true
			return nil
		}
	}
	version, err := a.Credentials.ReadVersion(ctx, a.c.Name, theirs)
	if err != nil {
		return err
	}
	document, err := ParseCredentials(version)
	if set, ok := document.holding(s); err == nil && ok && s.merges < maxMerges {
		s.merges++
		s.noteChanges(a.creds, document)
		s.creds = document.with(a.newerThanTheirs(document, set, s.refreshToken))
		if labels.Current == s.versionID {
			s.overwritten, s.overwriting = theirs, s.versionID
		}
		s.read, s.versionID, s.saved = labels.Current, newVersionID(), false
		return nil
	}
	s.verified = true
	if labels.Current == s.versionID {
		if err := a.Saver.RestorePrevious(ctx, a.c.Name, s.versionID, theirs); err != nil && !errors.Is(err, ErrMoved) {
			s.verified = false
			return err
		}
	}
	if s.merges == maxMerges {
		a.Log.WarnContext(ctx, "the credentials secret was changed several times while a refresh token was saved; check that your last change is there", "connection", a.c.Name)
	} else {
		a.Log.WarnContext(ctx, "an operator wrote new credentials while a refresh was under way; they are current and are used from now on", "connection", a.c.Name)
	}
	s.theirs = true
	return nil
}

// newerThanTheirs returns the refresh tokens that go into an operator's document:
// the changed one, and that of the other set where the document holds one that the
// rotator has replaced.
func (a *attempt) newerThanTheirs(document Credentials, set SetName, changed secret.Value) map[SetName]secret.Value {
	newer := map[SetName]secret.Value{set: changed}
	for _, theirs := range document.Sets() {
		for _, own := range a.creds.Sets() {
			part := a.next.Of(own.Name)
			if theirs.Name != set && part.hasReplaced(theirs.RefreshToken) && part.RefreshTokenFingerprint == own.RefreshToken.Fingerprint() {
				newer[theirs.Name] = own.RefreshToken
			}
		}
	}
	return newer
}

// restoreTheirs makes an operator's document current again into which a refresh
// token could not be saved. The refresh token is pending, and goes into it later.
// It reports whether that is done.
func (a *attempt) restoreTheirs(ctx context.Context, s *saving) bool {
	if s.overwritten == "" {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := a.Saver.RestorePrevious(ctx, a.c.Name, s.overwriting, s.overwritten)
	return err == nil || errors.Is(err, ErrMoved)
}

// holding returns the set of a document that holds the refresh token that a
// saving's request spent, with the same client. A pending one that is restored
// has spent none: any document takes it that holds what it replaces, which
// resolve finds out at the next heartbeat.
func (c Credentials) holding(s *saving) (SetName, bool) {
	if s.set == "" || s.spent == "" {
		return "", false
	}
	for _, set := range c.Sets() {
		if set.RefreshToken.Fingerprint() == s.spent && set.ClientID == s.creds.Of(s.set).ClientID {
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

// noteSaved notes in the state what a save means for it: the rotator's own
// writes are no news, an operator's are.
func (a *attempt) noteSaved(ctx context.Context, s *saving) {
	if !s.verified {
		a.Log.WarnContext(ctx, "a changed refresh token was saved, but it could not be verified which version that write replaced; if you wrote new credentials at this moment, write them again", "connection", a.c.Name)
	}
	if s.theirs {
		return
	}
	before := a.next
	a.next = a.next.renamed(a.creds.Version, s.versionID)
	for name := range s.changed {
		a.next.Of(name).Version, a.next.Of(name).Login.Version = before.Of(name).Version, before.Of(name).Login.Version
	}
	a.next.CredentialsVersion = s.versionID
}

// hasReplaced reports whether the rotator replaced this refresh token.
func (s SetState) hasReplaced(refreshToken secret.Value) bool {
	fingerprint := refreshToken.Fingerprint()
	for _, replaced := range s.Replaced {
		if replaced == fingerprint && fingerprint != s.RefreshTokenFingerprint {
			return true
		}
	}
	return false
}

// notSaved returns the failure of a changed refresh token that is not in the secret,
// or nil if it is there.
func (a *attempt) notSaved(s *saving) *Error {
	if s == nil || s.saved || s.login {
		return nil
	}
	cause := "(" + s.err.Error() + ")"
	failure := &Error{Code: CredentialsNotSaved, Cause: s.err}
	switch {
	case s.pending:
		failure.Message = "a changed refresh token could not be saved to the credentials secret " + cause + " and is pending; a later heartbeat saves it; check that the function may write the secret"
	case errors.Is(s.pendingErr, errTooLong):
		failure.Message = "a changed refresh token could not be saved to the credentials secret " + cause + " and is too long for the pending parameter (4 KB); it is lost: log in again and write the new refresh token to the credentials secret"
	default:
		failure.Message = "a changed refresh token could be saved neither to the credentials secret nor to the pending parameter (" + joined(s.err, s.pendingErr).Error() + "); it is lost: log in again and write the new refresh token to the credentials secret"
	}
	return failure
}
