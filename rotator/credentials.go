package rotator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"reltio-token-rotator/rotator/secret"
)

// RefreshTokenLife is how long a Reltio refresh token is valid, counted from the
// login; use does not extend it.
const RefreshTokenLife = 28 * 24 * time.Hour

// Credentials are what token requests need, as one version of the credentials
// secret holds them: one credential set, or two that take turns.
type Credentials struct {
	Primary   CredentialSet
	Alternate CredentialSet
	// Version and CreatedAt are the secret version's.
	Version   string
	CreatedAt time.Time

	document secret.Value
}

// ParseCredentials reads a credentials secret. An empty field counts as absent. An
// error has the code CredentialsUnread and is about the whole document. What is
// wrong in one set is in that set's Err.
func ParseCredentials(v SecretVersion) (Credentials, error) {
	c := Credentials{Version: v.ID, CreatedAt: v.CreatedAt, document: v.Document}
	fields, err := documentFields(v.Document)
	if err != nil {
		return Credentials{}, err
	}
	c.Primary = parseSet(Primary, fields)
	if inner, ok := fields["alternate"]; ok {
		var alternate map[string]json.RawMessage
		switch err := json.Unmarshal(inner, &alternate); {
		case err != nil, alternate == nil:
			c.Alternate = CredentialSet{Name: Alternate, Err: unreadable("field alternate must be an object with the fields of a credential set")}
		case len(alternate) > 0:
			c.Alternate = parseSet(Alternate, alternate)
		}
	}
	return c.compared(), nil
}

// compared returns the credentials with an error of the alternate set if both sets are the
// same login.
func (c Credentials) compared() Credentials {
	if c.Alternate.Err == nil && c.Two() && c.Primary.sameAs(c.Alternate) {
		c.Alternate.Err = unreadable("field alternate is the same login as the fields beside it; use another Reltio user")
	}
	return c
}

// CheckCredentials returns the credential sets of a document that is not in a
// credentials secret yet, or the first mistake in it or in any of its sets.
func CheckCredentials(document secret.Value) ([]CredentialSet, error) {
	c, err := ParseCredentials(SecretVersion{Document: document})
	if err != nil {
		return nil, err
	}
	if failure := first(c.Primary.Err, c.Alternate.Err); failure != nil {
		return nil, failure
	}
	return c.Sets(), nil
}

// Two reports whether there are two credential sets.
func (c Credentials) Two() bool { return c.Alternate.Name != "" }

// Sets returns the credential sets that exist.
func (c Credentials) Sets() []CredentialSet {
	if c.Two() {
		return []CredentialSet{c.Primary, c.Alternate}
	}
	return []CredentialSet{c.Primary}
}

// Of returns the credential set with this name.
func (c Credentials) Of(name SetName) CredentialSet {
	if name == Alternate {
		return c.Alternate
	}
	return c.Primary
}

// Broken returns why no credential set can be used, or nil if one can.
func (c Credentials) Broken() *Error {
	if c.Two() && c.Alternate.Err == nil {
		return nil
	}
	return c.Primary.Err
}

// with returns the credentials with other refresh tokens. Every other field of the
// document stays, also one that this program does not know.
func (c Credentials) with(refreshTokens map[SetName]secret.Value) Credentials {
	fields, err := documentFields(c.document)
	if err != nil {
		return c // cannot happen: the document was read before
	}
	if refreshToken, ok := refreshTokens[Primary]; ok {
		c.Primary.RefreshToken = refreshToken
		fields["refresh_token"] = rawString(refreshToken)
	}
	if refreshToken, ok := refreshTokens[Alternate]; ok {
		var alternate map[string]json.RawMessage
		if json.Unmarshal(fields["alternate"], &alternate) == nil && alternate != nil {
			c.Alternate.RefreshToken = refreshToken
			alternate["refresh_token"] = rawString(refreshToken)
			fields["alternate"] = json.RawMessage(jsonSecret(alternate).Reveal())
		}
	}
	c.document = jsonSecret(fields)
	return c.compared()
}

func rawString(value secret.Value) json.RawMessage {
	return json.RawMessage(jsonSecret(value.Reveal()).Reveal())
}

// documentFields returns the fields of a credentials document. It rejects a text
// that decoding would change, because the change could be in a password.
func documentFields(document secret.Value) (map[string]json.RawMessage, error) {
	text := document.Reveal()
	switch {
	case strings.HasPrefix(text, "\ufeff"):
		return nil, unreadable("it begins with a byte order mark; save the file as UTF-8 without one")
	case !utf8.ValidString(text):
		return nil, unreadable("it is not valid UTF-8; save the file as UTF-8")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &fields); err != nil || fields == nil {
		return nil, unreadable("it is not a JSON object")
	}
	if hasLoneSurrogate(text) {
		return nil, unreadable(`it holds half of a surrogate pair (\ud800 to \udfff), which is no character`)
	}
	return fields, nil
}

// hasLoneSurrogate reports whether a JSON text escapes half of a UTF-16
// surrogate pair; encoding/json would put U+FFFD in its place.
func hasLoneSurrogate(text string) bool {
	for {
		i := strings.IndexByte(text, '\\')
		if i < 0 || i+1 >= len(text) {
			return false
		}
		text = text[i:]
		first, ok := escaped(text)
		if !ok {
			text = text[2:]
			continue
		}
		text = text[6:]
		if !utf16.IsSurrogate(first) {
			continue
		}
		second, ok := escaped(text)
		if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
			return true
		}
		text = text[6:]
	}
}

// escaped returns the code unit of the \uXXXX that text begins with.
func escaped(text string) (unit rune, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(n), err == nil
}

// jsonSecret returns a value's JSON as a secret.Value. HTML escaping is off: "&"
// would become \u0026, which is longer and not what the operator wrote.
func jsonSecret(value any) secret.Value {
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // cannot fail: strings, numbers, raw JSON, times of this century
	return secret.New(strings.TrimSuffix(document.String(), "\n"))
}

func unreadable(format string, args ...any) *Error {
	return &Error{Code: CredentialsUnread, Message: "the credentials secret cannot be used: " + fmt.Sprintf(format, args...) + "; write a corrected value"}
}
