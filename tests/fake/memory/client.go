package memory

import (
	"context"
	"sync"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

const (
	// What the real client does: at most 3 attempts of 20 s each, none of them
	// in the last 5 s, and 5 requests a second.
	tokenAttempts       = 3
	tokenAttemptTimeout = 20 * time.Second
	answerRoom          = 5 * time.Second
	requestSpacing      = 200 * time.Millisecond
	// tokenPause is the mean of what it waits before the second attempt; four
	// times as long before the third.
	tokenPause = 250 * time.Millisecond
	// tick passes at the least between a token's making and its answer.
	tick = time.Millisecond
)

// TokenFault is what goes wrong with one token request. The zero TokenFault is
// nothing.
type TokenFault struct {
	// Unreachable: nothing is sent.
	Unreachable bool
	// Status is an answer of 429, 500, 502, 503 or 504, and nothing is granted.
	Status     int
	RetryAfter time.Duration
	// Before passes before the request is executed, also when the client has
	// gone away by then; After before the answer arrives.
	Before, After time.Duration
	// Cut loses the answer.
	Cut bool
}

// Client is one process's way to a Reltio. It implements
// rotator.TokenEndpoint as the real client does.
type Client struct {
	reltio *Reltio

	mu   sync.Mutex
	next time.Time
}

var _ rotator.TokenEndpoint = (*Client)(nil)

// Process returns the client of a new process.
func (r *Reltio) Process() *Client { return &Client{reltio: r} }

// Grant implements rotator.TokenEndpoint.
func (c *Client) RequestToken(ctx context.Context, request rotator.TokenRequest) (rotator.TokenResponse, error) {
	writeLimiter, cancel := untilAnswerRoom(ctx)
	defer cancel()
	var failure *rotator.Error
	throttled, internalErrors := 0, 0
	for attempt := range tokenAttempts {
		if c.awaitSlot(writeLimiter, attempt, failure) != nil {
			if failure == nil {
				failure = fail(rotator.Unreachable)
			}
			break
		}
		sentAt := time.Now()
		var answer rotator.TokenResponse
		var status int
		answer, status, failure = c.exchange(ctx, request)
		switch status {
		case 429:
			throttled++
		case 500:
			internalErrors++
		}
		if failure == nil {
			answer.SentAt, answer.Throttled = sentAt, throttled
			return answer, nil
		}
		again := failure.Code == rotator.Unreachable || failure.Code == rotator.Throttled || failure.Code == rotator.ServerError
		if !again || internalErrors > 1 {
			break
		}
	}
	return rotator.TokenResponse{Throttled: throttled}, failure
}

func untilAnswerRoom(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(answerRoom, time.Until(deadline)/2)))
}

func (c *Client) awaitSlot(ctx context.Context, attempt int, failure *rotator.Error) error {
	var pause time.Duration
	if attempt > 0 {
		pause = failure.RetryAfter + tokenPause<<(2*(attempt-1))
	}
	if deadline, ok := ctx.Deadline(); ok && pause > time.Until(deadline) {
		return context.DeadlineExceeded
	}
	if err := sleep(ctx, pause); err != nil {
		return err
	}
	c.mu.Lock()
	slot := time.Now()
	if slot.Before(c.next) {
		slot = c.next
	}
	if deadline, ok := ctx.Deadline(); ok && slot.After(deadline) {
		c.mu.Unlock()
		return context.DeadlineExceeded
	}
	c.next = slot.Add(requestSpacing)
	c.mu.Unlock()
	return sleep(ctx, time.Until(slot))
}

// exchange sends the request once.
func (c *Client) exchange(ctx context.Context, request rotator.TokenRequest) (rotator.TokenResponse, int, *rotator.Error) {
	ctx, cancel := context.WithTimeout(ctx, tokenAttemptTimeout)
	defer cancel()
	var fault TokenFault
	if c.reltio.options.Weather != nil {
		fault = c.reltio.options.Weather()
	}
	if fault.Unreachable {
		return rotator.TokenResponse{}, 0, fail(rotator.Unreachable)
	}
	c.reltio.arrived()
	lost := fail(rotator.AnswerLost)
	lost.TokenEnded = true

	if fault.Status != 0 {
		if sleep(ctx, fault.Before+fault.After) != nil {
			return rotator.TokenResponse{}, 0, lost
		}
		return rotator.TokenResponse{}, fault.Status, refused(fault)
	}
	if deadline, ok := ctx.Deadline(); ok && fault.Before >= time.Until(deadline) {
		time.AfterFunc(fault.Before, func() {
			if _, _, failure := c.reltio.execute(request); failure == nil {
				c.reltio.answerLost()
			}
		})
		<-ctx.Done()
		return rotator.TokenResponse{}, 0, lost
	}
	if sleep(ctx, fault.Before) != nil {
		return rotator.TokenResponse{}, 0, lost
	}
	answer, status, failure := c.reltio.execute(request)
	if sleep(ctx, fault.After) != nil || fault.Cut {
		if failure == nil {
			c.reltio.answerLost()
		}
		return rotator.TokenResponse{}, 0, lost
	}
	return answer, status, failure
}

func refused(fault TokenFault) *rotator.Error {
	if fault.Status == 429 {
		failure := fail(rotator.Throttled)
		failure.RetryAfter = fault.RetryAfter
		return failure
	}
	failure := fail(rotator.ServerError)
	if fault.Status == 503 {
		failure.RetryAfter = fault.RetryAfter
	}
	return failure
}

func fail(code rotator.Code) *rotator.Error {
	return &rotator.Error{Code: code, Message: "in the simulation"}
}

func (r *Reltio) arrived() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
}

func (r *Reltio) answerLost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost++
}

// execute is the endpoint proper: one request, one answer, one instant. The
// user of a login is its username, and every password is right.
func (r *Reltio) execute(request rotator.TokenRequest) (rotator.TokenResponse, int, *rotator.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var granted *access
	switch request.GrantType {
	case rotator.GrantTypePassword:
		granted = r.login(request.Username.Reveal())
	case rotator.GrantTypeRefreshToken:
		var why rejection
		if granted, why = r.renew(request.RefreshToken.Reveal()); why != accepted {
			failure := fail(rotator.RefreshTokenRejected)
			failure.TokenEnded = why == expiredToken
			return rotator.TokenResponse{}, 400, failure
		}
	default:
		panic("memory: no such grant here: " + string(request.GrantType))
	}
	return rotator.TokenResponse{
		AccessToken: secret.New(granted.value), TokenType: "bearer", Scope: "read write",
		ExpiresIn:    (granted.expires.Sub(r.now()) - tick).Truncate(time.Second),
		RefreshToken: secret.New(granted.refresh.value),
	}, 200, nil
}
