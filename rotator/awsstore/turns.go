package awsstore

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"reltio-token-rotator/rotator"
)

// turns lets callers through one at a time and a fixed time apart: the lowest
// priority first, equals in the order they came.
//
// There is no goroutine behind it, which a frozen process could wake up late:
// the caller at the front watches the clock for itself, and the others wait to
// be told that they are at the front. Nobody holds a turn while waiting, so one
// who gives up costs the others nothing. That is also why this is not a
// rate.Limiter, which books each turn in advance, in order of arrival.
type writeLimiter struct {
	spacing time.Duration

	mu      sync.Mutex // never held while waiting
	line    line
	arrived uint64    // numbers the waiters, for the order among equals
	next    time.Time // when the next turn may be taken
}

func newWriteLimiter(spacing time.Duration) *writeLimiter { return &writeLimiter{spacing: spacing} }

// wait returns nil when the caller's turn has come and is taken, or ctx's error.
func (t *writeLimiter) wait(ctx context.Context, priority rotator.Priority) error {
	me := t.join(priority)
	for {
		if err := ctx.Err(); err != nil {
			t.leave(me)
			return err
		}
		front, delay := t.try(me)
		if front && delay == 0 {
			return nil
		}
		me.sleep(ctx, front, delay)
	}
}

func (t *writeLimiter) join(priority rotator.Priority) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arrived++
	me := &waiter{priority: priority, arrived: t.arrived, toFront: make(chan struct{}, 1)}
	heap.Push(&t.line, me)
	return me
}

// try takes the turn if it is the caller's and due; the delay is zero then.
// Otherwise it says whether the caller is at the front, and how long until due.
func (t *writeLimiter) try(me *waiter) (front bool, delay time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.line[0] != me {
		return false, 0
	}
	now := time.Now()
	if delay = t.next.Sub(now); delay > 0 {
		return true, delay
	}
	t.next = now.Add(t.spacing)
	t.remove(me)
	return true, 0
}

func (t *writeLimiter) leave(me *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(me)
}

// remove takes the caller out of the line and tells whoever is at the front.
func (t *writeLimiter) remove(me *waiter) {
	heap.Remove(&t.line, me.index)
	if len(t.line) == 0 {
		return
	}
	select {
	case t.line[0].toFront <- struct{}{}:
	default: // has been told already
	}
}

// waiter is one caller in the line.
type waiter struct {
	priority rotator.Priority
	arrived  uint64
	index    int // its place in the line
	toFront  chan struct{}
}

// sleep returns when there is something to look at again. Being at the front
// may end at any time, so all that it gives is the right to watch the clock.
func (w *waiter) sleep(ctx context.Context, front bool, delay time.Duration) {
	var due <-chan time.Time
	if front {
		due = time.After(delay)
	}
	select {
	case <-due:
	case <-w.toFront:
	case <-ctx.Done():
	}
}

// line is a container/heap of waiters.
type line []*waiter

func (l line) Len() int { return len(l) }

func (l line) Less(i, j int) bool {
	if l[i].priority != l[j].priority {
		return l[i].priority < l[j].priority
	}
	return l[i].arrived < l[j].arrived
}

func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].index, l[j].index = i, j
}

func (l *line) Push(x any) {
	w := x.(*waiter)
	w.index = len(*l)
	*l = append(*l, w)
}

func (l *line) Pop() any {
	old := *l
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*l = old[:len(old)-1]
	return last
}
