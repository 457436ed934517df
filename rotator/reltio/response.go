package reltio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// meaning returns what a whole response of the token endpoint means. The
// responses are those of the Spring Security OAuth library that Reltio's server
// appears to use, of RFC 6749 section 5, and of gateways in front of a server.
//
// The server is known to repeat refresh tokens in error_description and in the
// WWW-Authenticate header. So a message contains no text of a response except error
// codes that are known here.
func meaning(grantType rotator.GrantType, host string, got response) (rotator.TokenResponse, *rotator.Error) {
	answered := fmt.Sprintf("%s answered %d", host, got.status)
	switch status := got.status; {
	case status == http.StatusRequestTimeout, status >= 500 && status <= 599, status == http.StatusTooManyRequests:
		return rotator.TokenResponse{}, noDecision(grantType, answered, got)
	case status >= 400 && status <= 499:
		return rotator.TokenResponse{}, rejection(grantType, answered, got)
	case status >= 200 && status <= 299:
		return success(grantType, answered, got.body)
	case status >= 300 && status <= 399:
		return rotator.TokenResponse{}, &rotator.Error{
			Code:    rotator.BadResponse,
			Message: answered + ", a redirect, which the rotator never follows; set token_url to the token endpoint itself",
		}
	}
	return rotator.TokenResponse{}, &rotator.Error{
		Code:    rotator.BadResponse,
		Message: answered + ", which is no response to a token request; check that token_url is the token endpoint",
	}
}

// noDecision returns what a 408, a 429 or a 5xx means, whatever its body is. Only a 429
// and a 503 with Retry-After come from a server that certainly did not execute the
// request. A gateway may send any of the others while the server behind it still
// executes the request.
func noDecision(grantType rotator.GrantType, answered string, got response) *rotator.Error {
	wait, asked := retryAfter(got.header.Get("Retry-After"), time.Now())
	switch {
	case got.status == http.StatusTooManyRequests:
		return &rotator.Error{
			Code: rotator.Throttled, RetryAfter: wait,
			Message: answered + " (too many requests); the rotator tries again later; " +
				"if it continues, find what else requests tokens, or lower TokenRequestsPerSecond",
		}
	case got.status == http.StatusServiceUnavailable && asked:
		return &rotator.Error{
			Code: rotator.ServerError, RetryAfter: wait,
			Message: answered + " (unavailable); the rotator tries again later; if it continues, check Reltio's status page",
		}
	}
	return answerLost(grantType, answered+", which does not say whether it executed the token request", nil)
}

// rejection returns what a 4xx other than 408 and 429 means. The OAuth error code comes
// first, because it is more exact than the status and the challenge.
func rejection(grantType rotator.GrantType, answered string, got response) *rotator.Error {
	code := oauthError(got.body)
	switch {
	case code == "invalid_grant" && grantType == rotator.GrantTypePassword:
		return &rotator.Error{
			Code: rotator.LoginRejected,
			Message: answered + " invalid_grant, the login was rejected; check that the account is not locked, " +
				"then write username and password to the credentials secret again; until then no login is sent, because accounts get locked",
		}
	case code == "invalid_grant" && grantType == rotator.GrantTypeRefreshToken:
		return &rotator.Error{
			Code: rotator.RefreshTokenRejected,
			Message: answered + " invalid_grant, the refresh token is not valid; log in to Reltio again " +
				"and write the new refresh token to the credentials secret",
		}
	case code == "invalid_token" && got.status == http.StatusUnauthorized && grantType == rotator.GrantTypeRefreshToken:
		// This is the answer to the first use of an expired refresh token. The server
		// also ends the access token, which was still valid.
		return &rotator.Error{
			Code: rotator.RefreshTokenRejected, TokenEnded: true,
			Message: answered + " invalid_token, the refresh token has expired; log in to Reltio again " +
				"and write the new refresh token to the credentials secret",
		}
	case code == "invalid_client", code == "unauthorized_client":
		return &rotator.Error{
			Code: rotator.ClientRejected,
			Message: fmt.Sprintf("%s %s, the client was rejected; correct client_id and client_secret in the credentials secret, "+
				"or have the grant type %s allowed for the client", answered, code, grantType),
		}
	case code == "" && got.status == http.StatusUnauthorized && challengesBasic(got.header):
		return &rotator.Error{
			Code:    rotator.ClientRejected,
			Message: answered + ", the client was rejected; correct client_id and client_secret in the credentials secret",
		}
	case code == "invalid_scope":
		return &rotator.Error{
			Code:    rotator.RequestRejected,
			Message: answered + " invalid_scope; correct the connection's scope, or leave it out",
		}
	}
	return &rotator.Error{
		Code: rotator.RequestRejected,
		Message: answered + ", the request was rejected; check token_url and the connection's scope, " +
			"and whether a firewall lets the function's address through",
	}
}

