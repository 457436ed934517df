package rotator

import (
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

// parsePending returns nil for what is no pending refresh token.
func parsePending(document secret.Value) *PendingToken {
	var f pendingFields
	if err := json.Unmarshal([]byte(document.Reveal()), &f); err != nil || f.RefreshToken == "" {
		return nil
	}
	return &PendingToken{RefreshToken: secret.New(f.RefreshToken), RotatedFrom: f.RotatedFrom, SavedAt: f.SavedAt}
}
