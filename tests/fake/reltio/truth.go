package reltio

import (
	"net/http"
	"slices"
	"time"
)

// The following methods are for tests that check the server's own state, whatever
// the rotator received.

// AccessToken is what the server knows about an access token that it issued.
type AccessToken struct {
	Client, User string
	IssuedAt     time.Time
	// ExpiresAt is on the clock of the caller: the server's own may be ahead.
	ExpiresAt time.Time
	// EndedAt is when something other than time ended it, such as a refresh;
	// zero when nothing did.
	EndedAt time.Time
}

// AccessToken returns what is known about an access token; false for a value
// that the server never issued.
func (s *Server) AccessToken(value string) (AccessToken, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := s.store.access[value]
	if token == nil {
		return AccessToken{}, false
	}
	known := AccessToken{
		Client: token.owner.client, User: token.owner.user,
		IssuedAt: token.issued.Add(-s.ahead), ExpiresAt: token.expires.Add(-s.ahead),
	}
	if !token.ended.IsZero() {
		known.EndedAt = token.ended.Add(-s.ahead)
	}
	return known, true
}

// Alive reports whether the protected resource would accept the access token.
func (s *Server) Alive(accessToken string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.access[accessToken].alive(s.now())
}

// Ended counts the access tokens that were ended, by something other than time,
// before an instant.
func (s *Server) Ended(before time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, token := range s.store.access {
		if !token.ended.IsZero() && token.ended.Before(before.Add(s.ahead)) {
			count++
		}
	}
	return count
}

// RefreshTokens returns the refresh tokens of a user that would be accepted from
// the client of the options, oldest first.
func (s *Server) RefreshTokens(user string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.alive(owner{s.options.ClientID, user}, s.now())
}

// RefreshTokenAlive reports whether a refresh token would be accepted.
func (s *Server) RefreshTokenAlive(value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := s.store.refresh[value]
	return token != nil && !token.expired(s.now())
}

// WrongPasswords counts the logins of a user that were refused for the password:
// what an account's lock-out counts.
func (s *Server) WrongPasswords(user string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrongPasswords[user]
}

// AnswersLost counts the requests that issued tokens which no client received.
func (s *Server) AnswersLost() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answersLost
}

// Requests returns the token requests seen so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := make([]Request, len(s.requests))
	for i, request := range s.requests {
		seen[i] = *request
	}
	return seen
}

// The following methods are for what operators and other systems do. They send no
// request.

// Login logs the user of the options in: it seeds the first tokens, and is what
// another login of the same user does. While an access token lives it returns
// that one, and the refresh token with it, even a dead one.
func (s *Server) Login() (access, refresh string) { return s.LoginAs(s.user()) }

// LoginAs is Login for another user of the same client.
func (s *Server) LoginAs(user string) (access, refresh string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.options
	token := s.store.login(owner{o.ClientID, user}, o.Scope, true, o, s.now())
	return token.value, token.refresh.value
}

func (s *Server) user() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.Username
}

// Revoke ends a user's tokens, as an operator does before a new login.
func (s *Server) Revoke(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := owner{s.options.ClientID, user}
	s.store.end(s.store.current[of], s.now())
	for _, value := range s.store.alive(of, s.now()) {
		s.store.end(s.store.refresh[value].access, s.now())
		delete(s.store.refresh, value)
	}
}

// AddRefreshToken makes value a refresh token of the user, as if a login had just
// returned it, but without an access token.
func (s *Server) AddRefreshToken(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.options
	s.store.families++
	s.store.add(&refreshToken{
		value: value, owner: owner{o.ClientID, o.Username}, scope: o.Scope,
		family: s.store.families, expires: s.now().Add(o.RefreshLifetime),
	})
}

// EndAccessTokens ends every live access token early. Refresh tokens stay.
func (s *Server) EndAccessTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.endAll(nil, s.now())
}

// EndAccessTokensOf ends a user's live access tokens early, as a login from
// elsewhere may.
func (s *Server) EndAccessTokensOf(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.endAll(&owner{s.options.ClientID, user}, s.now())
}

// ExpireRefreshTokens brings day 28 for every refresh token.
func (s *Server) ExpireRefreshTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	past := s.now().Add(-time.Nanosecond)
	for _, token := range s.store.refresh {
		if token.expires.After(past) {
			token.expires = past
		}
	}
}

// SetClock moves the server's clock forward or back.
func (s *Server) SetClock(ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = ahead
}

// now is the server's clock. The caller holds the lock.
func (s *Server) now() time.Time { return time.Now().Add(s.ahead) }

// SetOptions changes modes while the server runs. Tokens that were issued keep
// their lifetimes.
func (s *Server) SetOptions(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.options
	o.Grants = slices.Clone(o.Grants)
	change(&o)
	s.options = o.withDefaults()
}

// serveWhoami is the protected resource.
func (s *Server) serveWhoami(w http.ResponseWriter, r *http.Request) {
	if token, ok := bearer(r); ok && s.Alive(token) {
		jsonReply(http.StatusOK, map[string]string{"status": "welcome"}).write(w, 0)
		return
	}
	oauthError(http.StatusUnauthorized, "invalid_token", "Invalid access token", false).write(w, 0)
}
