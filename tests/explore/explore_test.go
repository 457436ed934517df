package explore_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	schedules = flag.Int("schedules", 100, "how many schedules are run; 0 is as many as the time allows")
	lasts     = flag.Duration("time", time.Minute, "how long schedules are run where their number is 0")
	firstSeed = flag.Uint64("seed", 1, "the first of the seeds")
	show      = flag.Bool("show", false, "print what each invocation reports")
	table     = flag.Bool("table", false, "print the pairs of faults by mode, and how often each was hit")
)

// TestMain lets memory grow before it is collected: most of the time is spent on
// requests that live for a moment.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// tally has the results of all schedules.
type tally struct {
	mu       sync.Mutex
	began    time.Time
	runs     int
	pairs    pairs
	failures map[string]*failure
}

// failure is one kind of violation.
type failure struct {
	seeds []uint64
	after time.Duration // until it was found
	first schedule
	violation
}

// TestExplore runs schedules on all cores. It fails with each kind of failure, once.
func TestExplore(t *testing.T) {
	y := &tally{pairs: newPairs(), failures: map[string]*failure{}, began: time.Now()}
	var next, done atomic.Uint64
	next.Store(*firstSeed - 1)
	t.Run("schedules", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for {
					seed := next.Add(1)
					if *schedules > 0 && seed >= *firstSeed+uint64(*schedules) || *schedules == 0 && time.Since(y.began) >= *lasts {
						return
					}
					var runs []outcome
					s, got := explore(t, seed, func(got outcome) { runs = append(runs, got) })
					y.add(s, runs)
					y.note(t, seed, s, got)
					done.Add(1)
				}
			})
		}
	})
	took := time.Since(y.began)
	fmt.Printf("%d schedules in %d runs, %.0f runs a second, seeds %d to %d (%v)\n",
		done.Load(), y.runs, float64(y.runs)/took.Seconds(), *firstSeed, *firstSeed+done.Load()-1, took.Round(time.Second))
	y.pairs.print()
	for _, kind := range slices.Sorted(maps.Keys(y.failures)) {
		f := y.failures[kind]
		t.Errorf("%v\n%d schedules, the first after %v, seeds: %v\n\nfunc TestFound(t *testing.T) {\n\tholds(t, %v)\n}",
			f.violation, len(f.seeds), f.after.Round(100*time.Millisecond), f.seeds[:min(len(f.seeds), 10)], strings.ReplaceAll(f.first.String(), "\n", "\n\t"))
	}
}

func (y *tally) add(s schedule, runs []outcome) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.runs += len(runs)
	y.pairs.add(s, runs)
}

// note records a failure, and shrinks the first one of its kind.
func (y *tally) note(t *testing.T, seed uint64, s schedule, got outcome) {
	if len(got.violations) == 0 {
		return
	}
	v := got.violations[0]
	kind := fmt.Sprintf("%d %s", v.promise, v.what)
	y.mu.Lock()
	f, known := y.failures[kind]
	if !known {
		f = &failure{violation: v, first: s, after: time.Since(y.began)}
		y.failures[kind] = f
	}
	f.seeds = append(f.seeds, seed)
	y.mu.Unlock()
	if !known {
		fmt.Printf("seed %d: %v\n", seed, v)
		shrunk := shrink(t, s, v)
		y.mu.Lock()
		f.first = shrunk
		y.mu.Unlock()
	}
}

// holds runs a schedule that failed once before.
func holds(t *testing.T, s schedule) {
	t.Helper()
	for _, v := range s.run(t).violations {
		t.Error(v)
	}
}
