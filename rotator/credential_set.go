package rotator

import (
	"encoding/json"
	"strings"

	"reltio-token-rotator/rotator/secret"
)

// SetName is the name of a credential set in the credentials secret.
type SetName string

// The credential sets. A connection has the first, or both.
const (
	Primary   SetName = "primary"
	Alternate SetName = "alternate"
)

// Other returns the other set.
func (n SetName) Other() SetName {
	if n == Alternate {
		return Primary
	}
	return Alternate
}

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

// identity returns the fingerprint that identifies a set without a refresh token.
func (s CredentialSet) identity() string { return identity(s.ClientID, s.Username) }

// AlignedWith returns the state with each part under the name that its credential
// set has in the credentials. It matches a part and a set by the refresh token, or
// by the identity if there is none, and not by the name, because an operator may
// have exchanged the sets or removed one. A refresh token that matches no part
// counts as the new one of the set with that name. If that is wrong, a request is
// delayed.
func (s State) AlignedWith(c Credentials) State {
	taken := map[SetName]bool{}
	from := map[SetName]SetName{}
	match := func(known func(SetState, CredentialSet) bool) {
		for _, set := range c.Sets() {
			for _, part := range []SetName{set.Name, set.Name.Other()} {
				if from[set.Name] == "" && !taken[part] && known(*s.Of(part), set) {
					from[set.Name], taken[part] = part, true
				}
			}
		}
	}
	match(func(part SetState, set CredentialSet) bool {
		return !set.RefreshToken.Empty() && part.RefreshTokenFingerprint == set.RefreshToken.Fingerprint()
	})
	match(func(part SetState, set CredentialSet) bool {
		return (set.CanLogIn() || set.RefreshToken.Empty()) && set.Err == nil && part.Identity == set.identity()
	})
	for _, set := range c.Sets() {
		if from[set.Name] == "" && !taken[set.Name] {
			from[set.Name], taken[set.Name] = set.Name, true
		}
	}
	aligned := s
	aligned.Primary, aligned.Alternate, aligned.Published.Set = SetState{}, SetState{}, ""
	for place, part := range from {
		*aligned.Of(place) = *s.Of(part)
		if part == s.Published.Set {
			aligned.Published.Set = place
		}
	}
	return aligned
}
