package simulation_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// Connections that were seeded together drift apart: after some days no minute
// of the hour has more than twice the mean of refreshes.
func TestConnectionsSeededTogetherDriftApart(t *testing.T) {
	if !*long {
		t.Skip("100 connections for days: make simulate")
	}
	seededTogether(t, 2, false)
}

// With two credential sets they drift apart, too, and no token is ended before its
// valid_until.
func TestConnectionsOfTwoSetsSeededTogether(t *testing.T) {
	if !*long {
		t.Skip("100 connections for days: make simulate")
	}
	seededTogether(t, 1, true)
}

// seededTogether passes so many days twice, and counts in the second half.
func seededTogether(t *testing.T, settling int, two bool) {
	t.Parallel()
	const connections = 100
	counted := settling
	synctest.Test(t, func(t *testing.T) {
		scenario := &scenario{seed: 1} // no faults, and heartbeats as they come
		h := harness.New(t, fakeaws.Options{}, fakereltio.Options{})
		h.Discard()
		h.DirectListing = true
		start := time.Now()
		h.AWS.SetFaults(func(c fakeaws.Call) (fakeaws.Fault, bool) {
			latency := 8*time.Millisecond + scenario.lasting(c.Operation+c.Name, time.Since(start), 40*time.Millisecond)
			return fakeaws.Fault{When: fakeaws.Slow, Latency: latency}, true
		})
		h.Reltio.SetFaults(func() fakereltio.Fault {
			return fakereltio.Slow(50*time.Millisecond + scenario.lasting("request", time.Since(start), 300*time.Millisecond))
		})
		for i := range connections {
			name := fmt.Sprintf("tenant-%d", i)
			h.Add(name)
			_, refreshToken := h.Reltio.LoginAs(name)
			credentials := stored{ClientID: "client", ClientSecret: "secret", RefreshToken: refreshToken}
			if two {
				_, refreshToken = h.Reltio.LoginAs(name + second)
				credentials = credentials.with(second, refreshToken, false)
			}
			document, _ := json.Marshal(credentials)
			h.AWS.PutSecret(harness.SecretName(name, "credentials"), string(document))
		}
		validUntil := map[string]time.Time{}
		var mu sync.Mutex
		var ofHour [60]int
		perMinute := map[int]int{}
		total := 0
		var running sync.WaitGroup
		for minute := range (settling + counted) * 24 * 60 {
			time.Sleep(time.Until(start.Add(time.Duration(minute) * time.Minute)))
			late := scenario.lasting("late", time.Since(start), 30*time.Second)
			running.Go(func() {
				time.Sleep(late)
				report, err := h.Heartbeat(t)
				if err != nil {
					t.Errorf("minute %d: %v", minute, err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, c := range report.Connections {
					if token, ok := h.Token(c.Name); ok && c.Outcome == rotator.Refreshed {
						validUntil[token.AccessToken] = token.ValidUntil
					}
					if c.Outcome == rotator.Refreshed && minute >= settling*24*60 {
						ofHour[minute%60]++
						perMinute[minute]++
						total++
					}
				}
			})
		}
		running.Wait()
		mean := float64(total) / 60
		worst, single := slices.Max(ofHour[:]), 0
		for _, n := range perMinute {
			single = max(single, n)
		}
		early := 0
		for token, until := range validUntil {
			if known, _ := h.Reltio.AccessToken(token); !known.EndedAt.IsZero() && known.EndedAt.Before(until) {
				early++
			}
		}
		sets := 1
		if two {
			sets = 2
		}
		fmt.Printf("\n%d connections (credential sets: %d) seeded together, %d days later, over %d days: %.1f refreshes in each minute of the hour, at most %d; %.2f in one minute, at most %d; of %d tokens, %d were ended before their valid_until\n",
			connections, sets, settling, counted, mean, worst, float64(total)/float64(counted*24*60), single, len(validUntil), early)
		if early > 0 {
			t.Errorf("%d tokens were ended before their valid_until", early)
		}
		if float64(worst) > 2*mean {
			t.Errorf("a minute of the hour has %d refreshes, more than twice the mean of %.1f", worst, mean)
		}
	})
}
