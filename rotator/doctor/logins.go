package doctor

import (
	"slices"
	"strings"

	"reltio-token-rotator/rotator"
)

// A refresh or a login ends the last token of the same Reltio login. So two
// connections with one login end each other's tokens, and one of them publishes a
// token that no longer works.

// login is what a credential set logs in with.
type login struct {
	connection string
	// set is the credential set's name where the connection has two.
	set rotator.SetName
	// keys are fingerprints of the user and of the refresh token at the token
	// endpoint. One equal key is the same login. A set of a connection that is
	// disabled has none, because it requests no token.
	keys []string
}

func (l login) name() string {
	if l.set == "" {
		return l.connection
	}
	return l.connection + " (" + string(l.set) + ")"
}

// loginsOf returns the login of each credential set.
func (c *connectionChecker) loginsOf(creds rotator.Credentials) []login {
	var logins []login
	for _, set := range creds.Sets() {
		l := login{connection: c.Name}
		if creds.Two() {
			l.set = set.Name
		}
		if c.Config.Enabled && c.ConfigError == nil && set.CanLogIn() {
			l.keys = append(l.keys, c.Config.TokenURL+"\nuser\n"+set.ClientID+"\n"+set.Username.Fingerprint())
		}
		if c.Config.Enabled && c.ConfigError == nil && !set.RefreshToken.Empty() {
			l.keys = append(l.keys, c.Config.TokenURL+"\nrefresh token\n"+set.RefreshToken.Fingerprint())
		}
		logins = append(logins, l)
	}
	return logins
}

// checkLogin reports which other connections have a login of this one.
func checkLogin(own, all []login) Check {
	var found []string
	for _, l := range own {
		if others := l.sharedWith(all); len(others) > 0 {
			found = append(found, l.name()+" has the same login as "+strings.Join(others, ", "))
		}
	}
	switch {
	case len(own) == 0:
		return passed(CheckLogin, "not checked, because the credentials could not be read")
	case len(found) == 0:
		return passed(CheckLogin, "no other connection has this login")
	}
	return failed(CheckLogin, "%s; a refresh of one ends the token of the other; use another Reltio user for each connection, or one connection for all jobs", strings.Join(found, ", and "))
}

// sharedWith returns the names of the other connections' sets with this login, five
// at most.
func (l login) sharedWith(all []login) []string {
	const most = 5
	var others []string
	for _, other := range all {
		if other.connection == l.connection || !slices.ContainsFunc(l.keys, func(key string) bool { return slices.Contains(other.keys, key) }) {
			continue
		}
		if len(others) == most {
			return append(others, "others")
		}
		others = append(others, other.name())
	}
	return others
}
