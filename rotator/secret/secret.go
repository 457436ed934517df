// Package secret boxes values that must never be printed.
//
// Because of Format and MarshalText, no verb of fmt, no log handler and no JSON encoder
// shows the text. Because of the pointer in Value, fmt does not show it in an
// unexported field of a struct either.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
)

// redacted is printed in place of every Value.
const redacted = "[redacted]"

// Value boxes a token, a client secret, a password, or a document that holds
// one. Every way of printing it with fmt, log/slog or encoding/json gives
// "[redacted]". The text is behind a pointer, because fmt does not call the methods
// of unexported fields and prints an address there. The zero Value is empty.
type Value struct{ text *string }

// New boxes text. It trims nothing.
func New(text string) Value {
	if text == "" {
		return Value{}
	}
	return Value{text: &text}
}

// Reveal returns the text. Only code that sends it to the token endpoint or
// writes it to a store may call Reveal.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// Empty reports whether there is no text.
func (v Value) Empty() bool { return v.text == nil }

// Equal reports whether both hold the same text. The comparison of texts of one
// length takes constant time.
func (v Value) Equal(other Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(other.Reveal())) == 1
}

// Fingerprint returns the first 16 hex digits of the text's SHA-256. They show
// whether a secret has changed and do not reveal it. It is "" for an empty Value.
func (v Value) Fingerprint() string {
	if v.Empty() {
		return ""
	}
	sum := sha256.Sum256([]byte(v.Reveal()))
	return hex.EncodeToString(sum[:8])
}

// Format implements fmt.Formatter, so that no verb of package fmt prints the
// value.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler, which encoding/json, its map
// keys and the handlers of log/slog use.
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
