package main

import (
	"context"
	"time"
)

// job does what a user's job does: it reads the token secret, calls an API, and
// where the token is refused reads the secret once more.
type job struct {
	*api
	reread time.Duration
}

// work is one time that the job needed a token.
type work struct {
	// fingerprint is that of the token which it read last.
	fingerprint string
	// live and dead are the tokens seen: the secret's reads, by their outcome.
	live, dead int
	// refusedFor is how long a refused token was read before a live one was.
	refusedFor time.Duration
	// stranded: re-reading did not help.
	stranded bool
	// err: the secret or the API could not be asked at all.
	err error
}

// do works once. Nothing has been published yet where live and dead are 0.
func (j *job) do(ctx context.Context) work {
	var w work
	var began time.Time
	token, live, err := j.callWithSecret(ctx, func(publishedToken) (again bool) {
		if w.dead++; w.dead == 1 {
			began = time.Now()
		}
		w.refusedFor = time.Since(began)
		w.stranded = w.refusedFor >= j.reread
		return !w.stranded
	})
	w.fingerprint, w.err = fingerprint(token), err
	if live {
		w.live = 1
		if w.dead > 0 {
			w.refusedFor = time.Since(began)
		}
	}
	return w
}

// sleep returns ctx's error if that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
