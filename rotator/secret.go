package rotator

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every way of printing a Secret shows.
const redacted = "[redacted]"

// Secret boxes a value that must not be printed: a token, a client secret, a
// password, or a document that holds one. fmt, log/slog and encoding/json all
// show "[redacted]". The value sits behind a pointer because fmt does not call
// the methods of unexported fields: there it prints an address and not the
// value. The zero Secret is empty.
type Secret struct{ value *string }

// NewSecret boxes value as it is; nothing is trimmed.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal returns the boxed value. Only the code that puts it on the wire to
// the token endpoint or into a store may call it.
func (s Secret) Reveal() string { return s.reveal() }

func (s Secret) reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty tells whether there is no value.
func (s Secret) Empty() bool { return s.value == nil }

// Equal compares two values in constant time for values of one length.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.reveal()), []byte(other.reveal())) == 1
}

// Fingerprint is the first 16 hex digits of the value's SHA-256: enough to
// tell same from changed, useless to a thief. An empty Secret has none ("").
func (s Secret) Fingerprint() string {
	if s.Empty() {
		return ""
	}
	sum := sha256.Sum256([]byte(s.reveal()))
	return hex.EncodeToString(sum[:8])
}

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer (%#v).
func (Secret) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb reaches the value.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler, which map keys use.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
