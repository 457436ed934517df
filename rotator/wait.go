package rotator

import (
	"context"
	"time"
)

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
)

// sleep pauses for d; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func sleepUntil(ctx context.Context, t time.Time) bool { return sleep(ctx, time.Until(t)) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// wholeSeconds rounds down: a token never looks as if it lived longer.
func wholeSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
