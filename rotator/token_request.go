package rotator

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ask requests a token with the sets in their order, with the second one only if the
// first one fails. It returns the set that was used last, and its response. It leaves
// storeReserve, so that what the response brings can be stored.
func (a *attempt) ask(ctx context.Context) (CredentialSet, TokenResponse, *Error) {
	ctx, cancel := context.WithDeadline(ctx, a.until.Add(-storeReserve))
	defer cancel()
	a.failures = map[SetName]*Error{}
	var (
		set      CredentialSet
		response TokenResponse
		failure  *Error
	)
	for i, name := range a.d.ask {
		if i > 0 && !a.timeForRequest() {
			break
		}
		set = a.creds.Of(name)
		response, failure = a.requestUntilNew(ctx, set)
		if failure == nil {
			delete(a.failures, name)
			return set, response, nil
		}
		a.failures[name] = failure
		if failure.RetryAfter > 0 || !response.RefreshToken.Empty() {
			break // the server asks both sets to wait, or a refresh token must be saved first
		}
	}
	if failure != nil {
		a.hosts.note(a.c.Config.TokenURL, failure.Code)
	}
	return set, response, failure
}

// timeForRequest reports whether there is time for a token request and for storing
// its response.
func (a *attempt) timeForRequest() bool {
	return time.Until(a.until) >= requestReserve+storeReserve
}

// changed reports whether the response holds another refresh token than the set.
func (a *attempt) changed(set CredentialSet, response TokenResponse) bool {
	usesOne := !set.RefreshToken.Empty() || set.CanLogIn()
	return usesOne && !response.RefreshToken.Empty() && !response.RefreshToken.Equal(set.RefreshToken)
}

// request uses the best grant type that the set allows. If the refresh token is
// rejected and the set can log in, it logs in at once, because the rejected request
// may have ended the published token.
func (a *attempt) request(ctx context.Context, set CredentialSet) (TokenResponse, *Error) {
	grantType := set.GrantType()
	if grantType == GrantTypePassword {
		return a.logIn(ctx, set)
	}
	response, failure := a.send(ctx, set, grantType)
	if failure == nil || failure.Code != RefreshTokenRejected || !set.CanLogIn() {
		return response, failure
	}
	if !a.timeForRequest() {
		failure.NotBefore = a.began // the login is left to the next heartbeat
		return response, failure
	}
	loggedIn, loginFailure := a.logIn(ctx, set)
	if loginFailure != nil && failure.TokenEnded {
		loginFailure.TokenEnded = true
	}
	return loggedIn, loginFailure
}

// send makes one token request and notes its result in the state.
func (a *attempt) send(ctx context.Context, set CredentialSet, grantType GrantType) (TokenResponse, *Error) {
	a.grantType = grantType
	response, err := a.Endpoint.RequestToken(ctx, TokenRequest{
		TokenURL: a.c.Config.TokenURL, GrantType: grantType, Scope: a.c.Config.Scope,
		ClientID: set.ClientID, ClientSecret: set.ClientSecret,
		RefreshToken: set.RefreshToken, Username: set.Username, Password: set.Password,
		Once: a.creds.Two(),
	})
	a.throttled += response.Throttled
	a.durations = append(a.durations, response.Durations...)
	now := time.Now()
	part := a.next.Of(set.Name)
	if err == nil {
		part.GrantType = grantType
		return response, nil
	}
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		failure = &Error{Code: InternalError, Cause: err, Message: InternalError.Advice()}
	}
	if failure.Code == AnswerLost {
		part.AnswerLostAt = now
	}
	// A server that detects the reuse of a refresh token ends the access token too. The
	// refresh token that was sent is a used one if its successor was lost.
	reused := failure.Code == RefreshTokenRejected && slices.Contains(part.Replaced, set.RefreshToken.Fingerprint())
	if (failure.TokenEnded || reused) && set.Name == a.next.Published.Set {
		a.next.Published = a.next.Published.uncertainAt(now)
	}
	return response, failure
}
