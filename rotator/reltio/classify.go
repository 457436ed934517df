package reltio

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
)

// judge says what a whole reply means. The answers it knows are those of the
// Spring Security OAuth library that Reltio's server appears to use, and RFC
// 6749 section 5. Of a reply's text only error codes that are known here reach
// a message: the server is known to echo refresh tokens in error_description
// and in the WWW-Authenticate header.
func judge(grant rotator.GrantType, host string, got reply) (rotator.TokenResponse, *rotator.Error) {
	said := fmt.Sprintf("%s answered %d", host, got.status)
	switch {
	case len(got.body) > maxReply:
		failure := &rotator.Error{
			Code:    rotator.BadResponse,
			Message: said + " with more than 64 KiB, which no token reply has: check that token_url is the token endpoint.",
		}
		if got.status >= 200 && got.status <= 299 {
			failure = inDoubt(grant, failure)
		}
		return rotator.TokenResponse{}, failure
	case got.status >= 500 && got.status <= 599:
		return rotator.TokenResponse{}, serverError(said, got)
	case got.status == http.StatusTooManyRequests:
		return rotator.TokenResponse{}, &rotator.Error{
			Code: rotator.Throttled,
			Message: said + " (too many requests): it is asked again later; " +
				"where this stays, find what else asks for tokens or lower TokenRequestsPerSecond.",
			RetryAfter: retryAfter(got.header.Get("Retry-After"), time.Now()),
		}
	case got.status >= 400 && got.status <= 499:
		return rotator.TokenResponse{}, rejection(grant, said, got)
	case got.status >= 300 && got.status <= 399:
		return rotator.TokenResponse{}, &rotator.Error{
			Code:    rotator.BadResponse,
			Message: said + ", a redirect, which is never followed: set token_url to the token endpoint itself.",
		}
	case got.status >= 200 && got.status <= 299:
		return parseGrant(grant, said, got.body)
	default:
		return rotator.TokenResponse{}, &rotator.Error{
			Code:    rotator.BadResponse,
			Message: said + ", which is no answer to a token request: check that token_url is the token endpoint.",
		}
	}
}

func serverError(said string, got reply) *rotator.Error {
	failure := &rotator.Error{
		Code:    rotator.ServerError,
		Message: said + " (its own error): every heartbeat tries again; where this stays, check Reltio's status and ask its support.",
	}
	if got.status == http.StatusServiceUnavailable {
		failure.RetryAfter = retryAfter(got.header.Get("Retry-After"), time.Now())
	}
	return failure
}

// rejection says what a 4xx other than 429 means. The OAuth error code goes
// before the challenge header, since it is the more exact of the two.
func rejection(grant rotator.GrantType, said string, got reply) *rotator.Error {
	code := oauthError(got.body)
	switch {
	case code == "invalid_grant" && grant == rotator.GrantTypePassword:
		return &rotator.Error{
			Code: rotator.LoginRejected,
			Message: said + " invalid_grant, the login was refused: check that the account is not locked, " +
				"then write username and password into the credentials secret anew; until then no login is tried, since accounts get locked.",
		}
	case code == "invalid_grant" && got.status == http.StatusBadRequest && grant == rotator.GrantTypeRefreshToken:
		return &rotator.Error{
			Code: rotator.RefreshTokenRejected,
			Message: said + " invalid_grant, the refresh token is not valid: log in to Reltio again " +
				"and write the new refresh token into the credentials secret.",
		}
	case code == "invalid_token" && got.status == http.StatusUnauthorized && grant == rotator.GrantTypeRefreshToken:
		// The server's answer to the first use of an expired refresh token,
		// with which it also ends the access token that was still alive.
		return &rotator.Error{
			Code: rotator.RefreshTokenRejected,
			Message: said + " invalid_token, the refresh token has expired: log in to Reltio again " +
				"and write the new refresh token into the credentials secret.",
			TokenEnded: true,
		}
	case code == "invalid_client", code == "unauthorized_client":
		return &rotator.Error{
			Code: rotator.ClientRejected,
			Message: fmt.Sprintf("%s %s, the client was refused: correct client_id and client_secret in the credentials secret, "+
				"or have the grant %s allowed for the client.", said, code, grant),
		}
	case got.status == http.StatusUnauthorized && challengesBasic(got.header):
		return &rotator.Error{
			Code:    rotator.ClientRejected,
			Message: said + ", the client was refused: correct client_id and client_secret in the credentials secret.",
		}
	case code == "invalid_scope":
		return &rotator.Error{
			Code:    rotator.RequestRejected,
			Message: said + " invalid_scope: correct the connection's scope, or leave it out.",
		}
	default:
		return &rotator.Error{
			Code: rotator.RequestRejected,
			Message: said + ", the request was refused: check token_url and the connection's scope, " +
				"and whether a firewall lets the function's address through.",
		}
	}
}

// oauthError returns the error code of RFC 6749 section 5.2, or "" when the
// body has none.
func oauthError(body []byte) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return ""
	}
	code, _ := jsonString(fields["error"])
	return code
}

// challengesBasic reports whether the server asked for Basic authentication
// (RFC 9110 section 11.6.1), as it does when it did not accept the client's.
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
