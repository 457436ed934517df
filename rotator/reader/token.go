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

// Token is an access token as the secret held it. Printed, logged or encoded it is
// "[redacted]"; only Reveal returns the value.
type Token struct {
	// A pointer, because fmt prints unexported fields without calling their
	// methods, and prints a pointer's address.
	value *string
	// ValidUntil is when the rotator may end the token; ExpiresAt if the secret does
	// not say.
	ValidUntil time.Time
	// ExpiresAt is never later than the token's true expiry.
	ExpiresAt time.Time
	// ReadAgain is when the secret must be read again: five minutes after it was
	// read or at ValidUntil, whichever is earlier; past ValidUntil, ten seconds
	// after it was read. It is never later than ExpiresAt.
	ReadAgain time.Time
	// connection is the token's connection, for a report.
	connection string
}

// Reveal returns the token itself, for the Authorization header.
func (t Token) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// Fingerprint is the first 16 hex digits of the token's SHA-256. It shows whether a
// token has changed and does not reveal it. The rotator's state and reports name
// tokens by it.
func (t Token) Fingerprint() string {
	sum := sha256.Sum256([]byte(t.Reveal()))
	return hex.EncodeToString(sum[:8])
}

const redacted = "[redacted]"

// Format implements fmt.Formatter, so that no verb prints the value.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (Token) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// parse reads the token secret's value. Its errors do not show the value.
func parse(document string, readAt time.Time) (Token, error) {
	var fields struct {
		AccessToken string    `json:"access_token"`
		ExpiresAt   time.Time `json:"expires_at"`
		ValidUntil  time.Time `json:"valid_until"`
	}
	if err := json.Unmarshal([]byte(document), &fields); err != nil {
		return Token{}, errors.New("it is not the JSON that the rotator writes")
	}
	if fields.AccessToken == "" {
		return Token{}, errors.New("it has no access_token; is it the credentials secret?")
	}
	if fields.ExpiresAt.IsZero() {
		return Token{}, errors.New("it has no expires_at")
	}
	t := Token{value: &fields.AccessToken, ValidUntil: fields.ValidUntil, ExpiresAt: fields.ExpiresAt}
	if t.ValidUntil.IsZero() {
		t.ValidUntil = t.ExpiresAt
	}
	t.ReadAgain = readAt.Add(readInterval)
	if readAt.Before(t.ValidUntil) {
		t.ReadAgain = earlier(readAt.Add(maxAge), t.ValidUntil)
	}
	t.ReadAgain = earlier(t.ReadAgain, t.ExpiresAt)
	return t, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
