package simulation_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/extent"
)

// Without Multi Token Support the server gives a new token only once the old
// one has ended. A job that re-reads the secret on 401 must then be without a
// token for a round trip, not for a heartbeat; with two credential sets it never
// reads an expired one, except once if both sets logged in at one instant.
func TestSameTokenUntilExpiredLeavesNoGap(t *testing.T) {
	one, two := 6, 4
	if extent.Full() {
		one, two = 30, 5
	}
	t.Run("one set", func(t *testing.T) { sameToken(t, one, false, 0) })
	t.Run("two sets", func(t *testing.T) { sameToken(t, two, true, 25*time.Minute) })
	t.Run("two sets that logged in at one instant", func(t *testing.T) { sameToken(t, two, true, 0) })
}

// sameToken passes days with one credential set or two, of which the second one logs
// in some time after the first one.
func sameToken(t *testing.T, days int, two bool, after time.Duration) {
	t.Parallel()
	const (
		jitter = 20 * time.Second
		// The heartbeats drift by a second an hour against the tokens, whose life is
		// a whole number of minutes. So every phase between the two occurs.
		beat = time.Minute + 17*time.Millisecond
		// Heartbeats that are further from a token's expiry find nothing due and are
		// left out.
		around  = 15 * time.Minute
		latency = 150 * time.Millisecond
		allowed = 2 * time.Second
	)
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, fakereltio.Options{SameTokenUntilExpired: true, Latency: latency, RefreshLifetime: 60 * day, Users: map[string]string{second: "password"}}, false)
		if two {
			time.Sleep(after)
			d := deployment{Harness: h, scenario: &scenario{}}
			d.login(second)
		}
		h.AWS.SetFaults(func(fakeaws.Call) (fakeaws.Fault, bool) {
			return fakeaws.Fault{When: fakeaws.Slow, Latency: 15 * time.Millisecond}, true
		})
		look := func() (token harness.Token, alive bool) {
			token, _ = h.Token(connection)
			return token, h.Reltio.Alive(token.AccessToken)
		}
		random := rand.New(rand.NewPCG(1, 2))
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup

		// The schedule sends a heartbeat every minute. Each one is early or late
		// independently, and does not wait for the one before.
		running.Go(func() {
			start := time.Now().Add(jitter)
			for n := range days * 24 * 60 {
				late := time.Duration(random.Int64N(int64(2*jitter))) - jitter
				time.Sleep(time.Until(start.Add(time.Duration(n)*beat + late)))
				if ctx.Err() != nil {
					return
				}
				left := time.Duration(0)
				if p, alive := look(); alive {
					left = time.Until(p.ExpiresAt)
				}
				if !two && left > around && left < time.Hour-around {
					continue
				}
				running.Go(func() {
					if _, err := h.Heartbeat(t); err != nil {
						t.Errorf("heartbeat %d: %v", n, err)
					}
				})
			}
		})
		// This job reads often enough to notice any gap.
		time.Sleep(5 * time.Minute)
		longest, gaps := time.Duration(0), 0
		for end := time.Now().Add(time.Duration(days*24-1) * time.Hour); time.Now().Before(end); {
			token, alive := look()
			if alive && two { // may be ended at any time
				time.Sleep(min(5*time.Second, max(100*time.Millisecond, time.Until(token.ExpiresAt)-2*time.Second)))
				continue
			}
			if alive {
				time.Sleep(min(500*time.Millisecond, max(100*time.Millisecond, time.Until(token.ExpiresAt)-time.Second)))
				if left := time.Until(token.ExpiresAt); left > 3*time.Second {
					time.Sleep(left - 2*time.Second) // nothing can happen to it before
				}
				continue
			}
			dead := time.Now()
			for !alive && time.Since(dead) < 10*time.Minute {
				time.Sleep(50 * time.Millisecond)
				_, alive = look()
			}
			gaps++
			longest = max(longest, time.Since(dead))
		}
		stop()
		running.Wait()
		t.Logf("%d days: %d ends of a token, longest gap %v, %d token requests", days, gaps, longest, len(h.Reltio.Requests()))
		switch {
		case two && after > 0 && gaps > 0, two && gaps > 1:
			t.Errorf("with two sets a job read an expired token %d times, for %v", gaps, longest)
		case !two && gaps < days*24*9/10:
			t.Errorf("only %d gaps seen: the job does not look closely enough", gaps)
		}
		if longest > allowed {
			t.Errorf("a job was without a token for %v", longest)
		}
	})
}
