package memory

import (
	"fmt"
	"sync"
	"time"
)

// Options are a Reltio's habits. A zero lifetime is the default named.
type Options struct {
	// Lifetime of an access token: 3599 s.
	Lifetime time.Duration
	// RefreshLifetime is 28 days from the login, not extended by use.
	RefreshLifetime time.Duration
	// Rotate gives a new refresh token each refresh and ends the old one.
	Rotate bool
	// SameTokenUntilExpired answers a refresh with the access token that is
	// already out, as long as it lives.
	SameTokenUntilExpired bool
	// Weather says what is wrong with a token request; nil is fair weather.
	Weather func() TokenFault
}

// Reltio is a token endpoint with the rules of the library that Reltio's
// appears to use. It knows one client and any user.
type Reltio struct {
	options Options

	mu       sync.Mutex
	offset   time.Duration
	tokens   int
	requests int
	lost     int
	expires  map[string]time.Time // of every access token that ever was
	access   map[string]*access   // alive, but for expiry
	refresh  map[string]*refresh  // known, expired or not
	current  map[string]*access   // by user: what a login gives again
	newest   map[string]*refresh  // by user
}

type access struct {
	value, user string
	expires     time.Time
	refresh     *refresh
}

type refresh struct {
	value, user string
	expires     time.Time
	access      *access // what its next use ends
}

// NewReltio returns a Reltio in which nobody has logged in yet.
func NewReltio(options Options) *Reltio {
	if options.Lifetime == 0 {
		options.Lifetime = 3599 * time.Second
	}
	if options.RefreshLifetime == 0 {
		options.RefreshLifetime = 28 * 24 * time.Hour
	}
	return &Reltio{
		options: options,
		expires: map[string]time.Time{},
		access:  map[string]*access{}, refresh: map[string]*refresh{},
		current: map[string]*access{}, newest: map[string]*refresh{},
	}
}

// now is the server's clock. The caller holds the lock.
func (r *Reltio) now() time.Time { return time.Now().Add(r.offset) }

// SetClock puts the server's clock ahead of everybody else's, or behind it.
func (r *Reltio) SetClock(ahead time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offset = ahead
}

// Alive reports whether an access token would be accepted.
func (r *Reltio) Alive(value string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.access[value]
	return a != nil && !r.now().After(a.expires)
}

// Left returns how long an access token would have until its time is over,
// negative once it is, whether it was ended before or not.
func (r *Reltio) Left(value string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.expires[value].Sub(r.now())
}

// AnswersLost counts the grants whose tokens nobody got.
func (r *Reltio) AnswersLost() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// RefreshTokenAlive reports whether a refresh token would be accepted.
func (r *Reltio) RefreshTokenAlive(value string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.refresh[value]
	return known != nil && !r.now().After(known.expires)
}

// Newest returns the refresh token that a user got last; false when it would
// not be accepted any more.
func (r *Reltio) Newest(user string) (value string, alive bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.newest[user]
	if n == nil || r.refresh[n.value] != n || r.now().After(n.expires) {
		return "", false
	}
	return n.value, true
}

// Requests counts the token requests that reached the server, refused ones too.
func (r *Reltio) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Login is a login by hand. While the user's access token lives it gives that
// one again, and the refresh token with it, even a dead one.
func (r *Reltio) Login(user string) (accessToken, refreshToken string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.login(user)
	return a.value, a.refresh.value
}

// Revoke ends a user's tokens, as a person does before a new login.
func (r *Reltio) Revoke(user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(r.current[user])
	if n := r.newest[user]; n != nil {
		r.end(n.access)
		delete(r.refresh, n.value)
		delete(r.newest, user)
	}
}

// EndAccess ends a user's access token early, as a login from elsewhere may.
func (r *Reltio) EndAccess(user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(r.current[user])
}

// rejection is why a refresh token was refused.
type rejection int

const (
	accepted rejection = iota
	unknownToken
	expiredToken
)

func (r *Reltio) login(user string) *access {
	now := r.now()
	var kept *refresh
	if out := r.current[user]; out != nil {
		if !now.After(out.expires) {
			return out
		}
		kept = out.refresh
		r.end(out)
	}
	if kept == nil || now.After(kept.expires) {
		if kept != nil {
			delete(r.refresh, kept.value)
		}
		kept = r.newRefresh(user)
	}
	return r.issue(user, kept)
}

func (r *Reltio) renew(value string) (*access, rejection) {
	now := r.now()
	used, known := r.refresh[value]
	if !known {
		return nil, unknownToken
	}
	out := used.access
	if now.After(used.expires) {
		r.end(out)
		delete(r.refresh, value)
		return nil, expiredToken
	}
	keep := r.options.SameTokenUntilExpired && out != nil && r.access[out.value] == out && !now.After(out.expires)
	if !keep {
		r.end(out)
	}
	if r.options.Rotate {
		delete(r.refresh, value)
		used = r.newRefresh(used.user)
	}
	if keep {
		out.refresh, used.access = used, out
		return out, accepted
	}
	return r.issue(used.user, used), accepted
}

func (r *Reltio) issue(user string, with *refresh) *access {
	now := r.now()
	if r.tokens%64 == 0 { // forget what is dead anyway
		for value, a := range r.access {
			if now.After(a.expires) {
				delete(r.access, value)
			}
		}
	}
	r.tokens++
	a := &access{value: fmt.Sprintf("access-%d", r.tokens), user: user, expires: now.Add(r.options.Lifetime), refresh: with}
	r.access[a.value], r.current[user], r.expires[a.value] = a, a, a.expires
	with.access = a
	return a
}

func (r *Reltio) newRefresh(user string) *refresh {
	r.tokens++
	n := &refresh{value: fmt.Sprintf("refresh-%d", r.tokens), user: user, expires: r.now().Add(r.options.RefreshLifetime)}
	r.refresh[n.value], r.newest[user] = n, n
	return n
}

func (r *Reltio) end(a *access) {
	if a == nil {
		return
	}
	if r.current[a.user] == a {
		delete(r.current, a.user)
	}
	delete(r.access, a.value)
}
