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
	table     = flag.Bool("table", false, "print how often each ordered pair of faults was hit")
)

// TestMain lets memory grow before it is collected: most of the time is spent on
// requests that live for a moment.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// tally is what all schedules show.
type tally struct {
	mu       sync.Mutex
	began    time.Time
	runs     int
	byCall   map[string]int    // hits by call and fault
	pairs    map[[2]string]int // hits of one after another in a run
	failures map[string]*failure
}

// failure is one kind of violation.
type failure struct {
	seeds []uint64
	after time.Duration // until it was found
	first schedule
	violation
}

func (y *tally) add(s schedule, got outcome) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.runs++
	met := map[[2]string]bool{}
	for i, first := range got.met {
		y.byCall[first]++
		for _, second := range got.met[i+1:] {
			met[[2]string{first, second}] = true
		}
	}
	for pair := range met {
		y.pairs[pair]++
	}
}

// TestExplore runs schedules on all cores. It fails with each kind of failure, once.
func TestExplore(t *testing.T) {
	y := &tally{byCall: map[string]int{}, pairs: map[[2]string]int{}, failures: map[string]*failure{}, began: time.Now()}
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
					s, got := explore(t, seed, y.add)
					y.note(t, seed, s, got)
					done.Add(1)
				}
			})
		}
	})
	took := time.Since(y.began)
	fmt.Printf("%d schedules in %d runs, %.0f runs a second, seeds %d to %d (%v)\n",
		done.Load(), y.runs, float64(y.runs)/took.Seconds(), *firstSeed, *firstSeed+done.Load()-1, took.Round(time.Second))
	y.printPairs()
	for _, kind := range slices.Sorted(maps.Keys(y.failures)) {
		f := y.failures[kind]
		t.Errorf("%v\n%d schedules, the first after %v, seeds: %v\n\nfunc TestFound(t *testing.T) {\n\tholds(t, %v)\n}",
			f.violation, len(f.seeds), f.after.Round(100*time.Millisecond), f.seeds[:min(len(f.seeds), 10)], strings.ReplaceAll(f.first.String(), "\n", "\n\t"))
	}
}

// note notes a failure, and shrinks the first one of its kind.
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
		shrunk := shrink(t, s, v)
		y.mu.Lock()
		f.first = shrunk
		y.mu.Unlock()
	}
}

// printPairs shows how often two faults struck one after the other.
func (y *tally) printPairs() {
	const often = 100
	n := 0
	for pair, hits := range y.pairs {
		if hits >= often {
			n++
		}
		if *table {
			fmt.Printf("%7d  %s, then %s\n", hits, pair[0], pair[1])
		}
	}
	fmt.Printf("%d faults of calls; %d ordered pairs of them were hit, %d at least %d times\n", len(y.byCall), len(y.pairs), n, often)
}

// holds runs a schedule that failed once.
func holds(t *testing.T, s schedule) {
	t.Helper()
	for _, v := range s.run(t).violations {
		t.Error(v)
	}
}
