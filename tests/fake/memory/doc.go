// Package memory has AWS and Reltio as the rotator sees them through its
// interfaces, with neither HTTP nor an SDK between: a listing takes a
// microsecond, so that 90 days of heartbeats pass in seconds.
//
// What it leaves out is how things are said; what is kept is what happens:
// counted versions, reads that lag behind, labels that move, the SDK's repeats,
// the token endpoint's rules and its client's. Its tests play the same scenes
// here and with the real stores and client over the fakes, and compare.
//
// All time is the standard library's, and nothing is random, so that a
// testing/synctest bubble repeats exactly.
package memory

import (
	"context"
	"time"
)

// sleep pauses for d, or until ctx ends, and returns ctx's error then.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
