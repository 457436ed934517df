// Package simulation_test runs the rotator for simulated weeks.
package simulation_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	standaws "reltio-token-rotator/tests/standin/aws"
	standreltio "reltio-token-rotator/tests/standin/reltio"
	"reltio-token-rotator/tests/world"
)

// Without Multi Token Support the server gives a new token only once the old
// one has ended. A job that re-reads the secret on 401 must then be without a
// token for a round trip, not for a heartbeat.
func TestSameTokenUntilExpiredLeavesNoGap(t *testing.T) {
	const (
		days   = 30
		jitter = 20 * time.Second
		// The beats drift by a second an hour against the tokens, which live a
		// whole number of minutes here: every phase of the one to the other is met.
		beat    = time.Minute + 17*time.Millisecond
		latency = 150 * time.Millisecond
		allowed = 2 * time.Second
	)
	synctest.Test(t, func(t *testing.T) {
		w := world.New(t, standaws.Options{Latency: 15 * time.Millisecond}, standreltio.Options{
			SameTokenUntilExpired: true, Lifetime: 3599 * time.Second, Latency: latency,
			RefreshLifetime: 60 * 24 * time.Hour,
		})
		w.Seed("default")
		w.Discard()
		random := rand.New(rand.NewPCG(1, 2))
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup

		// The schedule: every minute, each beat early or late by itself, and a
		// beat does not wait for the one before.
		running.Go(func() {
			start := time.Now().Add(jitter)
			for n := range days * 24 * 60 {
				late := time.Duration(random.Int64N(int64(2*jitter))) - jitter
				time.Sleep(time.Until(start.Add(time.Duration(n)*beat + late)))
				if ctx.Err() != nil {
					return
				}
				running.Go(func() {
					if _, err := w.Invoke(t.Context(), rotator.Event{}); err != nil {
						t.Errorf("heartbeat %d: %v", n, err)
					}
				})
			}
		})
		// A job that looks often enough to see any gap.
		time.Sleep(5 * time.Minute)
		longest, gaps := time.Duration(0), 0
		for end := time.Now().Add((days*24 - 1) * time.Hour); time.Now().Before(end); {
			token, _ := w.Token("default")
			if w.Reltio.Alive(token.AccessToken) {
				time.Sleep(min(500*time.Millisecond, max(100*time.Millisecond, time.Until(token.ExpiresAt)-time.Second)))
				if left := time.Until(token.ExpiresAt); left > 3*time.Second {
					time.Sleep(left - 2*time.Second) // nothing can happen to it before
				}
				continue
			}
			dead := time.Now()
			for !w.Alive("default") && time.Since(dead) < 10*time.Minute {
				time.Sleep(50 * time.Millisecond)
			}
			gaps++
			longest = max(longest, time.Since(dead))
		}
		stop()
		running.Wait()
		t.Logf("%d days: %d ends of a token, longest gap %v, %d token requests", days, gaps, longest, len(w.Reltio.Requests()))
		if gaps < days*24*9/10 {
			t.Errorf("only %d gaps seen: the job does not look closely enough", gaps)
		}
		if longest > allowed {
			t.Errorf("a job was without a token for %v", longest)
		}
	})
}
