package rotator

import (
	"context"
	"encoding/json"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// PendingToken is a refresh token that the server changed and that the
// credentials secret would not take.
type PendingToken struct {
	RefreshToken secret.Value
	// RotatedFrom is the credentials version that was current then. When the
	// secret has moved on, somebody wrote new credentials and theirs stand.
	RotatedFrom string
	SavedAt     time.Time
}

// maxParameterBytes is the limit of a standard parameter's value.
const maxParameterBytes = 4096

type pendingFields struct {
	RefreshToken string    `json:"refresh_token"`
	RotatedFrom  string    `json:"rotated_from"`
	SavedAt      time.Time `json:"saved_at"`
}

func (e PendingToken) document() secret.Value {
	return jsonSecret(pendingFields{e.RefreshToken.Reveal(), e.RotatedFrom, wholeSeconds(e.SavedAt)})
}

// fits reports whether Parameter Store can hold the pending refresh token.
func (e PendingToken) fits() bool { return len(e.document().Reveal()) <= maxParameterBytes }

// Stands reports whether the pending refresh token is the one to use beside the
// current credentials: they are the version that it replaces, or a save before
// it that came late. Otherwise an operator wrote new credentials, and those are
// used.
func (e PendingToken) Stands(c Credentials) bool {
	return c.Version == e.RotatedFrom || ownBefore(c.Version, e.SavedAt)
}

// parsePending returns nil for what is no pending refresh token.
func parsePending(document secret.Value) *PendingToken {
	var f pendingFields
	if err := json.Unmarshal([]byte(document.Reveal()), &f); err != nil || f.RefreshToken == "" {
		return nil
	}
	return &PendingToken{RefreshToken: secret.New(f.RefreshToken), RotatedFrom: f.RotatedFrom, SavedAt: f.SavedAt}
}

// restore brings a refresh token out of pending refresh token into the credentials secret, and
// the attempt's credentials up to date with it. When it cannot, the error says
// so, and the refresh token is used all the same.
func (a *attempt) restore(ctx context.Context) error {
	pending := a.c.Pending
	if pending == nil {
		a.reportReplaced(ctx)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	own := a.creds.Version
	switch {
	case pending.RefreshToken.Equal(a.creds.RefreshToken): // saved after all
	case pending.Stands(a.creds):
		own = newVersionID()
		document := a.creds.withRefreshToken(pending.RefreshToken)
		a.creds.RefreshToken = pending.RefreshToken
		if err := a.Saver.Save(ctx, a.c.Name, own, document); err != nil && !a.current(ctx, own) {
			a.uncertainSaveID = own
			return &Error{Code: CredentialsNotSaved, Cause: err, Message: "a changed refresh token waits pending since the credentials secret could not be written (" + err.Error() + "); " + remedy(err, "write the secret")}
		}
	default:
		a.Log.WarnContext(ctx, "a refresh token pending is given up: the credentials secret was changed meanwhile, and what stands there is used", "connection", a.c.Name)
		return a.deletePending(ctx)
	}
	if err := a.verifyUntilDone(ctx, own, pending.RotatedFrom); err != nil {
		return notReadBack(err)
	}
	version, err := a.Credentials.Read(ctx, a.c.Name)
	if err != nil {
		return notReadBack(err)
	}
	creds, err := ParseCredentials(version)
	if err != nil {
		return err
	}
	a.creds = creds
	return a.deletePending(ctx)
}

// current reports whether a version is certainly the current one.
func (a *attempt) current(ctx context.Context, version string) bool {
	labels, err := a.Saver.Labels(ctx, a.c.Name)
	return err == nil && labels.Current == version
}

// verifyUntilDone looks again while it fails and there is time: once another save
// has followed, nobody can see any more whom this one replaced.
func (a *attempt) verifyUntilDone(ctx context.Context, own, read string) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		try, cancel := context.WithTimeout(ctx, saveTimeout)
		_, err := a.look(try, own, read)
		cancel()
		if err == nil || !sleep(ctx, pause) {
			return err
		}
	}
}

func notReadBack(err error) error {
	return &Error{Code: CredentialsNotSaved, Cause: err, Message: "a pending refresh token was saved but could not be read back (" + err.Error() + "); it stays pending until a coming heartbeat can"}
}

func (a *attempt) deletePending(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pendingTimeout)
	defer cancel()
	if err := a.Pending.DeletePending(ctx, a.c.Name); err != nil {
		return &Error{Code: StateUnavailable, Cause: err, Message: "the pending refresh token parameter is not needed any more and could not be deleted (" + err.Error() + "); " + remedy(err, "delete it")}
	}
	return nil
}
