package simulation_test

import (
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
	t.Parallel()
	const connections, settling, counted = 100, 2, 2 // days
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
			h.PutCredentials(name, map[string]string{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken})
		}
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
		fmt.Printf("\n%d connections seeded together, %d days later, over %d days: %.1f refreshes in each minute of the hour, at most %d; %.2f in one minute, at most %d\n",
			connections, settling, counted, mean, worst, float64(total)/(counted*24*60), single)
		if float64(worst) > 2*mean {
			t.Errorf("a minute of the hour has %d refreshes, more than twice the mean of %.1f", worst, mean)
		}
	})
}
