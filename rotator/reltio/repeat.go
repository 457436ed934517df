package reltio

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"reltio-token-rotator/rotator"
)

const (
	// maxAttempts is how often one call of RequestToken may send its request.
	maxAttempts = 3
	// attemptTimeout limits one attempt, from dialing to the last byte of the
	// response. No attempt starts with less time than this before the deadline. A
	// response that the deadline interrupts is lost, and this costs more than waiting
	// for the next heartbeat.
	attemptTimeout = 20 * time.Second
)

// A run also repeats a token request that returned the published token
// (rotator/same_token.go), and writes that failed (rotator/publish.go and record.go).

// RequestToken sends the request. It repeats it at most twice, after a failure which
// shows that the server certainly did not execute it. Between attempts it waits as long
// as the server asked for, and a random time of up to 2 s. It returns without a further
// attempt if less than 20 s would be left before ctx's deadline. Its errors are
// *[rotator.Error]. See [rotator.TokenEndpoint] for what it returns with an error.
func (e *Endpoint) RequestToken(ctx context.Context, request rotator.TokenRequest) (rotator.TokenResponse, error) {
	target, failure := parseTarget(request.TokenURL)
	if failure != nil {
		return rotator.TokenResponse{}, failure
	}
	starting, cancel := untilLastStart(ctx)
	defer cancel()

	var (
		result    rotator.TokenResponse
		throttled int
		durations []time.Duration
	)
	for attempt := range maxAttempts {
		if err := e.awaitSlot(starting, target.Hostname(), e.pause(attempt, failure)); err != nil {
			if failure == nil {
				failure = notStarted(target.Host, err)
			}
			break
		}
		sentAt := time.Now()
		var got response
		if got, failure = e.exchange(ctx, target, request); failure == nil {
			result, failure = meaning(request.GrantType, target.Host, got)
		}
		if got.sent {
			result.SentAt = sentAt
			durations = append(durations, time.Since(sentAt))
		}
		if got.status == http.StatusTooManyRequests {
			throttled++
		}
		if failure == nil || !notExecuted(failure.Code) || request.Once {
			break
		}
	}
	result.Throttled, result.Durations = throttled, durations
	if failure != nil {
		return result, failure
	}
	return result, nil
}

// notExecuted reports whether a failure with this code means that the server
// certainly did not execute the request, so that it may be repeated: nothing was
// sent, or the response was a 429 or a 503 with Retry-After.
func notExecuted(code rotator.Code) bool {
	return code == rotator.Unreachable || code == rotator.Throttled || code == rotator.ServerError
}

// pause returns how long to wait before an attempt, counted from 0: the time that
// the server asked for, and a random part of up to 0.5 s, then of up to 2 s, so
// that clients that failed together do not repeat together ("full jitter",
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
func (e *Endpoint) pause(attempt int, failure *rotator.Error) time.Duration {
	if attempt == 0 {
		return 0
	}
	ceiling := 500 * time.Millisecond << (2 * (attempt - 1))
	return failure.RetryAfter + e.jitter(ceiling)
}

// untilLastStart returns a context that ends at the last instant at which an
// attempt may start.
func untilLastStart(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-attemptTimeout))
}

// awaitSlot waits for the pause and then for the host's rate limit. It fails when ctx
// ends, and at once if ctx would end before the wait is over.
func (e *Endpoint) awaitSlot(ctx context.Context, host string, pause time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && pause > time.Until(deadline) {
		return context.DeadlineExceeded
	}
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := e.limiter(host).Wait(ctx); err != nil {
		// The limiter's own error only says in words that the wait is too long.
		if errors.Is(err, context.Canceled) {
			return context.Canceled
		}
		return context.DeadlineExceeded
	}
	return nil
}

// limiter returns the rate limiter that all requests to a host share.
func (e *Endpoint) limiter(host string) *rate.Limiter {
	host = strings.ToLower(host)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.limiters[host] == nil {
		e.limiters[host] = rate.NewLimiter(e.limit, 1)
	}
	return e.limiters[host]
}
