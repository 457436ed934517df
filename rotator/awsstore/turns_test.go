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

// turn is who was let through, and when.
type slot struct {
	who string
	at  time.Duration
}

// queue sends waiters into one turnstile and notes in which order they pass.
type queue struct {
	t            *testing.T
	writeLimiter *writeLimiter
	start        time.Time
	group        sync.WaitGroup

	mu     sync.Mutex
	passed []slot
	gaveUp []string
}

func newQueue(t *testing.T) *queue {
	return &queue{t: t, writeLimiter: newWriteLimiter(writeSpacing), start: time.Now()}
}

// enter returns when the newcomer has passed or stands in line.
func (q *queue) enter(ctx context.Context, who string, priority rotator.Priority) {
	q.group.Go(func() {
		err := q.writeLimiter.wait(ctx, priority)
		q.mu.Lock()
		defer q.mu.Unlock()
		if err != nil {
			if !errors.Is(err, ctx.Err()) {
				q.t.Errorf("%s: error %v, want the context's", who, err)
			}
			q.gaveUp = append(q.gaveUp, who)
			return
		}
		q.passed = append(q.passed, slot{who, time.Since(q.start)})
	})
	synctest.Wait()
}

func (q *queue) order() []string {
	q.group.Wait()
	var names []string
	for _, p := range q.passed {
		names = append(names, p.who)
	}
	return names
}

func (q *queue) wantOrder(want ...string) {
	q.t.Helper()
	if got := q.order(); !slices.Equal(got, want) {
		q.t.Errorf("passed in the order %v, want %v", got, want)
	}
}

// wantSpacing checks that nobody passed early and that no turn went unused.
func (q *queue) wantSpacing() {
	q.t.Helper()
	for i, p := range q.passed {
		if want := time.Duration(i) * writeSpacing; p.at != want {
			q.t.Errorf("turn %d (%s) at %v, want %v", i, p.who, p.at, want)
		}
	}
}

func TestTurnsStayUnderThreeASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		for i := range 40 {
			q.enter(t.Context(), fmt.Sprint(i), 1)
		}
		q.group.Wait()
		q.wantSpacing()
		for i := range len(q.passed) - 3 {
			if within := q.passed[i+3].at - q.passed[i].at; within <= time.Second {
				t.Fatalf("4 turns within %v", within)
			}
		}
	})
}

func TestTurnsAfterAPauseAreNotSavedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		q.enter(t.Context(), "first", 1)
		time.Sleep(time.Hour)
		q.start = time.Now()
		q.passed = nil
		for i := range 3 {
			q.enter(t.Context(), fmt.Sprint(i), 1)
		}
		q.wantOrder("0", "1", "2")
		q.wantSpacing()
	})
}

func TestTurnsGoByPriorityThenArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		q.enter(t.Context(), "first", 9) // nobody else is there yet
		q.enter(t.Context(), "late lease", 3)
		q.enter(t.Context(), "lease a", 2)
		q.enter(t.Context(), "lease b", 2)
		q.enter(t.Context(), "record a", rotator.PriorityRecord)
		q.enter(t.Context(), "urgent lease", 1)
		q.enter(t.Context(), "lease c", 2)
		q.enter(t.Context(), "record b", rotator.PriorityRecord)
		q.wantOrder("first", "record a", "record b", "urgent lease",
			"lease a", "lease b", "lease c", "late lease")
		q.wantSpacing()
	})
}

func TestTurnsLetANewcomerPastWhoeverWatchesTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		q.enter(t.Context(), "first", 1)
		q.enter(t.Context(), "lease", 1)
		time.Sleep(writeSpacing - time.Nanosecond)
		q.enter(t.Context(), "record", rotator.PriorityRecord)
		q.wantOrder("first", "record", "lease")
		q.wantSpacing()
	})
}

func TestTurnsOfThoseWhoGiveUpAreNotLost(t *testing.T) {
	for _, giveUpAfter := range []time.Duration{0, writeSpacing / 2} {
		for _, who := range []string{"at the front", "in the middle", "at the end"} {
			t.Run(fmt.Sprintf("%s after %v", who, giveUpAfter), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					q := newQueue(t)
					ctx, cancel := context.WithCancel(t.Context())
					q.enter(t.Context(), "first", 0)
					want := []string{"first"}
					for _, name := range []string{"at the front", "in the middle", "at the end"} {
						if name == who {
							q.enter(ctx, name, 1)
							continue
						}
						q.enter(t.Context(), name, 1)
						want = append(want, name)
					}
					time.Sleep(giveUpAfter)
					cancel()
					q.wantOrder(want...)
					q.wantSpacing()
					if !slices.Equal(q.gaveUp, []string{who}) {
						t.Errorf("gave up: %v, want %q alone", q.gaveUp, who)
					}
				})
			})
		}
	}
}

func TestTurnsEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writeLimiter := newWriteLimiter(writeSpacing)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := writeLimiter.wait(ended, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: %v, want context.Canceled", err)
		}
		start := time.Now()
		if err := writeLimiter.wait(t.Context(), 0); err != nil || time.Since(start) != 0 {
			t.Errorf("it took a turn: the next one waited %v, %v", time.Since(start), err)
		}
		short, cancel := context.WithTimeout(t.Context(), writeSpacing/4)
		defer cancel()
		if err := writeLimiter.wait(short, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a deadline before the turn: %v, want context.DeadlineExceeded", err)
		}
		if len(writeLimiter.line) != 0 {
			t.Errorf("%d are left in the line", len(writeLimiter.line))
		}
	})
}

// Two waiters at the front change places while either may give up: whatever
// the order of events, whoever stays passes at the next turn.
func TestTurnsHandTheFrontBackWhenANewcomerGivesUp(t *testing.T) {
	for _, after := range []time.Duration{0, writeSpacing / 3, writeSpacing - time.Nanosecond} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueue(t)
				q.enter(t.Context(), "first", 1)
				q.enter(t.Context(), "lease", 1)
				ctx, cancel := context.WithCancel(t.Context())
				q.enter(ctx, "record", rotator.PriorityRecord)
				time.Sleep(after)
				cancel()
				q.wantOrder("first", "lease")
				q.wantSpacing()
			})
		})
	}
}

// A crowd that comes and gives up at random: nobody is stuck (synctest fails
// on a deadlock), nobody passes early, nobody is left in the line, and no turn
// goes unused while somebody stays.
func TestTurnsOfARandomCrowd(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			q := newQueue(t)
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
				q.enter(ctx, fmt.Sprint(i), rotator.Priority(random.IntN(4)))
				time.Sleep(time.Duration(random.Int64N(int64(writeSpacing / 3))))
			}
			q.group.Wait()
			q.wantSpacing() // they come faster than they pass, so no turn is late
			if len(q.passed)+len(q.gaveUp) != 60 || len(q.passed) < stay || len(q.writeLimiter.line) != 0 {
				t.Errorf("seed %d: %d passed, %d gave up, %d are in the line; %d meant to stay",
					seed, len(q.passed), len(q.gaveUp), len(q.writeLimiter.line), stay)
			}
		})
	}
}
