package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// seen has everything that a probe found out.
type seen struct {
	sets []*observed
	// primaryLives says that the primary's token lives on after the alternate's
	// request. alternateLives says the reverse.
	primaryLives, alternateLives known
}

func (s seen) failed() bool {
	for _, set := range s.sets {
		if set.failure != nil {
			return true
		}
	}
	return false
}

// watch makes the requests: two for each set, and one more for the first, so
// that each set has made a new token while the other's is watched.
func (p *prober) watch(ctx context.Context, sets []rotator.CredentialSet) seen {
	var all seen
	for _, set := range sets {
		all.sets = append(all.sets, &observed{credentials: set})
	}
	first := all.sets[0]
	p.two(ctx, first)
	if len(all.sets) < 2 {
		return all
	}
	second := all.sets[1]
	before := p.alive.is(ctx, first.credentials, first.token)
	p.two(ctx, second)
	if before == yes && second.newToken == yes {
		all.primaryLives = p.alive.stays(ctx, first.credentials, first.token)
	}
	if first.failure != nil || p.alive.is(ctx, second.credentials, second.token) != yes {
		return all
	}
	old := first.token
	answer, err := p.request(ctx, first, first.further())
	// If the same token was returned, no new one was made, and nothing is known.
	if err == nil && answer.AccessToken.Reveal() != old.Reveal() {
		all.alternateLives = p.alive.stays(ctx, second.credentials, second.token)
	}
	return all
}

// two are a set's first two requests.
func (p *prober) two(ctx context.Context, s *observed) {
	p.first(ctx, s)
	if s.failure == nil {
		p.again(ctx, s)
	}
}

// first is the token request that the function would make.
func (p *prober) first(ctx context.Context, s *observed) {
	grant := rotator.GrantTypeClientCredentials
	switch {
	case !s.credentials.RefreshToken.Empty():
		grant = rotator.GrantTypeRefreshToken
	case !s.credentials.Username.Empty():
		grant = rotator.GrantTypePassword
	}
	answer, err := p.request(ctx, s, grant)
	if rotator.CodeOf(err) == rotator.RefreshTokenRejected && !s.credentials.Username.Empty() {
		grant = rotator.GrantTypePassword
		answer, err = p.request(ctx, s, grant)
	}
	if err != nil {
		s.failure = err
		return
	}
	s.grant, s.token = grant, answer.AccessToken
	// A login may return a token that was issued before, with the rest of its life.
	// The same is assumed of a refresh until it has returned a new token.
	s.lifetime, s.atLeast = answer.ExpiresIn, true
	s.jwt = isJWT(answer.AccessToken)
	s.hasRefreshToken = !answer.RefreshToken.Empty() || !s.credentials.RefreshToken.Empty()
	s.refreshTokenLife = jwtLife(s.credentials.RefreshToken)
}

// further is the grant of a further request.
func (s *observed) further() rotator.GrantType {
	if !s.credentials.RefreshToken.Empty() {
		return rotator.GrantTypeRefreshToken
	}
	return s.grant
}

// again makes a second request, and finds out what it did to the first token.
func (p *prober) again(ctx context.Context, s *observed) {
	old := s.token
	before := p.alive.is(ctx, s.credentials, old)
	answer, err := p.request(ctx, s, s.further())
	if err != nil {
		s.failure = err
		return
	}
	s.newToken = knownIf(answer.AccessToken.Reveal() != old.Reveal())
	if s.newToken == no {
		s.why = "the same token was returned"
		s.lifetime = max(s.lifetime, answer.ExpiresIn)
		return
	}
	s.token, s.lifetime, s.atLeast = answer.AccessToken, answer.ExpiresIn, false
	switch before {
	case unknown:
		s.why = p.alive.why
	case no:
		s.why = "the first token was not accepted before either: " + p.alive.how
	case yes:
		s.oldTokenLives = p.alive.stays(ctx, s.credentials, old)
		s.why = p.alive.how
	}
}

func isJWT(token secret.Value) bool { return jwtPayload(token) != nil }

// jwtLife returns the remaining life of a JWT, or 0 if it is not known.
func jwtLife(token secret.Value) time.Duration {
	var fields struct{ Exp int64 }
	if json.Unmarshal(jwtPayload(token), &fields) != nil || fields.Exp == 0 {
		return 0
	}
	return time.Until(time.Unix(fields.Exp, 0))
}

func jwtPayload(token secret.Value) []byte {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || !json.Valid(payload) {
		return nil
	}
	return payload
}

// reason is why a set failed, in words that hold nothing secret.
func reason(err error) string {
	if e, ok := errors.AsType[*rotator.Error](err); ok {
		return string(e.Code) + ": " + e.Message
	}
	return err.Error()
}
