package rotator

// GrantType names an OAuth 2.0 grant type as the token endpoint knows it.
type GrantType string

// The grant types in use (RFC 6749 sections 6, 4.3 and 4.4).
const (
	GrantTypeRefreshToken      GrantType = "refresh_token"
	GrantTypePassword          GrantType = "password"
	GrantTypeClientCredentials GrantType = "client_credentials"
)

// GrantType returns the grant type that the next token request of the set uses.
func (s CredentialSet) GrantType() GrantType {
	switch {
	case !s.RefreshToken.Empty():
		return GrantTypeRefreshToken
	case s.CanLogIn():
		return GrantTypePassword
	}
	return GrantTypeClientCredentials
}
