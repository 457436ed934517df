package rotator

import (
	"context"
	"errors"
	"time"
)

// ask asks for a token. It leaves the time that storing the answer needs:
// nothing is spent that could not be kept.
func (a *attempt) ask(ctx context.Context) (TokenResponse, error) {
	ctx, cancel := context.WithDeadline(ctx, a.until.Add(-storeReserve))
	defer cancel()
	answer, err := a.request(ctx)
	for range sameTokenTries {
		// A request spends the refresh token when the server changes it: the new
		// one is to be saved before anything else is asked for.
		if err != nil || a.c.reason != ReasonExpiry || !a.published(answer) || a.rotated(answer) || !sleep(ctx, sameTokenPause) {
			break
		}
		answer, err = a.request(ctx)
	}
	return answer, err
}

// rotated reports whether the answer brought another refresh token than was sent.
func (a *attempt) rotated(answer TokenResponse) bool {
	return a.next.GrantType != GrantTypeClientCredentials && !answer.RefreshToken.Empty() && !answer.RefreshToken.Equal(a.creds.RefreshToken)
}

// request uses the best grant that the credentials allow. When the refresh
// token is refused it logs in at once, where it can: the refused request may
// have ended the access token that is out.
func (a *attempt) request(ctx context.Context) (TokenResponse, error) {
	grant := a.creds.GrantType()
	if grant == GrantTypePassword {
		return a.logIn(ctx)
	}
	answer, err := a.send(ctx, grant)
	if CodeOf(err) == RefreshTokenRejected && a.creds.CanLogIn() {
		return a.logIn(ctx)
	}
	return answer, err
}

// send makes one token request and counts it.
func (a *attempt) send(ctx context.Context, grant GrantType) (TokenResponse, error) {
	answer, err := a.Endpoint.RequestToken(ctx, TokenRequest{
		TokenURL: a.c.Config.TokenURL, GrantType: grant, Scope: a.c.Config.Scope,
		ClientID: a.creds.ClientID, ClientSecret: a.creds.ClientSecret,
		RefreshToken: a.creds.RefreshToken, Username: a.creds.Username, Password: a.creds.Password,
	})
	a.throttled += answer.Throttled
	if failure, ok := errors.AsType[*Error](err); ok && failure.TokenEnded {
		a.next = a.next.endedBy(time.Now())
	}
	if err == nil {
		a.answered = append(a.answered, time.Since(answer.SentAt))
		a.next.GrantType = grant
	}
	return answer, err
}
