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
	"reltio-token-rotator/tests/fake/memory"
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
		trace := &trace{seed: 1} // fair weather, and beats as they come
		aws := memory.NewAWS()
		start := time.Now()
		aws.Weather = func(c memory.Call) memory.Fault {
			return memory.Fault{Latency: 8*time.Millisecond + trace.lasting(c.Operation+c.Connection, time.Since(start), 40*time.Millisecond)}
		}
		reltio := memory.NewReltio(memory.Options{Weather: func() memory.TokenFault {
			return memory.TokenFault{Before: 50*time.Millisecond + trace.lasting("request", time.Since(start), 300*time.Millisecond)}
		}})
		for i := range connections {
			name := fmt.Sprintf("tenant-%d", i)
			aws.Add(name)
			_, refreshToken := reltio.Login(name)
			document, _ := json.Marshal(stored{ClientID: "client", ClientSecret: "secret", RefreshToken: refreshToken})
			if err := aws.PutSecret(name, memory.Credentials, string(document)); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		var ofHour [60]int
		perMinute := map[int]int{}
		total := 0
		var running sync.WaitGroup
		for minute := range (settling + counted) * 24 * 60 {
			time.Sleep(time.Until(start.Add(time.Duration(minute) * time.Minute)))
			late := trace.lasting("late", time.Since(start), 30*time.Second)
			running.Go(func() {
				time.Sleep(late)
				report, err := invoke(aws, reltio, fmt.Sprint("request-", minute), rotator.Event{})
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
