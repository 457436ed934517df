package reltio

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

type accessToken struct {
	value     string
	principal string
	scope     string
	expires   time.Time
	refresh   *refreshToken // nil for client_credentials
	stateless bool
}

type refreshToken struct {
	value   string
	scope   string
	user    string
	expires time.Time
	family  int          // counts logins
	access  *accessToken // what its next use ends
}

// Java's Date.before: at the very instant of its expiry a token still lives.
func (t *accessToken) expired(now time.Time) bool  { return now.After(t.expires) }
func (t *refreshToken) expired(now time.Time) bool { return now.After(t.expires) }

// store is what Spring calls the token store, with the rules of its
// DefaultTokenServices. The Server's mutex guards it.
type store struct {
	access   map[string]*accessToken  // alive, but for expiry
	refresh  map[string]*refreshToken // known, expired or not
	spent    map[string]*refreshToken // rotated away
	current  map[string]*accessToken  // by principal: what a login gives again
	families int
}

func newStore() *store {
	return &store{
		access:  make(map[string]*accessToken),
		refresh: make(map[string]*refreshToken),
		spent:   make(map[string]*refreshToken),
		current: make(map[string]*accessToken),
	}
}

func (st *store) alive(value string, now time.Time) bool {
	token, ok := st.access[value]
	return ok && !token.expired(now)
}

// login gives the token of a principal that is out, or a new one. The refresh
// token outlives the access token, and stays in a reply even when it is dead.
func (st *store) login(principal, scope string, withRefresh bool, o Options, now time.Time) *accessToken {
	var refresh *refreshToken
	if out := st.current[principal]; out != nil && (withRefresh || !o.MultiToken) {
		if !out.expired(now) {
			return out
		}
		refresh = out.refresh
		st.end(out)
	}
	if withRefresh && (refresh == nil || refresh.expired(now)) {
		if refresh != nil {
			delete(st.refresh, refresh.value)
		}
		st.families++
		refresh = st.newRefresh(principal, scope, st.families, o, now)
	}
	return st.issue(principal, scope, refresh, o, now)
}

// rejection is why a refresh token was refused.
type rejection int

const (
	accepted rejection = iota
	unknownToken
	expiredToken
)

// renew is the refresh_token grant.
func (st *store) renew(value, scope string, o Options, now time.Time) (*accessToken, rejection) {
	refresh, ok := st.refresh[value]
	if !ok {
		if old, replayed := st.spent[value]; replayed && o.RevokeFamilyOnReplay {
			st.revoke(old.family)
		}
		return nil, unknownToken
	}
	out := refresh.access
	if refresh.expired(now) {
		st.end(out)
		delete(st.refresh, value)
		return nil, expiredToken
	}
	keep := o.SameTokenUntilExpired && out != nil && st.alive(out.value, now)
	if !keep {
		st.end(out)
	}
	if o.RotateRefreshToken {
		delete(st.refresh, value)
		st.spent[value] = refresh
		refresh = st.newRefresh(refresh.user, refresh.scope, refresh.family, o, now)
	}
	if keep {
		out.refresh, refresh.access = refresh, out
		return out, accepted
	}
	if scope == "" {
		scope = refresh.scope
	}
	return st.issue(refresh.user, scope, refresh, o, now), accepted
}

func (st *store) issue(principal, scope string, refresh *refreshToken, o Options, now time.Time) *accessToken {
	st.prune(now)
	token := &accessToken{
		principal: principal, scope: scope, refresh: refresh,
		expires: now.Add(o.Lifetime), stateless: o.JWT,
	}
	token.value = newValue(o.TokenFormat)
	if o.JWT {
		token.value = newJWT(principal, token.expires)
	}
	st.access[token.value] = token
	st.current[principal] = token
	if refresh != nil {
		refresh.access = token
		st.refresh[refresh.value] = refresh
	}
	return token
}

func (st *store) newRefresh(user, scope string, family int, o Options, now time.Time) *refreshToken {
	token := &refreshToken{
		value: newValue(o.TokenFormat), user: user, scope: scope,
		family: family, expires: now.Add(o.RefreshLifetime),
	}
	st.refresh[token.value] = token
	return token
}

// end takes an access token out of the store. One that carries its own proof
// lives on.
func (st *store) end(token *accessToken) {
	if token == nil {
		return
	}
	if st.current[token.principal] == token {
		delete(st.current, token.principal)
	}
	if !token.stateless {
		delete(st.access, token.value)
	}
}

func (st *store) revoke(family int) {
	for value, refresh := range st.refresh {
		if refresh.family == family {
			st.end(refresh.access)
			delete(st.refresh, value)
		}
	}
}

// endAll ends every access token, stateless ones too.
func (st *store) endAll() {
	clear(st.access)
	clear(st.current)
}

// prune forgets what is dead anyway, so that a long run does not grow.
func (st *store) prune(now time.Time) {
	for value, token := range st.access {
		if token.expired(now) {
			delete(st.access, value)
		}
	}
	for value, token := range st.spent {
		if token.expired(now) {
			delete(st.spent, value)
		}
	}
}

func newValue(format TokenFormat) string {
	raw := make([]byte, 20)
	for {
		_, _ = rand.Read(raw) // never fails
		switch format {
		case Base64:
			// 16 bytes end in "==".
			value := base64.StdEncoding.EncodeToString(raw[:16])
			if strings.ContainsRune(value, '+') && strings.ContainsRune(value, '/') {
				return value
			}
		case Base64URL:
			value := base64.RawURLEncoding.EncodeToString(raw)
			if strings.HasPrefix(value, "-") {
				return value
			}
		default:
			raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
			return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:16])
		}
	}
}

func newJWT(principal string, expires time.Time) string {
	leases, _ := json.Marshal(map[string]any{
		"jti": newValue(UUID), "user_name": principal, "exp": expires.Unix(),
	})
	signature := make([]byte, 256)
	_, _ = rand.Read(signature)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(leases) + "." + encode(signature)
}
