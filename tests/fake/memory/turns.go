package memory

import (
	"context"
	"sync"
	"time"

	"reltio-token-rotator/rotator"
)

// writeSpacing keeps a process's parameter writes just under 3 a second.
const writeSpacing = time.Second * 10 / 29

// turns lets callers through a fixed time apart, the lowest priority first,
// equals in the order they came.
type writeLimiter struct {
	mu      sync.Mutex
	waiting []*slot
	next    time.Time
}

type slot struct{ priority rotator.Priority }

func (t *writeLimiter) wait(ctx context.Context, priority rotator.Priority) error {
	me := &slot{priority}
	t.mu.Lock()
	t.waiting = append(t.waiting, me)
	t.mu.Unlock()
	// Callers of one instant are let in by priority, not as they are scheduled.
	pause := time.Nanosecond
	for {
		if err := sleep(ctx, pause); err != nil {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.remove(me)
			return err
		}
		if pause = t.try(me); pause == 0 {
			return nil
		}
	}
}

// try takes the turn if it is due and the caller's, and returns zero; otherwise
// how long until there is one to be had.
func (t *writeLimiter) try(me *slot) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if wait := t.next.Sub(now); wait > 0 {
		return wait
	}
	first := t.waiting[0]
	for _, other := range t.waiting[1:] {
		if other.priority < first.priority {
			first = other
		}
	}
	if first != me {
		return time.Nanosecond // the first one is awake at this instant too
	}
	t.remove(me)
	t.next = now.Add(writeSpacing)
	return 0
}

func (t *writeLimiter) remove(me *slot) {
	for i, other := range t.waiting {
		if other == me {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			return
		}
	}
}
