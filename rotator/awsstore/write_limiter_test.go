package awsstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
)

// slot says which caller could write, and when.
type slot struct {
	who string
	at  time.Duration
}

// harness sends callers to one write limiter and records the order in which they
// pass.
type harness struct {
	t            *testing.T
	writeLimiter *writeLimiter
	start        time.Time
	group        sync.WaitGroup

	mu     sync.Mutex
	passed []slot
	gaveUp []string
}

func newHarness(t *testing.T) *harness {
	return &harness{t: t, writeLimiter: newWriteLimiter(writeSpacing), start: time.Now()}
}

// enter returns when the caller has passed or is in the queue.
func (h *harness) enter(ctx context.Context, who string, priority rotator.Priority) {
	h.group.Go(func() {
		err := h.writeLimiter.wait(ctx, priority)
		h.mu.Lock()
		defer h.mu.Unlock()
		if err != nil {
			if !errors.Is(err, ctx.Err()) {
				h.t.Errorf("%s: error %v, want the context's", who, err)
			}
			h.gaveUp = append(h.gaveUp, who)
			return
		}
		h.passed = append(h.passed, slot{who, time.Since(h.start)})
	})
	synctest.Wait()
}

func (h *harness) order() []string {
	h.group.Wait()
	var names []string
	for _, p := range h.passed {
		names = append(names, p.who)
	}
	return names
}

func (h *harness) wantOrder(want ...string) {
	h.t.Helper()
	if got := h.order(); !slices.Equal(got, want) {
		h.t.Errorf("passed in the order %v, want %v", got, want)
	}
}

// wantSpacing checks that no caller passed early and that no slot was unused.
func (h *harness) wantSpacing() {
	h.t.Helper()
	for i, p := range h.passed {
		if want := time.Duration(i) * writeSpacing; p.at != want {
			h.t.Errorf("slot %d (%s) at %v, want %v", i, p.who, p.at, want)
		}
	}
}

func TestWritesStayBelowThreeASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		for i := range 40 {
			h.enter(t.Context(), fmt.Sprint(i), 1)
		}
		h.group.Wait()
		h.wantSpacing()
		for i := range len(h.passed) - 3 {
			if within := h.passed[i+3].at - h.passed[i].at; within <= time.Second {
				t.Fatalf("4 writes within %v", within)
			}
		}
	})
}

func TestUnusedSlotsAreNotSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.enter(t.Context(), "first", 1)
		time.Sleep(time.Hour)
		h.start = time.Now()
		h.passed = nil
		for i := range 3 {
			h.enter(t.Context(), fmt.Sprint(i), 1)
		}
		h.wantOrder("0", "1", "2")
		h.wantSpacing()
	})
}

func TestPriorityGoesBeforeArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.enter(t.Context(), "first", 9) // no other is there yet
		h.enter(t.Context(), "late lease", 3)
		h.enter(t.Context(), "lease a", 2)
		h.enter(t.Context(), "lease b", 2)
		h.enter(t.Context(), "record a", rotator.PriorityRecord)
		h.enter(t.Context(), "urgent lease", 1)
		h.enter(t.Context(), "lease c", 2)
		h.enter(t.Context(), "record b", rotator.PriorityRecord)
		h.wantOrder("first", "record a", "record b", "urgent lease",
			"lease a", "lease b", "lease c", "late lease")
		h.wantSpacing()
	})
}

func TestALateCallerWithPriorityGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.enter(t.Context(), "first", 1)
		h.enter(t.Context(), "lease", 1)
		time.Sleep(writeSpacing - time.Nanosecond)
		h.enter(t.Context(), "record", rotator.PriorityRecord)
		h.wantOrder("first", "record", "lease")
		h.wantSpacing()
	})
}

func TestASlotIsNotLostWhenACallerGivesUp(t *testing.T) {
	for _, giveUpAfter := range []time.Duration{0, writeSpacing / 2} {
		for _, who := range []string{"at the front", "in the middle", "at the end"} {
			t.Run(fmt.Sprintf("%s after %v", who, giveUpAfter), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHarness(t)
					ctx, cancel := context.WithCancel(t.Context())
					h.enter(t.Context(), "first", 0)
					want := []string{"first"}
					for _, name := range []string{"at the front", "in the middle", "at the end"} {
						if name == who {
							h.enter(ctx, name, 1)
							continue
						}
						h.enter(t.Context(), name, 1)
						want = append(want, name)
					}
					time.Sleep(giveUpAfter)
					cancel()
					h.wantOrder(want...)
					h.wantSpacing()
					if !slices.Equal(h.gaveUp, []string{who}) {
						t.Errorf("gave up: %v, want %q alone", h.gaveUp, who)
					}
				})
			})
		}
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writeLimiter := newWriteLimiter(writeSpacing)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := writeLimiter.wait(ended, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: %v, want context.Canceled", err)
		}
		start := time.Now()
		if err := writeLimiter.wait(t.Context(), 0); err != nil || time.Since(start) != 0 {
			t.Errorf("it took a slot: the next one waited %v, %v", time.Since(start), err)
		}
		short, cancel := context.WithTimeout(t.Context(), writeSpacing/4)
		defer cancel()
		if err := writeLimiter.wait(short, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a deadline before the slot: %v, want context.DeadlineExceeded", err)
		}
		if len(writeLimiter.queue) != 0 {
			t.Errorf("%d are left in the queue", len(writeLimiter.queue))
		}
	})
}

// Two callers at the front change places while either may give up. Whatever the
// order of events, the one that stays passes at the next slot.
func TestTheFrontIsFreeAgainWhenACallerGivesUp(t *testing.T) {
	for _, after := range []time.Duration{0, writeSpacing / 3, writeSpacing - time.Nanosecond} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t)
				h.enter(t.Context(), "first", 1)
				h.enter(t.Context(), "lease", 1)
				ctx, cancel := context.WithCancel(t.Context())
				h.enter(ctx, "record", rotator.PriorityRecord)
				time.Sleep(after)
				cancel()
				h.wantOrder("first", "lease")
				h.wantSpacing()
			})
		})
	}
}

// Callers come and give up at random: none is stuck (synctest fails on a deadlock),
// none passes early, none is left in the queue, and no slot is unused while one
// waits.
func TestRandomCallers(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			h := newHarness(t)
			stay := 0
			for i := range 60 {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if random.IntN(2) == 0 {
					patience := time.Duration(random.Int64N(int64(10 * writeSpacing)))
					ctx, cancel = context.WithTimeout(ctx, patience)
				} else {
					stay++
				}
				defer cancel()
				h.enter(ctx, fmt.Sprint(i), rotator.Priority(random.IntN(4)))
				time.Sleep(time.Duration(random.Int64N(int64(writeSpacing / 3))))
			}
			h.group.Wait()
			h.wantSpacing() // they come faster than they pass, so no slot is late
			if len(h.passed)+len(h.gaveUp) != 60 || len(h.passed) < stay || len(h.writeLimiter.queue) != 0 {
				t.Errorf("seed %d: %d passed, %d gave up, %d are in the queue; %d meant to stay",
					seed, len(h.passed), len(h.gaveUp), len(h.writeLimiter.queue), stay)
			}
		})
	}
}