// success reads a 2xx (RFC 6749 section 5.1). It is strict about the access token,
// because jobs put it into a header unchanged. It also accepts some forms that Reltio's
// pages or similar servers show and the standard does not have: expires_in as a string,
// scope as a list, a token type in upper case, and a byte order mark.
//
// The server has executed the request. So a changed refresh token is returned even
// if the rest of the response cannot be used.
func success(grantType rotator.GrantType, answered string, body []byte) (rotator.TokenResponse, *rotator.Error) {
	var result rotator.TokenResponse
	bad := func(with string) (rotator.TokenResponse, *rotator.Error) {
		return result, &rotator.Error{
			Code: rotator.BadResponse, TokenEnded: mayEndToken(grantType),
			Message: answered + " with " + with + "; check that token_url is the token endpoint; if it is, ask Reltio's support",
		}
	}
	fields, ok := object(body)
	switch {
	case len(body) > maxResponse:
		return bad("more than 64 KiB, which no token response has")
	case !ok:
		return bad("something other than a JSON object")
	}
	// A value that cannot be a refresh token counts as none. The old one stays valid.
	refreshToken, _ := visibleString(fields["refresh_token"])
	result.RefreshToken = secret.New(refreshToken)

	accessToken, usable := visibleString(fields["access_token"])
	tokenType, isBearer := bearer(fields["token_type"])
	switch {
	case isPresent(fields["error"]):
		return bad("an error in the body")
	case !isPresent(fields["access_token"]) && isPresent(fields["state_token"]) && grantType == rotator.GrantTypePassword:
		return result, &rotator.Error{
			Code: rotator.LoginRejected,
			Message: answered + " with an MFA challenge, which the function cannot answer; use a user without MFA, " +
				"or log in by hand and write the refresh token to the credentials secret",
		}
	case !isPresent(fields["access_token"]) && isPresent(fields["state_token"]):
		return bad("an MFA challenge")
	case !usable:
		return bad("no usable access token")
	case !isBearer:
		return bad("a token that is not a bearer token")
	}
	result.AccessToken = secret.New(accessToken)
	result.TokenType = tokenType
	result.Scope = scope(fields["scope"])
	result.ExpiresIn = expiresIn(fields["expires_in"])
	return result, nil
}

// mayEndToken reports whether a request with this grant type can end the published
// token. A refresh or a login can, and client_credentials cannot.
func mayEndToken(grantType rotator.GrantType) bool {
	return grantType != rotator.GrantTypeClientCredentials
}

// oauthError returns the body's error code if it is one of RFC 6749 section 5.2 or RFC
// 6750 section 3.1, and otherwise "". Frameworks put other texts into the field.
func oauthError(body []byte) string {
	known := []string{
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
		"invalid_token", "insufficient_scope",
	}
	fields, _ := object(body)
	code, _ := jsonString(fields["error"])
	if !slices.Contains(known, code) {
		return ""
	}
	return code
}

// object reads a JSON object, with or without a byte order mark before it. The names of
// fields are case-sensitive. With a struct, encoding/json would also accept
// "ACCESS_TOKEN" as access_token.
func object(body []byte) (fields map[string]json.RawMessage, ok bool) {
	err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), &fields)
	return fields, err == nil
}

// challengesBasic reports whether the server asked for Basic authentication (RFC 9110
// section 11.6.1). It does so if it rejected the client's.
func challengesBasic(header http.Header) bool {
	for _, value := range header.Values("WWW-Authenticate") {
		for challenge := range strings.SplitSeq(value, ",") {
			scheme, _, _ := strings.Cut(strings.TrimSpace(challenge), " ")
			if strings.EqualFold(scheme, "Basic") {
				return true
			}
		}
	}
	return false
}
