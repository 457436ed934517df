package rotator

import (
	"context"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// Grant names an OAuth 2.0 grant type as the token endpoint knows it.
type GrantType string

// The grants in use (RFC 6749 sections 6, 4.3 and 4.4).
const (
	GrantTypeRefreshToken      GrantType = "refresh_token"
	GrantTypePassword          GrantType = "password"
	GrantTypeClientCredentials GrantType = "client_credentials"
)

// TokenRequest is one token request.
type TokenRequest struct {
	TokenURL     string
	GrantType    GrantType
	ClientID     string
	ClientSecret secret.Value
	RefreshToken secret.Value // GrantTypeRefreshToken
	Username     secret.Value // GrantTypePassword
	Password     secret.Value // GrantTypePassword
	Scope        string       // sent when not empty
}

// Answer is what the token endpoint said. Unless an error comes with it, it
// holds an access token; whether that token may be published is for the caller
// to judge, since a token already out may come back with no lifetime left.
type TokenResponse struct {
	AccessToken secret.Value
	TokenType   string
	Scope       string
	// ExpiresIn is the remaining life that the server named; zero when it named
	// none or one that cannot be used.
	ExpiresIn time.Duration
	// RefreshToken is empty when the reply named none: keep the old one.
	RefreshToken secret.Value
	// SentAt is the instant just before the answered request was sent.
	SentAt time.Time
	// Throttled counts the 429 replies on the way, also beside an error.
	Throttled int
}

// TokenEndpoint sends token requests.
type TokenEndpoint interface {
	// Grant sends the request, again only where the endpoint certainly did not
	// execute it, and ends before ctx does. Its errors are *Error.
	RequestToken(ctx context.Context, request TokenRequest) (TokenResponse, error)
}
