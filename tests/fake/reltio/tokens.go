package reltio

import (
	"slices"
	"time"
)

type accessToken struct {
	value     string
	owner     owner
	scope     string
	issued    time.Time
	expires   time.Time
	ended     time.Time     // zero unless something other than time ended it
	refresh   *refreshToken // nil for client_credentials
	stateless bool
}

type refreshToken struct {
	value   string
	owner   owner
	scope   string
	expires time.Time
	family  int          // counts logins
	access  *accessToken // what its next use ends
}

// owner is what tokens belong to: a user of a client, or the client itself
// where the user is empty. Tokens of different owners never affect each other.
type owner struct{ client, user string }

// Java's Date.before: at the very instant of its expiry a token still lives.
func (t *accessToken) expired(now time.Time) bool  { return now.After(t.expires) }
func (t *refreshToken) expired(now time.Time) bool { return now.After(t.expires) }

func (t *accessToken) alive(now time.Time) bool {
	return t != nil && t.ended.IsZero() && !t.expired(now)
}

// store is Spring's token store, with the rules of its DefaultTokenServices. The
// Server's mutex protects it.
type store struct {
	access   map[string]*accessToken  // every one that was ever issued
	refresh  map[string]*refreshToken // known, expired or not
	spent    map[string]*refreshToken // rotated away
	current  map[owner]*accessToken   // what a login returns again
	order    []*refreshToken          // as issued
	families int
	values   int // numbers the tokens of the format Counted
}

func newStore() *store {
	return &store{
		access:  make(map[string]*accessToken),
		refresh: make(map[string]*refreshToken),
		spent:   make(map[string]*refreshToken),
		current: make(map[owner]*accessToken),
	}
}

// login returns the live token of an owner, or a new one. The refresh token lives
// longer than the access token. It stays in the response even after it has expired.
func (st *store) login(of owner, scope string, withRefresh bool, o Options, now time.Time) *accessToken {
	var refresh *refreshToken
	if live := st.current[of]; live != nil && (withRefresh || !o.MultiToken) {
		if !live.expired(now) {
			return live
		}
		refresh = live.refresh
		st.end(live, now)
	}
	if withRefresh && (refresh == nil || refresh.expired(now)) {
		if refresh != nil {
			delete(st.refresh, refresh.value)
		}
		st.families++
		refresh = st.newRefresh(of, scope, st.families, o, now)
	}
	return st.issue(of, scope, refresh, o, now)
}

// rejection is why a refresh token was refused.
type rejection int

const (
	accepted rejection = iota
	unknownToken
	expiredToken
)

// renew is the refresh_token grant.
func (st *store) renew(client, value, scope string, o Options, now time.Time) (*accessToken, rejection) {
	refresh, ok := st.refresh[value]
	if !ok || refresh.owner.client != client {
		if old, replayed := st.spent[value]; replayed && o.RevokeFamilyOnReplay {
			st.revoke(old.family, now)
		}
		return nil, unknownToken
	}
	live := refresh.access
	if refresh.expired(now) {
		st.end(live, now)
		delete(st.refresh, value)
		return nil, expiredToken
	}
	keep := o.SameTokenUntilExpired && live.alive(now)
	if !keep {
		st.end(live, now)
	}
	if o.RotateRefreshToken {
		delete(st.refresh, value)
		st.spent[value] = refresh
		refresh = st.newRefresh(refresh.owner, refresh.scope, refresh.family, o, now)
	}
	if keep {
		live.refresh, refresh.access = refresh, live
		return live, accepted
	}
	if scope == "" {
		scope = refresh.scope
	}
	return st.issue(refresh.owner, scope, refresh, o, now), accepted
}

func (st *store) issue(of owner, scope string, refresh *refreshToken, o Options, now time.Time) *accessToken {
	if o.OneToken {
		for _, other := range st.access {
			st.end(other, now)
		}
	}
	lifetime, ok := o.Lifetimes[of.user]
	if !ok {
		lifetime = o.Lifetime
	}
	token := &accessToken{
		owner: of, scope: scope, refresh: refresh,
		issued: now, expires: now.Add(lifetime), stateless: o.JWT,
	}
	token.value = st.newValue(o.TokenFormat)
	if o.JWT {
		token.value = newJWT(of.user, token.expires)
	}
	st.access[token.value] = token
	st.current[of] = token
	if refresh != nil {
		refresh.access = token
		st.refresh[refresh.value] = refresh
	}
	return token
}

func (st *store) newRefresh(of owner, scope string, family int, o Options, now time.Time) *refreshToken {
	token := &refreshToken{
		value: st.newValue(o.TokenFormat), owner: of, scope: scope,
		family: family, expires: now.Add(o.RefreshLifetime),
	}
	st.add(token)
	return token
}

func (st *store) add(token *refreshToken) {
	st.refresh[token.value] = token
	st.order = append(st.order, token)
}

// end ends an access token. A JWT lives on.
func (st *store) end(token *accessToken, now time.Time) {
	if token == nil {
		return
	}
	if st.current[token.owner] == token {
		delete(st.current, token.owner)
	}
	if !token.stateless && token.alive(now) {
		token.ended = now
	}
}

func (st *store) revoke(family int, now time.Time) {
	for value, refresh := range st.refresh {
		if refresh.family == family {
			st.end(refresh.access, now)
			delete(st.refresh, value)
		}
	}
}

// endAll ends every access token of an owner, stateless ones too; of all owners
// where there is none.
func (st *store) endAll(of *owner, now time.Time) {
	for _, token := range st.access {
		if of != nil && token.owner != *of {
			continue
		}
		delete(st.current, token.owner)
		if token.alive(now) {
			token.ended = now
		}
	}
}

// alive are an owner's refresh tokens that would be accepted, oldest first.
func (st *store) alive(of owner, now time.Time) []string {
	st.order = slices.DeleteFunc(st.order, func(t *refreshToken) bool { return st.refresh[t.value] != t })
	var values []string
	for _, token := range st.order {
		if token.owner == of && !token.expired(now) {
			values = append(values, token.value)
		}
	}
	return values
}
