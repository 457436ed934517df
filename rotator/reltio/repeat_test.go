package reltio

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
)

// step is what the scripted network below does with one attempt: a response with
// this status, or one of the two failures.
type step struct {
	status     int
	retryAfter string
}

var (
	nothingSent = step{status: -1}
	lost        = step{status: -2}
	issued      = step{status: 200}
)

// script is a network that uses the next of its steps for each attempt, and the last
// one for every further attempt. It records when each attempt came.
type script struct {
	steps []step

	mu sync.Mutex
	at []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	step := s.steps[min(len(s.at), len(s.steps)-1)]
	s.at = append(s.at, time.Now())
	s.mu.Unlock()
	if step == nothingSent {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
	if step == lost {
		return nil, io.ErrUnexpectedEOF
	}
	body := `{"error":"anything"}`
	if step == issued {
		body = tokenReply
	}
	reply := &http.Response{StatusCode: step.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	if step.retryAfter != "" {
		reply.Header.Set("Retry-After", step.retryAfter)
	}
	return reply, nil
}

const anyURL = "https://auth.reltio.com/oauth/token"

// Only a request that certainly was not executed is repeated.
func TestRepeats(t *testing.T) {
	of := func(statuses ...int) (steps []step) {
		for _, status := range statuses {
			steps = append(steps, step{status: status})
		}
		return steps
	}
	tests := []struct {
		name      string
		steps     []step
		attempts  int
		code      rotator.Code // "" for a token
		throttled int
	}{
		{"a token at once", of(200), 1, "", 0},
		{"throttled, then a token", of(429, 200), 2, "", 1},
		{"throttled twice, then a token", of(429, 429, 200), 3, "", 2},
		{"throttled always", of(429), 3, rotator.Throttled, 3},
		{"503 with Retry-After, then a token", []step{{503, "1"}, issued}, 2, "", 0},
		{"503 with Retry-After, always", []step{{503, "1"}}, 3, rotator.ServerError, 0},
		{"503 without Retry-After", of(503, 200), 1, rotator.AnswerLost, 0},
		{"500", of(500, 200), 1, rotator.AnswerLost, 0},
		{"502", of(502, 200), 1, rotator.AnswerLost, 0},
		{"504", of(504, 200), 1, rotator.AnswerLost, 0},
		{"524", of(524, 200), 1, rotator.AnswerLost, 0},
		{"502 after a repeat", of(429, 502, 200), 2, rotator.AnswerLost, 1},
		{"nothing sent, then a token", []step{nothingSent, issued}, 2, "", 0},
		{"nothing sent, always", []step{nothingSent}, 3, rotator.Unreachable, 0},
		{"the last failure is returned", []step{{status: 429}, {503, "1"}, nothingSent}, 3, rotator.Unreachable, 1},
		{"a lost answer is the end", []step{lost, issued}, 1, rotator.AnswerLost, 0},
		{"a lost answer after a repeat", []step{nothingSent, lost, issued}, 2, rotator.AnswerLost, 0},
		{"a 429 before a lost answer is counted", []step{{status: 429}, lost, issued}, 2, rotator.AnswerLost, 1},
		{"a rejection is the end", of(400, 200), 1, rotator.RequestRejected, 0},
		{"401 is the end", of(401, 200), 1, rotator.RequestRejected, 0},
		{"a redirect is the end", of(302, 200), 1, rotator.BadResponse, 0},
		{"an unusable response is the end", of(299, 200), 1, rotator.BadResponse, 0},
		{"408 does not say that nothing was executed", of(408, 200), 1, rotator.AnswerLost, 0},
	}
	for _, test := range tests {
		for _, grantType := range allGrantTypes {
			t.Run(test.name+"/"+string(grantType), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					network := &script{steps: test.steps}
					endpoint := New(Config{RequestsPerSecond: 1000, Transport: network})
					answer, err := endpoint.RequestToken(t.Context(), newRequest(grantType, anyURL))
					if test.code == "" {
						if err != nil || answer.AccessToken.Empty() {
							t.Errorf("got %+v, %v, want a token", answer, err)
						}
						if last := network.at[len(network.at)-1]; !answer.SentAt.Equal(last) {
							t.Errorf("got SentAt %v, but the answered request was sent at %v", answer.SentAt, last)
						}
					} else {
						wantFailure(t, answer, err, test.code)
					}
					sent := 0
					for i := range network.at {
						if test.steps[min(i, len(test.steps)-1)] != nothingSent {
							sent++
						}
					}
					if len(answer.Durations) != sent {
						t.Errorf("got %d durations, want one for each of the %d requests that were sent", len(answer.Durations), sent)
					}
					if len(network.at) != test.attempts || answer.Throttled != test.throttled {
						t.Errorf("got %d attempts, %d throttled, want %d, %d", len(network.at), answer.Throttled, test.attempts, test.throttled)
					}
				})
			})
		}
	}
}

