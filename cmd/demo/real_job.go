package main

import (
	"context"
	"time"
)

// rereadPause is how long a job waits before it reads a refused token again.
const rereadPause = 50 * time.Millisecond

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
	for {
		token, found, err := j.read(ctx, connection)
		if err != nil || !found {
			w.err = err
			return w
		}
		w.fingerprint = fingerprint(token)
		live, err := j.takes(ctx, token)
		switch {
		case err != nil:
			w.err = err
			return w
		case live:
			w.live++
			if !began.IsZero() {
				w.refusedFor = time.Since(began)
			}
			return w
		}
		w.dead++
		if began.IsZero() {
			began = time.Now()
		}
		if w.refusedFor = time.Since(began); w.refusedFor >= j.reread {
			w.stranded = true
			return w
		}
		if sleep(ctx, rereadPause) != nil {
			w.err = ctx.Err()
			return w
		}
	}
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
