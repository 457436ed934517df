package rotator

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// RefreshTokenLife is how long a Reltio refresh token is valid, counted from the
// login; use does not extend it.
const RefreshTokenLife = 28 * 24 * time.Hour

// Credentials is what the grant needs, as one version of the credentials
// secret holds it. Values may hold any character; nothing is trimmed.
type Credentials struct {
	ClientID     string
	ClientSecret secret.Value
	RefreshToken secret.Value
	Username     secret.Value
	Password     secret.Value
	// Version and CreatedAt are the secret version's.
	Version   string
	CreatedAt time.Time

	document secret.Value
}

// ParseCredentials reads a credentials secret. An empty field is an absent one.
// Errors have the code CredentialsUnread and name the field.
func ParseCredentials(v SecretVersion) (Credentials, error) {
	c := Credentials{Version: v.ID, CreatedAt: v.CreatedAt, document: v.Document}
	fields, err := c.fields()
	if err != nil {
		return Credentials{}, err
	}
	var clientID secret.Value
	for _, f := range []struct {
		name string
		into *secret.Value
	}{
		{"client_id", &clientID},
		{"client_secret", &c.ClientSecret},
		{"refresh_token", &c.RefreshToken},
		{"username", &c.Username},
		{"password", &c.Password},
	} {
		var value string
		if raw, ok := fields[f.name]; ok && json.Unmarshal(raw, &value) != nil {
			return Credentials{}, unreadable("field %s must be a string", f.name)
		}
		*f.into = secret.New(value)
	}
	c.ClientID = clientID.Reveal()
	switch {
	case c.ClientID == "":
		return Credentials{}, unreadable("field client_id is missing or empty")
	case c.ClientSecret.Empty():
		return Credentials{}, unreadable("field client_secret is missing or empty")
	case strings.Contains(c.ClientID, ":"):
		return Credentials{}, unreadable("field client_id holds a colon, which Basic authentication cannot carry (RFC 7617)")
	case c.Username.Empty() && !c.Password.Empty():
		return Credentials{}, unreadable("field password is there but username is missing or empty")
	case !c.Username.Empty() && c.Password.Empty():
		return Credentials{}, unreadable("field username is there but password is missing or empty")
	}
	return c, nil
}

// CheckCredentials reports whether the function could use a document before
// somebody puts it into a credentials secret.
func CheckCredentials(document secret.Value) error {
	_, err := ParseCredentials(SecretVersion{Document: document})
	return err
}

func (c Credentials) fields() (map[string]json.RawMessage, error) {
	document := c.document.Reveal()
	if strings.HasPrefix(document, "\ufeff") {
		return nil, unreadable("it begins with a byte order mark; save the file as UTF-8 without one")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(document), &fields); err != nil || fields == nil {
		return nil, unreadable("it is not a JSON object")
	}
	return fields, nil
}

// withRefreshToken is the secret's document with another refresh token; every
// other field, known or not, stays.
func (c Credentials) withRefreshToken(refreshToken secret.Value) secret.Value {
	fields, err := c.fields()
	if err != nil {
		fields = map[string]json.RawMessage{} // cannot be: the document was read before
	}
	fields["refresh_token"] = json.RawMessage(jsonSecret(refreshToken.Reveal()).Reveal())
	return jsonSecret(fields)
}

func unreadable(format string, args ...any) error {
	return &Error{Code: CredentialsUnread, Message: "the credentials secret cannot be used: " + fmt.Sprintf(format, args...) + "; put a corrected value"}
}
