package reltio

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// maxLifetime is the longest believable expires_in, in seconds: about 30 years.
const maxLifetime = 1e9

// parseGrant reads a token reply (RFC 6749 section 5.1). It is strict about
// the access token, which jobs put into a header as it is, and lenient where
// Reltio's pages differ from its server: expires_in may be a string, scope a
// list, and the token type has either case.
//
// Keys match exactly. A struct would not do: encoding/json takes "ACCESS_TOKEN"
// for access_token too.
func parseGrant(grant rotator.GrantType, said string, body []byte) (rotator.TokenResponse, *rotator.Error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return rotator.TokenResponse{}, inDoubt(grant, badGrant(said, "with something other than a JSON object"))
	}
	if isPresent(fields["error"]) {
		return rotator.TokenResponse{}, badGrant(said, "with an error inside")
	}
	if !isPresent(fields["access_token"]) && isPresent(fields["state_token"]) {
		return rotator.TokenResponse{}, mfaChallenge(grant, said)
	}
	accessToken, ok := visibleString(fields["access_token"])
	if !ok {
		return rotator.TokenResponse{}, inDoubt(grant, badGrant(said, "without an access token that can be used"))
	}
	tokenType, ok := bearer(fields["token_type"])
	if !ok {
		return rotator.TokenResponse{}, inDoubt(grant, badGrant(said, "with a token that is not a bearer token"))
	}
	// A refresh token that cannot be one is as good as none: the old one stays.
	refreshToken, _ := visibleString(fields["refresh_token"])
	return rotator.TokenResponse{
		AccessToken:  secret.New(accessToken),
		TokenType:    tokenType,
		Scope:        scope(fields["scope"]),
		ExpiresIn:    expiresIn(fields["expires_in"]),
		RefreshToken: secret.New(refreshToken),
	}, nil
}

func badGrant(said, with string) *rotator.Error {
	return &rotator.Error{
		Code:    rotator.BadResponse,
		Message: said + " " + with + ": check that token_url is the token endpoint; where it is, ask Reltio's support.",
	}
}

// inDoubt marks the failure of a refresh that the server calls a success: it may
// have been executed, and then the access token in use has ended.
func inDoubt(grant rotator.GrantType, failure *rotator.Error) *rotator.Error {
	failure.TokenEnded = grant == rotator.GrantTypeRefreshToken
	return failure
}

// mfaChallenge is the failure of a login that wants a second factor: Reltio
// answers 200 with a state_token in the place of an access token.
func mfaChallenge(grant rotator.GrantType, said string) *rotator.Error {
	if grant != rotator.GrantTypePassword {
		return badGrant(said, "with an MFA challenge")
	}
	return &rotator.Error{
		Code: rotator.LoginRejected,
		Message: said + " with an MFA challenge, which nobody is there to answer: use a user without MFA, " +
			"or write a refresh token from a login by hand into the credentials secret.",
	}
}

// isPresent reports whether a field has a value: neither absent nor null nor "".
func isPresent(raw json.RawMessage) bool {
	return len(raw) > 0 && string(raw) != "null" && string(raw) != `""`
}

// jsonString returns a field that is a JSON string.
func jsonString(raw json.RawMessage) (value string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	err := json.Unmarshal(raw, &value)
	return value, err == nil
}

// visibleString returns a field that may be a token: a string of one or more
// of the characters that RFC 6749 appendix A.12 and A.17 allow.
func visibleString(raw json.RawMessage) (value string, ok bool) {
	value, ok = jsonString(raw)
	if !ok || value == "" {
		return "", false
	}
	for i := range len(value) {
		if value[i] < 0x20 || value[i] > 0x7E {
			return "", false
		}
	}
	return value, true
}

// bearer returns the token type as the server gave it, "bearer" when it gave
// none, and false for any other type, since jobs could not use such a token.
func bearer(raw json.RawMessage) (tokenType string, ok bool) {
	if !isPresent(raw) {
		return "bearer", true
	}
	tokenType, ok = jsonString(raw)
	return tokenType, ok && strings.EqualFold(tokenType, "bearer")
}

// scope returns the scopes separated by spaces, "" when they cannot be read:
// they are shown to people, and nothing depends on them.
func scope(raw json.RawMessage) string {
	if value, ok := jsonString(raw); ok {
		return value
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return ""
	}
	return strings.Join(list, " ")
}

// expiresIn returns the lifetime in whole seconds, rounded down, and zero for
// one that is absent, no number, negative or beyond belief.
func expiresIn(raw json.RawMessage) time.Duration {
	var number json.Number // takes 3599 and "3599"
	if json.Unmarshal(raw, &number) != nil {
		return 0
	}
	seconds, err := strconv.ParseFloat(number.String(), 64)
	if err != nil || seconds < 0 || seconds > maxLifetime {
		return 0
	}
	return time.Duration(math.Trunc(seconds)) * time.Second
}
