package rotator

// Grant names an OAuth 2.0 grant type as the token endpoint knows it.
type GrantType string

// The grants in use (RFC 6749 sections 6, 4.3 and 4.4).
const (
	GrantTypeRefreshToken      GrantType = "refresh_token"
	GrantTypePassword          GrantType = "password"
	GrantTypeClientCredentials GrantType = "client_credentials"
)

// GrantType is the grant type of the next token request: what the credentials
// hold decides. When the refresh token is refused, a login follows where
// CanLogIn.
func (c Credentials) GrantType() GrantType {
	switch {
	case !c.RefreshToken.Empty():
		return GrantTypeRefreshToken
	case c.CanLogIn():
		return GrantTypePassword
	}
	return GrantTypeClientCredentials
}

// CanLogIn reports whether a lost refresh token can be replaced by a login.
func (c Credentials) CanLogIn() bool { return !c.Username.Empty() }
