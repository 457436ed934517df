package rotator

import (
	"encoding/json"
	"strings"

	"reltio-token-rotator/rotator/secret"
)

// CredentialSet is a Reltio client and user, or a client alone, that can obtain
// tokens on its own. Values may hold any character; nothing is trimmed.
type CredentialSet struct {
	// Name is empty if the set does not exist.
	Name         SetName
	ClientID     string
	ClientSecret secret.Value
	RefreshToken secret.Value
	Username     secret.Value
	Password     secret.Value
	// Err says why the set cannot be used. It does not affect the other set.
	Err *Error
}

// parseSet reads the fields of one set.
func parseSet(name SetName, fields map[string]json.RawMessage) CredentialSet {
	s := CredentialSet{Name: name}
	of := "field "
	if name == Alternate {
		of = "field alternate."
	}
	var clientID secret.Value
	for _, f := range []struct {
		name string
		into *secret.Value
	}{
		{"client_id", &clientID},
		{"client_secret", &s.ClientSecret},
		{"refresh_token", &s.RefreshToken},
		{"username", &s.Username},
		{"password", &s.Password},
	} {
		var value string
		if raw, ok := fields[f.name]; ok && !decode(raw, &value) {
			s.Err = first(s.Err, unreadable("%s%s must be a string; leave it out where there is none", of, f.name))
		}
		*f.into = secret.New(value)
	}
	s.ClientID = clientID.Reveal()
	switch {
	case s.Err != nil:
	case s.ClientID == "":
		s.Err = unreadable("%sclient_id is missing or empty", of)
	case s.ClientSecret.Empty():
		s.Err = unreadable("%sclient_secret is missing or empty", of)
	case strings.Contains(s.ClientID, ":"):
		s.Err = unreadable("%sclient_id holds a colon, which Basic authentication cannot carry (RFC 7617)", of)
	case s.Username.Empty() && !s.Password.Empty():
		s.Err = unreadable("%spassword is there but username is missing or empty", of)
	case !s.Username.Empty() && s.Password.Empty():
		s.Err = unreadable("%susername is there but password is missing or empty", of)
	}
	return s
}

// CanLogIn reports whether the set has a username, so that a login can replace a
// lost refresh token.
func (s CredentialSet) CanLogIn() bool { return !s.Username.Empty() }

// sameAs reports whether two sets are the same login: a token request with one
// would end the token of the other.
func (s CredentialSet) sameAs(other CredentialSet) bool {
	switch {
	case !s.RefreshToken.Empty() && s.RefreshToken.Equal(other.RefreshToken):
		return true
	case s.ClientID != other.ClientID:
		return false
	case s.CanLogIn() || other.CanLogIn():
		return s.Username.Equal(other.Username)
	}
	return s.RefreshToken.Empty() && other.RefreshToken.Empty()
}

// sameUser reports whether two sets have, as far as it is known, the same client and the
// same user. An operator may add a username to a set that had none, and may leave out
// client_id by mistake.
func (s CredentialSet) sameUser(other CredentialSet) bool {
	return (s.ClientID == other.ClientID || s.ClientID == "" || other.ClientID == "") &&
		(!s.CanLogIn() || !other.CanLogIn() || s.Username.Equal(other.Username))
}

// identity returns the fingerprint that identifies a set without a refresh token.
func (s CredentialSet) identity() string { return identity(s.ClientID, s.Username) }

// sameLoginError returns the error of an alternate set that is the same login as
// the primary set.
func sameLoginError() *Error {
	return unreadable("both credential sets get the same token, so field alternate is the same login as the fields beside it; use another Reltio user")
}
