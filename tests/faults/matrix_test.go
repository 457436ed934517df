package crash_test

import (
	"flag"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/harness/race"
)

// tally is what the matrix found, over all cells.
type tally struct {
	mu              sync.Mutex
	cells           int
	met             map[string]map[fault]int // cells by method and fault
	lost            map[string]int           // by how
	concurrentWrite map[string]int
	loginBackedOff  int
}

func newTally() *tally {
	return &tally{met: map[string]map[fault]int{}, lost: map[string]int{}, concurrentWrite: map[string]int{}}
}

func (y *tally) add(c cell, f, calm found) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.cells++
	if f.struck > 0 {
		if y.met[c.strike.call.method] == nil {
			y.met[c.strike.call.method] = map[fault]int{}
		}
		y.met[c.strike.call.method][c.strike.fault]++
	}
	how := fmt.Sprintf("%v %v", c.strike.call, c.strike.fault)
	if c.strike.call.method == "Pending.PutPending" {
		how += ", and Secrets Manager refused before"
	}
	if f.lost(c, calm) {
		y.lost[how]++
	}
	if f.concurrentWrite {
		y.concurrentWrite[how]++
	}
	if f.loginBackedOff {
		y.loginBackedOff++
	}
}

// print shows the counts that docs/reliability.md explains.
func (y *tally) print(t *testing.T) {
	t.Logf("%d cells", y.cells)
	show := func(what string, counts map[string]int) {
		for _, how := range slices.Sorted(maps.Keys(counts)) {
			t.Logf("%s: %s (%d cells)", what, how, counts[how])
		}
	}
	show("refresh token lost", y.lost)
	show("a person's credentials to be put again", y.concurrentWrite)
	t.Logf("logins not tried for up to an hour, after two whose answers were lost: %d cells", y.loginBackedOff)
}

func TestMatrix(t *testing.T) {
	y := newTally()
	t.Run("cells", func(t *testing.T) {
		for _, at := range situations {
			for _, p := range providers {
				for _, password := range []bool{false, true} {
					if at.fits != nil && !at.fits(p, password) {
						continue
					}
					name := fmt.Sprintf("%s/%s/password %v", at.name, p.name, password)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						y.row(t, cell{situation: at, provider: p, password: password, person: -1})
					})
				}
			}
		}
	})
	y.print(t)
	if testing.Short() || strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // only some of the cells
	}
	if race.Enabled {
		return
	}
	for _, method := range methods(t) {
		for _, f := range faults {
			if y.met[method][f] == 0 {
				t.Errorf("no cell in which %s is %v", method, f)
			}
		}
	}
}

// row is every fault at every call of one situation.
func (y *tally) row(t *testing.T, c cell) {
	calm := y.play(t, c, nil)
	// With the race detector the whole matrix takes many minutes, and a part of it
	// finds the same races.
	durations := []lasting{once, thisRun, fourMinutes}
	if race.Enabled {
		durations = durations[:1]
	}
	c.each(calm, faults, durations, func(c cell) found { return y.play(t, c, &calm) })

	for at := range len(calm.calls) + 1 {
		c.person = at
		calm := y.play(t, c, nil)
		if c.crowded && c.provider.crowded && (!c.password || c.fits != nil && !c.fits(c.provider, false)) {
			c.each(calm, []fault{refused, answerLost, killedBefore, killedAfter}, []lasting{once}, func(c cell) found { return y.play(t, c, &calm) })
		}
	}
}

// sample is how many cells there are for each that go test -short plays, so that
// the race detector gets through.
const sample = 17

// each makes the cells of every call of an undisturbed run.
func (c cell) each(calm found, faults []fault, lastings []lasting, do func(cell) found) {
	possible := 0
	for at, met := range calm.calls {
		for _, f := range faults {
			repeated := true
			for _, lasts := range lastings {
				if !f.lasts(lasts) || lasts == thisRun && !repeated {
					continue // impossible, or the same as once
				}
				if possible++; testing.Short() && possible%sample != 0 {
					continue
				}
				c.strike = strike{at, met, f, lasts}
				struck := do(c)
				repeated = count(struck.calls[min(at+1, len(struck.calls)):], met.String()) > 0
			}
		}
	}
}

// play is one cell as a test of its own, compared with the undisturbed run of
// its situation unless it is that run.
func (y *tally) play(t *testing.T, c cell, calm *found) (f found) {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f = c.play(t) })
		if calm == nil {
			calm = &f
		}
		f.hold(t, c, *calm)
		y.add(c, f, *calm)
	}
	if c.strike.fault == noFault {
		test(t) // the others are made from its calls
		return f
	}
	t.Run(c.String(), test)
	return f
}

// methods are all that a rotator can do to the outside, by reflection: a new
// interface or method without cells fails the test.
func methods(t *testing.T) []string {
	var names []string
	for field := range reflect.TypeFor[rotator.Rotator]().Fields() {
		if field.Type.Kind() != reflect.Interface {
			continue
		}
		for method := range field.Type.Methods() {
			names = append(names, field.Name+"."+method.Name)
		}
	}
	if len(names) == 0 {
		t.Fatal("no interface was found")
	}
	return names
}
