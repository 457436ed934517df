package rotator

import (
	"time"

	"reltio-token-rotator/rotator/secret"
)

// maxSecretBytes is Secrets Manager's limit of a secret's value.
const maxSecretBytes = 65536

// Token is an access token that may be published.
type Token struct {
	AccessToken secret.Value
	TokenType   string
	Scope       string
	ExpiresIn   time.Duration
	// IssuedAt is just before the request was sent, so that ExpiresAt is never later
	// than the real expiry. Both are whole seconds, rounded down.
	IssuedAt  time.Time
	ExpiresAt time.Time
	// ValidUntil is the time until which the rotator does not end the token.
	ValidUntil time.Time
}

// newToken returns the access token of a response, or an error with the code
// BadResponse if it cannot be published.
func newToken(a TokenResponse) (Token, *Error) {
	if a.ExpiresIn <= 0 {
		return Token{}, &Error{
			Code: BadResponse, TokenEnded: true,
			Message: "the token endpoint's response has no usable lifetime (expires_in) for the token; nothing was published; check the client's settings in Reltio",
		}
	}
	t := Token{
		AccessToken: a.AccessToken, TokenType: a.TokenType, Scope: a.Scope, ExpiresIn: min(a.ExpiresIn, maxLifetime),
		IssuedAt: wholeSeconds(a.SentAt),
	}
	t.ExpiresAt = wholeSeconds(a.SentAt.Add(t.ExpiresIn))
	t.ValidUntil = t.ExpiresAt
	if len(t.document().Reveal()) > maxSecretBytes {
		return Token{}, &Error{
			Code: BadResponse, TokenEnded: true,
			Message: "the access token is too large for a secret (64 KiB); nothing was published; ask for a smaller scope",
		}
	}
	return t, nil
}

// document returns the value of the token secret. It is flat, so that ECS, Batch and
// Glue can select one key.
func (t Token) document() secret.Value {
	return jsonSecret(struct {
		AccessToken string    `json:"access_token"`
		TokenType   string    `json:"token_type"`
		Scope       string    `json:"scope"`
		ExpiresIn   int64     `json:"expires_in"`
		IssuedAt    time.Time `json:"issued_at"`
		ExpiresAt   time.Time `json:"expires_at"`
		ValidUntil  time.Time `json:"valid_until"`
	}{t.AccessToken.Reveal(), t.TokenType, t.Scope, int64(t.ExpiresIn / time.Second), t.IssuedAt, t.ExpiresAt, t.ValidUntil})
}
