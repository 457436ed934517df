// Package reltio asks Reltio's OAuth 2.0 token endpoint for access tokens.
//
// A token request cannot be taken back: a refresh ends the access token that
// is in use the moment the server executes it. So a request is sent again only
// where the server certainly did not execute it (nothing was sent, or a
// complete 429 or 5xx came back); when an answer is lost on the way the call
// ends, and says that the token in use may have ended.
//
// The usual path: [New] once, [Endpoint.RequestToken] for each token,
// [Endpoint.CloseIdleConnections] when a run ends. Which hosts may be asked is
// checked before, with the other settings.
package reltio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"reltio-token-rotator/rotator"
)

const (
	// maxAttempts is how often one Grant may send its request.
	maxAttempts = 3
	// attemptTimeout covers one attempt whole, from dialling to the last byte.
	attemptTimeout = 20 * time.Second
	// answerRoom is the time before the deadline in which no attempt starts:
	// one cut short there is an answer lost, which costs more than waiting for
	// the next heartbeat.
	answerRoom = 5 * time.Second
)

// Config is what New needs.
type Config struct {
	// RequestsPerSecond limits the token requests to one host; less than 1 is
	// taken as 1. Reltio answers 429 to more than 10.
	RequestsPerSecond int
	// Transport replaces the package's own one; for tests. It must follow no
	// redirect and never send a request twice. One that fails after it began
	// to send has to call the httptrace hook GotConn first, as
	// [http.Transport] does: a failure without it counts as nothing sent.
	Transport http.RoundTripper
	// Dial and Roots replace the network and the system's authorities of the
	// package's own transport and of [Endpoint.Reach]; for tests.
	Dial  func(ctx context.Context, network, address string) (net.Conn, error)
	Roots *x509.CertPool
	// Jitter replaces the random part of the pause before a repeated request,
	// which is below ceiling; for simulations that repeat exactly.
	Jitter func(ceiling time.Duration) time.Duration
}

// Endpoint sends token requests. It may be used by several goroutines at once.
type Endpoint struct {
	transport http.RoundTripper
	own       *http.Transport // the same, unless Config has another
	jitter    func(ceiling time.Duration) time.Duration
	limit     rate.Limit

	mu       sync.Mutex
	limiters map[string]*rate.Limiter // by host
}

var _ rotator.TokenEndpoint = (*Endpoint)(nil)

// New returns an Endpoint.
func New(config Config) *Endpoint {
	own := newTransport()
	own.TLSClientConfig.RootCAs = config.Roots
	if config.Dial != nil {
		own.DialContext = config.Dial
	}
	transport := config.Transport
	if transport == nil {
		transport = own
	}
	jitter := config.Jitter
	if jitter == nil {
		jitter = rand.N[time.Duration]
	}
	return &Endpoint{
		transport: transport,
		own:       own,
		jitter:    jitter,
		limit:     rate.Limit(max(1, config.RequestsPerSecond)),
		limiters:  map[string]*rate.Limiter{},
	}
}

// newTransport returns a transport that uses one connection for one request.
// A kept connection may be closed by the server just as the next request goes
// out, which would be an answer lost; and on a fresh HTTP/1.1 connection
// net/http never sends a request again by itself. It takes no proxy from the
// environment, so that credentials go to the token host and nowhere else.
func newTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Protocols:       &protocols,
		DialContext:     (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},

		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: maxReply,
		DisableCompression:     true,
		// A negative number keeps no connection. DisableKeepAlives would too,
		// but it also asks the server to close, and some then mark the end of
		// a body by closing only, where a cut cannot be told from the end.
		MaxIdleConnsPerHost: -1,
	}
}

// CloseIdleConnections closes the connections that a transport from [Config]
// keeps. The package's own transport keeps none; calling this when a run ends
// means that nothing need be known about which one is in use.
func (e *Endpoint) CloseIdleConnections() {
	if t, ok := e.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Grant sends the request, and sends it again, at most twice, after a failure
// that certainly executed nothing. Between attempts it waits as long as the
// server asked for, or a moment; where that wait would not leave time for an
// answer before ctx's deadline it returns at once, with RetryAfter in the
// error. Its errors are *[rotator.Error].
func (e *Endpoint) RequestToken(ctx context.Context, request rotator.TokenRequest) (rotator.TokenResponse, error) {
	target, failure := parseTarget(request.TokenURL)
	if failure != nil {
		return rotator.TokenResponse{}, failure
	}
	writeLimiter, cancel := untilAnswerRoom(ctx)
	defer cancel()

	var throttled, internalErrors int
	for attempt := range maxAttempts {
		if err := e.awaitSlot(writeLimiter, target.Hostname(), e.pause(attempt, failure)); err != nil {
			if failure == nil {
				failure = notStarted(target.Host, err)
			}
			break
		}
		var (
			got    reply
			answer rotator.TokenResponse
			sentAt = time.Now()
		)
		if got, failure = e.exchange(ctx, target, request); failure == nil {
			answer, failure = judge(request.GrantType, target.Host, got)
		}
		switch got.status {
		case http.StatusTooManyRequests:
			throttled++
		case http.StatusInternalServerError:
			internalErrors++
		}
		if failure == nil {
			answer.SentAt, answer.Throttled = sentAt, throttled
			return answer, nil
		}
		// Reltio asks not to repeat after a 500; once is for the odd one.
		if !notExecuted(failure.Code) || internalErrors > 1 {
			break
		}
	}
	return rotator.TokenResponse{Throttled: throttled}, failure
}

// notExecuted reports whether a failure of this code means that the server
// certainly granted nothing, so that the same request may be sent again.
func notExecuted(code rotator.Code) bool {
	switch code {
	case rotator.Unreachable, rotator.Throttled, rotator.ServerError:
		return true
	}
	return false
}

// pause returns how long to wait before an attempt, of which 0 is the first:
// what the server asked for, and on top a random part of 0.5 s, then 2 s, so
// that clients that failed together do not come back together ("full jitter",
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
func (e *Endpoint) pause(attempt int, failure *rotator.Error) time.Duration {
	if attempt == 0 {
		return 0
	}
	ceiling := 500 * time.Millisecond << (2 * (attempt - 1))
	return failure.RetryAfter + e.jitter(ceiling)
}

// untilAnswerRoom returns a context for waiting that ends early enough before
// ctx's deadline for an answer to arrive: by answerRoom, or by half of the
// time where that is less.
func untilAnswerRoom(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(answerRoom, time.Until(deadline)/2)))
}

// awaitSlot waits for the pause to pass and then for the host's rate limit. It
// fails when ctx ends, and at once when ctx would end first.
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
		// The limiter's own error says in words only that the wait is too long.
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
