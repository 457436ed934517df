package simulation_test

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// fate is what becomes of a token that was published or used.
type fate struct {
	// validUntil is the promise that was published with it, and published when;
	// zero is none.
	validUntil, published time.Duration
	// expires and ended are on the clock of the jobs. An ended of zero: nothing but
	// time has ended it so far.
	expires, ended time.Duration
	// excepted: an exception of the promise ended it.
	excepted bool
}

// noticing is the fake of AWS, and notes what the rotator publishes and records. A
// hook of the fake would do the same and make each listing slow.
func (d *deployment) noticing(server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); strings.HasPrefix(operation, "Put") {
			defer d.notice()
		}
		server.ServeHTTP(w, r)
	})
}

// notice notes the published token, and whether the state says that it is
// uncertain.
func (d *deployment) notice() {
	token, _ := d.Token(connection)
	state := d.State(connection)
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.fate(token.AccessToken); f.validUntil == 0 && !token.ValidUntil.IsZero() {
		f.validUntil, f.published = token.ValidUntil.Sub(d.start), d.now()
	}
	if d.uncertain >= 0 {
		d.exceptions = append(d.exceptions, span{d.uncertain, d.now()})
	}
	d.uncertain = -1
	if since := state.Published.UncertainSince; !since.IsZero() {
		d.uncertain = since.Sub(d.start)
	}
}

// except notes a time in which one of the promise's exceptions may have ended a
// token.
func (d *deployment) except(from, to time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.exceptions = append(d.exceptions, span{from, to})
}

// fate is that of a token. The caller holds the lock.
func (d *deployment) fate(token string) *fate {
	f := d.fates[token]
	if f == nil {
		known, _ := d.Reltio.AccessToken(token)
		f = &fate{expires: known.ExpiresAt.Sub(d.start)}
		d.fates[token] = f
	}
	return f
}

// settle looks which tokens were ended. It is called before the server's clock
// moves, because the server keeps its own time.
func (d *deployment) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for token, f := range d.fates {
		if f.ended > 0 {
			continue
		}
		if known, _ := d.Reltio.AccessToken(token); !known.EndedAt.IsZero() {
			f.ended = known.EndedAt.Sub(d.start)
		}
	}
}

// judge says which tokens an exception of the promise ended. It counts the published
// ones that the server ended before their valid_until, and returns when those of
// them ended that no exception explains.
func (d *deployment) judge() (early int, unexplained []time.Duration) {
	if d.uncertain >= 0 {
		d.exceptions = append(d.exceptions, span{d.uncertain, d.now()})
	}
	for _, f := range d.fates {
		if f.ended == 0 {
			continue
		}
		forgotten := f.validUntil > 0 && slices.ContainsFunc(d.stateLost, func(at time.Duration) bool { return f.published <= at && at <= f.ended })
		f.excepted = forgotten || within(d.exceptions, f.ended)
		if f.ended < f.validUntil {
			early++
			if !f.excepted {
				unexplained = append(unexplained, f.ended)
			}
		}
	}
	return early, unexplained
}

// within reports whether an instant is in one of the times.
func within(times []span, at time.Duration) bool {
	return slices.ContainsFunc(times, func(s span) bool { return s.from <= at && at <= s.to })
}