// How long the server's Retry-After delays the second attempt, within a call that
// has 50 s. No attempt starts without the 20 s that a response may take.
func TestWaitsAsLongAsTheServerAsks(t *testing.T) {
	tests := []struct {
		name       string
		status     int
		retryAfter string
		wait       time.Duration // and up to 0.5 s more
		giveUp     time.Duration // RetryAfter of the error returned at once
	}{
		{"429 without a value", 429, "", 0, 0},
		{"429, in seconds", 429, "7", 7 * time.Second, 0},
		{"503, in seconds", 503, "7", 7 * time.Second, 0},
		{"429, as a date", 429, "Sat, 01 Jan 2000 00:00:07 GMT", 7 * time.Second, 0},
		{"429, in part of a second", 429, "6.5", 7 * time.Second, 0},
		{"a wait that leaves 20 s for a response", 429, "29", 29 * time.Second, 0},
		{"a longer wait", 429, "31", 0, 31 * time.Second},
		{"a longer wait, 503", 503, "31", 0, 31 * time.Second},
		{"a day", 429, "86400", 0, 24 * time.Hour},
		{"for ever", 429, "99999999999999999999999", 0, longestWait},
		{"a value that cannot be read", 429, "soon", 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // the clock begins at 2000-01-01
				network := &script{steps: []step{{test.status, test.retryAfter}, issued}}
				endpoint := New(Config{RequestsPerSecond: 1000, Transport: network})
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
				defer cancel()
				start := time.Now()
				answer, err := endpoint.RequestToken(ctx, newRequest(rotator.GrantTypeRefreshToken, anyURL))
				took := time.Since(start)
				if test.giveUp > 0 {
					code := map[int]rotator.Code{429: rotator.Throttled, 503: rotator.ServerError}[test.status]
					failure := wantFailure(t, answer, err, code)
					if took != 0 || len(network.at) != 1 || failure.RetryAfter != test.giveUp {
						t.Errorf("got RetryAfter %v after %d attempts and %v, want %v after 1 and 0s",
							failure.RetryAfter, len(network.at), took, test.giveUp)
					}
					return
				}
				if err != nil || took < test.wait || took > test.wait+500*time.Millisecond {
					t.Errorf("got %v after %v, want a token after %v", err, took, test.wait)
				}
			})
		})
	}
}

// Pauses are random, evenly distributed from zero to below a ceiling.
func TestFullJitter(t *testing.T) {
	var first, second time.Duration
	const rounds = 400
	endpoint := New(Config{})
	for range rounds {
		a, b := endpoint.pause(1, &rotator.Error{}), endpoint.pause(2, &rotator.Error{})
		if a < 0 || a >= 500*time.Millisecond || b < 0 || b >= 2*time.Second {
			t.Fatalf("got pauses %v, %v", a, b)
		}
		first += a / rounds
		second += b / rounds
	}
	if first < 200*time.Millisecond || first > 300*time.Millisecond || second < 800*time.Millisecond || second > 1200*time.Millisecond {
		t.Errorf("got means %v, %v, want about 250ms and 1s", first, second)
	}
}

func TestRateLimitOfAHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &script{steps: []step{issued}}
		endpoint := New(Config{RequestsPerSecond: 5, Transport: network})
		start := time.Now()
		var all sync.WaitGroup
		for i := range 20 {
			host := []string{"auth.reltio.com", "AUTH.reltio.com:443"}[i%2]
			all.Go(func() {
				answer, err := endpoint.RequestToken(t.Context(), newRequest(rotator.GrantTypeRefreshToken, "https://"+host+"/"))
				if err != nil || answer.SentAt.Before(start) {
					t.Error(answer, err)
				}
			})
		}
		all.Go(func() {
			answer, err := endpoint.RequestToken(t.Context(), newRequest(rotator.GrantTypeRefreshToken, "https://auth-stg.reltio.com/"))
			if err != nil || !answer.SentAt.Equal(start) {
				t.Errorf("another host waited until %v, %v", answer.SentAt, err)
			}
		})
		all.Wait()
		// 20 requests, the first at once and then five in a second.
		if took := time.Since(start).Round(time.Millisecond); took != 3800*time.Millisecond {
			t.Errorf("20 requests took %v, want 3.8s", took)
		}
	})
}

// A call that has no time for a response sends nothing, and says so.
func TestNoTimeForARequest(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	tests := []struct {
		name    string
		context func(context.Context) (context.Context, context.CancelFunc)
		cause   error
		took    time.Duration
	}{
		{"the slot would come too late", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, context.DeadlineExceeded, 0},
		{"the slot would leave less than 20 s for a response", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 29*time.Second)
		}, context.DeadlineExceeded, 0},
		{"canceled while waiting", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(3*time.Second, cancel)
			return ctx, cancel
		}, context.Canceled, 3 * time.Second},
		{"canceled before", func(context.Context) (context.Context, context.CancelFunc) {
			return ended, func() {}
		}, context.Canceled, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &script{steps: []step{issued}}
				endpoint := New(Config{RequestsPerSecond: 1, Transport: network})
				var others sync.WaitGroup
				for range 10 { // so that the next turn is 10 s away
					others.Go(func() { _, _ = endpoint.RequestToken(t.Context(), newRequest(rotator.GrantTypeRefreshToken, anyURL)) })
				}
				synctest.Wait()
				ctx, cancel := test.context(t.Context())
				defer cancel()
				start := time.Now()
				answer, err := endpoint.RequestToken(ctx, newRequest(rotator.GrantTypeRefreshToken, anyURL))
				failure := wantFailure(t, answer, err, rotator.Unreachable)
				wantSaid(t, failure, "no token request was sent to auth.reltio.com")
				if failure.TokenEnded || !errors.Is(err, test.cause) {
					t.Errorf("got TokenEnded %t, cause %v", failure.TokenEnded, failure.Cause)
				}
				if took := time.Since(start); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				others.Wait()
				if len(network.at) != 10 {
					t.Errorf("got %d requests, want the 10 others'", len(network.at))
				}
			})
		})
	}
}

// When the time ends after a known failure, that failure is returned.
func TestTimeEndsBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &script{steps: []step{{429, "30"}, issued}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		answer, err := New(Config{Transport: network}).RequestToken(ctx, newRequest(rotator.GrantTypeRefreshToken, anyURL))
		failure := wantFailure(t, answer, err, rotator.Throttled)
		if failure.RetryAfter != 30*time.Second || answer.Throttled != 1 || len(network.at) != 1 {
			t.Errorf("got RetryAfter %v, %d throttled, %d attempts", failure.RetryAfter, answer.Throttled, len(network.at))
		}
	})
}
