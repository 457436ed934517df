package reltio

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// TokenFormat is how tokens look.
type TokenFormat int

// The formats of the library's versions. The tokens have the characters that are
// hardest to handle.
const (
	// UUID is 2.3.8's.
	UUID TokenFormat = iota
	// Base64 is 2.4.1's: every token holds '+', '/' and '=', so it must be
	// encoded in a form body.
	Base64
	// Base64URL is 2.5.2's: every token begins with '-', which a command line
	// reads as an option.
	Base64URL
	// Counted numbers the tokens in the order of their creation, so that a
	// simulation repeats exactly. No version does so.
	Counted
)

// Options are the modes of a Server. A zero value means the default named.
type Options struct {
	ClientID     string // "client"
	ClientSecret string // "secret"
	Username     string // "user"
	Password     string // "password"
	// Users are further users by name, with their passwords, and Clients further
	// clients by id, with their secrets. The tokens of one user of one client are
	// independent of all others.
	Users, Clients map[string]string

	// Scope is what the client may ask for and gets, separated by spaces:
	// "read write".
	Scope string
	// Lifetime of an access token: 3599 s. expires_in is what is left of it a
	// millisecond later, cut to whole seconds: the first answer says 3598, and the
	// token lives until the 3599 s are over.
	Lifetime time.Duration
	// Lifetimes are those of the access tokens of some users.
	Lifetimes map[string]time.Duration
	// RefreshLifetime is 28 days from the login, not extended by use. A rotated
	// refresh token is a new one with a clock of its own.
	RefreshLifetime time.Duration

	// RotateRefreshToken gives a new refresh token each refresh and ends the old.
	RotateRefreshToken bool
	// RevokeFamilyOnReplay: when a rotated refresh token comes back, everything
	// that descends from its login ends.
	RevokeFamilyOnReplay bool
	// SameTokenUntilExpired answers a refresh with the access token that was
	// issued last, as long as it lives, and what is left of its life.
	SameTokenUntilExpired bool
	// MultiToken answers every client_credentials request with a new token and
	// lets the older ones live.
	MultiToken bool
	// JWT access tokens do not end when a refresh gives another.
	JWT bool
	// MFA answers the password grant with a challenge instead of a token.
	MFA bool
	// CheckEndpoint opens /oauth/check_token to clients; it answers 403 otherwise,
	// as the library does unless it is told.
	CheckEndpoint bool
	// OneToken: a login or refresh of any user or client ends the access tokens of
	// all others, so that no two credential sets are independent.
	OneToken bool
	// EchoRefreshToken puts a rejected refresh token into error_description and
	// WWW-Authenticate, as 2.3.8 and 2.4.1 do.
	EchoRefreshToken bool
	// InvalidGrantStatus goes with invalid_grant: 400, elsewhere 401 or 403.
	InvalidGrantStatus int
	// LooseShape answers as other pages of the vendor show: "Bearer", expires_in
	// as a string, scope as a list.
	LooseShape bool
	// OmitRefreshToken leaves the refresh token out of the answer to a refresh
	// that did not change it.
	OmitRefreshToken bool
	// TokenFormat is UUID.
	TokenFormat TokenFormat

	// Latency passes before a token request is executed. It is executed also
	// when the client has gone away by then: servers do not notice.
	Latency time.Duration
	// RaceWindow passes between the execution of a refresh and its answer.
	// Refreshes that overlap in it each get a token of their own, and only that
	// of the last one executed is alive when the answers arrive (Spring's
	// in-memory store leaves 1 to 3 of 8 alive).
	RaceWindow time.Duration

	// RequestsPerSecond above which token requests get 429; 0 is no limit.
	RequestsPerSecond int
	// RetryAfter is sent with such a 429 when it is set.
	RetryAfter string
	// Grants that the client may use; all when empty.
	Grants []string
}

func (o Options) withDefaults() Options {
	or := func(value *string, fallback string) {
		if *value == "" {
			*value = fallback
		}
	}
	or(&o.ClientID, "client")
	or(&o.ClientSecret, "secret")
	or(&o.Username, "user")
	or(&o.Password, "password")
	or(&o.Scope, "read write")
	if o.InvalidGrantStatus == 0 {
		o.InvalidGrantStatus = http.StatusBadRequest
	}
	if o.Lifetime == 0 {
		o.Lifetime = 3599 * time.Second
	}
	if o.RefreshLifetime == 0 {
		o.RefreshLifetime = 28 * 24 * time.Hour
	}
	o.Grants = slices.Clone(o.Grants)
	return o
}

func (o Options) knowsClient(id, secret string) bool {
	if id == o.ClientID {
		return secret == o.ClientSecret
	}
	known, ok := o.Clients[id]
	return ok && secret == known
}

func (o Options) knowsUser(name, password string) bool {
	if name == o.Username {
		return password == o.Password
	}
	known, ok := o.Users[name]
	return ok && password == known
}

func (o Options) allows(grant string) bool {
	return len(o.Grants) == 0 || slices.Contains(o.Grants, grant)
}

// scope returns the scope that a request gets, or false if it asks for too much.
func (o Options) scope(asked string) (string, bool) {
	if asked == "" {
		return o.Scope, true
	}
	for _, one := range strings.Fields(asked) {
		if !slices.Contains(strings.Fields(o.Scope), one) {
			return "", false
		}
	}
	return asked, true
}
