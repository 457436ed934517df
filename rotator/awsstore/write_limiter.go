package awsstore

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"reltio-token-rotator/rotator"
)

// Parameter Store takes 3 writes a second for the whole account and region by
// default (AWS General Reference, Systems Manager quotas). A little less leaves
// room for other writers.
const writeSpacing = time.Second * 10 / 29

// WaitToWrite returns nil when the caller may send one PutParameter, or ctx's error.
// Writes are a little over a third of a second apart. The lowest priority goes first.
// Callers with equal priorities go in the order in which they came. Only the writes of
// this process are counted.
func (s *Store) WaitToWrite(ctx context.Context, priority rotator.Priority) error {
	return s.writes.wait(ctx, priority)
}

// writeLimiter lets callers write one at a time and a fixed time apart, in the order
// that WaitToWrite describes.
//
// It has no goroutine of its own, which would be late after the process was frozen.
// Instead, the caller at the front of the queue watches the clock, and the others wait
// for a signal that they are at the front. A waiting caller has reserved nothing, so a
// caller that gives up delays no other. A rate.Limiter is not used, because it reserves
// each slot in advance, in order of arrival.
type writeLimiter struct {
	spacing time.Duration

	mu      sync.Mutex // never held while waiting
	queue   queue
	arrived uint64    // numbers the waiters, for the order of equal priorities
	next    time.Time // when the next write may be sent
}

func newWriteLimiter(spacing time.Duration) *writeLimiter { return &writeLimiter{spacing: spacing} }

// wait returns nil when the caller may write, or ctx's error.
func (l *writeLimiter) wait(ctx context.Context, priority rotator.Priority) error {
	me := l.join(priority)
	for {
		if err := ctx.Err(); err != nil {
			l.leave(me)
			return err
		}
		front, delay := l.try(me)
		if front && delay == 0 {
			return nil
		}
		me.sleep(ctx, front, delay)
	}
}

func (l *writeLimiter) join(priority rotator.Priority) *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived++
	me := &waiter{priority: priority, arrived: l.arrived, toFront: make(chan struct{}, 1)}
	heap.Push(&l.queue, me)
	return me
}

// try takes the slot if the caller is at the front and may write now. Then the delay is
// 0. Otherwise it returns whether the caller is at the front, and how long it has to
// wait.
func (l *writeLimiter) try(me *waiter) (front bool, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue[0] != me {
		return false, 0
	}
	now := time.Now()
	if delay = l.next.Sub(now); delay > 0 {
		return true, delay
	}
	l.next = now.Add(l.spacing)
	l.remove(me)
	return true, 0
}

func (l *writeLimiter) leave(me *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(me)
}

// remove takes the caller out of the queue and signals the one at the front.
func (l *writeLimiter) remove(me *waiter) {
	heap.Remove(&l.queue, me.index)
	if len(l.queue) == 0 {
		return
	}
	select {
	case l.queue[0].toFront <- struct{}{}:
	default: // already signaled
	}
}

// waiter is one caller in the queue.
type waiter struct {
	priority rotator.Priority
	arrived  uint64
	index    int // its place in the queue
	toFront  chan struct{}
}

// sleep returns when the caller has to try again. The caller at the front watches the
// clock. Another caller can come to the front at any time.
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

// queue is a container/heap of waiters.
type queue []*waiter

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].priority != q[j].priority {
		return q[i].priority < q[j].priority
	}
	return q[i].arrived < q[j].arrived
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	w := x.(*waiter)
	w.index = len(*q)
	*q = append(*q, w)
}

func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}
