package reader

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Token is an access token as the secret held it. Printing, logging and
// encoding it show "[redacted]"; only Reveal gives the value.
type Token struct {
	// A pointer, because fmt shows unexported fields without asking their
	// methods, and of a pointer it shows the address.
	value *string
	// ExpiresAt is never later than the truth. A refresh may end it sooner.
	ExpiresAt time.Time
	// ReadAgain is when the secret has to be read again: five minutes after it
	// was read, or at ExpiresAt if that comes first.
	ReadAgain time.Time
	// connection is whose token it is, for a report.
	connection string
}

// Reveal returns the token itself, for the Authorization header.
func (t Token) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// Fingerprint is the first 16 hex digits of the token's SHA-256: enough to tell
// same from changed, useless to a thief. The rotator's state and reports name
// tokens by it.
func (t Token) Fingerprint() string {
	sum := sha256.Sum256([]byte(t.Reveal()))
	return hex.EncodeToString(sum[:8])
}

const redacted = "[redacted]"

// Format implements fmt.Formatter, so that no verb reaches the value.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (Token) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// parse reads the token secret's value. Its errors show nothing of it.
func parse(document string, readAt time.Time) (Token, error) {
	var fields struct {
		AccessToken string    `json:"access_token"`
		ExpiresAt   time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(document), &fields); err != nil {
		return Token{}, errors.New("it is not the JSON that the rotator writes")
	}
	if fields.AccessToken == "" {
		return Token{}, errors.New("it has no access_token; is it the credentials secret?")
	}
	t := Token{value: &fields.AccessToken, ExpiresAt: fields.ExpiresAt, ReadAgain: readAt.Add(maxAge)}
	if t.ExpiresAt.Before(t.ReadAgain) {
		t.ReadAgain = t.ExpiresAt
	}
	return t, nil
}
