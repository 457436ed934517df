package rotator

import (
	"cmp"
	"context"
	"errors"

	"reltio-token-rotator/rotator/secret"
)

// maxMerges is how often at most a run writes a changed refresh token into a document
// that an operator saved at the same moment.
const maxMerges = 2

// saving is a document that is being saved to the credentials secret.
type saving struct {
	// set is the credential set whose refresh token changed, and spent the fingerprint
	// of the refresh token that its request used. Both are empty if a pending refresh
	// token is being restored.
	set          SetName
	spent        string
	refreshToken secret.Value
	// creds are the credentials to save. They were made from version "read" and become
	// version versionID.
	creds     Credentials
	read      string
	versionID string
	// login says that a login brought the refresh token, so that another login can
	// replace it. It becomes pending only if it must still be written into an operator's
	// document, because a write of it may take effect late and replace that document.
	login bool

	saved    bool // it is in the secret
	verified bool // it is in the secret, and it is known which version that write replaced
	pending  bool // it is in the pending parameter
	merges   int
	// overwritten is an operator's version that the version "overwriting" of this
	// saving replaced. Both are set while the operator's fields are not in the secret.
	overwritten, overwriting string
	// lateOver is an operator's version that an earlier save of this run replaced, because
	// it took effect late. "read" is the version of that save then.
	lateOver string
	// theirs says that an operator's credentials are current and not those of this
	// saving. changed are the sets in which an operator changed a field meanwhile. Both
	// count as new credentials.
	theirs  bool
	changed map[SetName]bool
	// err is why the last write to the secret failed, and pendingErr why the last write
	// to the pending parameter failed.
	err, pendingErr error
}

func (a *attempt) newSaving(set CredentialSet, response TokenResponse) *saving {
	changed := map[SetName]secret.Value{set.Name: response.RefreshToken}
	if other := a.creds.Of(set.Name.Other()); !set.RefreshToken.Empty() && other.RefreshToken.Equal(set.RefreshToken) {
		changed[other.Name] = response.RefreshToken // a copy remains one, so that it is not used
	}
	return &saving{
		set: set.Name, spent: set.RefreshToken.Fingerprint(), refreshToken: response.RefreshToken,
		creds:     a.creds.with(changed),
		read:      a.creds.Version,
		versionID: cmp.Or(a.uncertainSaveID, a.saveID),
		login:     a.grantType == GrantTypePassword,
	}
}

// saveOnce tries once to write the document and to verify which version that write
// replaced.
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
	if lookErr != nil || labels.Current != s.versionID && labels.Previous != s.versionID {
		return err
	}
	if s.versionID != a.uncertainSaveID {
		return nil // the write happened, and its answer was lost; an operator may have written after it
	}
	// An earlier save had the same id. The version shows which of the two took effect.
	version, lookErr := a.Credentials.ReadVersion(ctx, a.c.Name, s.versionID)
	switch {
	case lookErr != nil:
		return err
	case version.Document.Equal(s.creds.document):
		return nil
	}
	switch {
	case labels.Current != s.versionID: // an operator has written since; what that save replaced cannot be found out
		a.warnNotVerified(ctx)
	case labels.Previous != s.read && isOperators(labels.Previous):
		s.lateOver = labels.Previous
	}
	s.read, s.versionID = s.versionID, newVersionID()
	return err
}

// noteSaved notes in the state that the credentials were saved. The rotator's own
// write does not count as new credentials, but an operator's does.
func (a *attempt) noteSaved(ctx context.Context, s *saving) {
	if !s.verified {
		a.warnNotVerified(ctx)
	}
	if s.theirs {
		a.next.CredentialsVersion = s.versionID // their document, or a correction of it, may hold the replaced refresh token
		return
	}
	a.next = a.next.renamed(a.creds.Version, s.versionID, s.changed)
	a.next.CredentialsVersion = s.versionID
}

func (a *attempt) warnNotVerified(ctx context.Context) {
	a.Log.WarnContext(ctx, "a changed refresh token was saved, but it could not be verified which version that write replaced; if you wrote new credentials at this moment, write them again", "connection", a.c.Name)
}

// noteReplaced notes the refresh token that has this fingerprint as replaced, if the
// secret holds another one now.
func (a *attempt) noteReplaced(set SetName, fingerprint string) {
	if fingerprint != a.stored[set].Fingerprint() {
		*a.next.Of(set) = a.next.Of(set).replacing(fingerprint)
	}
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
	if s == nil || s.saved || s.login && !s.pending {
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
