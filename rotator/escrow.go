package rotator

import (
	"encoding/json"
	"time"
)

// EscrowDocument is a refresh token that the server changed and that the
// credentials secret would not take.
type EscrowDocument struct {
	RefreshToken Secret
	// RotatedFrom is the credentials version that was current then. When the
	// secret has moved on, somebody wrote new credentials and theirs stand.
	RotatedFrom string
	SavedAt     time.Time
}

// maxParameterBytes is the limit of a standard parameter's value.
const maxParameterBytes = 4096

type escrowFields struct {
	RefreshToken string    `json:"refresh_token"`
	RotatedFrom  string    `json:"rotated_from"`
	SavedAt      time.Time `json:"saved_at"`
}

func (e EscrowDocument) document() Secret {
	return jsonSecret(escrowFields{e.RefreshToken.reveal(), e.RotatedFrom, wholeSeconds(e.SavedAt)})
}

// fits tells whether Parameter Store can hold the escrow.
func (e EscrowDocument) fits() bool { return len(e.document().reveal()) <= maxParameterBytes }

// parseEscrow returns nil for what is no escrow.
func parseEscrow(document Secret) *EscrowDocument {
	var f escrowFields
	if err := json.Unmarshal([]byte(document.reveal()), &f); err != nil || f.RefreshToken == "" {
		return nil
	}
	return &EscrowDocument{RefreshToken: NewSecret(f.RefreshToken), RotatedFrom: f.RotatedFrom, SavedAt: f.SavedAt}
}
