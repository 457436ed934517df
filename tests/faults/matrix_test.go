package faults_test

import (
	"flag"
	"fmt"
	"hash/crc32"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/harness/extent"
	"reltio-token-rotator/tests/harness/race"
)

// tally is the result of the matrix, over all failure cases.
type tally struct {
	mu              sync.Mutex
	cases           int
	met             map[string]map[string]int // cases by method and fault
	lost            map[string]int            // by how
	concurrentWrite map[string]int
	loginBackedOff  int
}

func newTally() *tally {
	return &tally{met: map[string]map[string]int{}, lost: map[string]int{}, concurrentWrite: map[string]int{}}
}

func (y *tally) add(c failureCase, r, baseline result) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.cases++
	var hows []string
	for _, i := range c.injections {
		if r.faulty > 0 {
			if y.met[i.call.Method] == nil {
				y.met[i.call.Method] = map[string]int{}
			}
			y.met[i.call.Method][i.fault.name]++
		}
		how := fmt.Sprintf("%v %v", i.call, i.fault)
		if i.call.Method == "Pending.PutPending" {
			how += ", and Secrets Manager refused before"
		}
		hows = append(hows, how)
	}
	how := strings.Join(hows, ", ")
	if r.lost(c, baseline) {
		y.lost[how]++
	}
	if r.concurrentWrite {
		y.concurrentWrite[how]++
	}
	if r.loginBackedOff {
		y.loginBackedOff++
	}
}

// print shows the counts that docs/reliability.md explains.
func (y *tally) print(t *testing.T) {
	t.Logf("%d failure cases", y.cases)
	show := func(what string, counts map[string]int) {
		for _, how := range slices.Sorted(maps.Keys(counts)) {
			t.Logf("%s: %s (%d cases)", what, how, counts[how])
		}
	}
	show("refresh token lost", y.lost)
	show("an operator's credentials to be written again", y.concurrentWrite)
	t.Logf("logins not tried for up to an hour, after two whose answers were lost: %d cases", y.loginBackedOff)
}

func TestMatrix(t *testing.T) {
	y := newTally()
	t.Run("cases", func(t *testing.T) {
		for _, at := range slices.Concat(situations, twoSets) {
			for _, p := range providers {
				for _, password := range []bool{false, true} {
					if at.fits != nil && !at.fits(p, password) {
						continue
					}
					name := fmt.Sprintf("%s/%s/password %v", at.name, p.name, password)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						y.row(t, failureCase{situation: at, provider: p, password: password, operator: -1})
					})
				}
			}
		}
	})
	y.print(t)
	if race.Enabled || strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // only some of the cases
	}
	for _, f := range faults {
		if !slices.ContainsFunc(slices.Collect(maps.Values(y.met)), func(by map[string]int) bool { return by[f.name] > 0 }) {
			t.Errorf("no failure case in which a call is %v", f)
		}
	}
	if !extent.Full() {
		return
	}
	for _, method := range methods(t) {
		for _, f := range faults {
			if f.canMeet(call{Method: method}) && y.met[method][f.name] == 0 {
				t.Errorf("no failure case in which %s is %v", method, f)
			}
		}
	}
}

// row is every fault at every call of one situation.
func (y *tally) row(t *testing.T, c failureCase) {
	baseline := y.run(t, c, nil)
	// With the race detector the whole matrix takes many minutes, and a sample finds
	// the same races.
	durations := []lasting{once, thisRun, fourMinutes}
	if race.Enabled {
		durations = durations[:1]
	}
	c.each(baseline, faults, durations, func(c failureCase) result { return y.run(t, c, &baseline) })

	for at := range len(baseline.calls) + 1 {
		c.operator = at
		if !extent.Has(c.number(), 4) {
			continue
		}
		baseline := y.run(t, c, nil)
		if c.crowded && c.provider.crowded && (!c.password || c.fits != nil && !c.fits(c.provider, false)) {
			c.each(baseline, []*fault{refused, answerLost, killedBefore, killedAfter}, []lasting{once}, func(c failureCase) result {
				return y.run(t, c, &baseline)
			})
		}
	}
}

// number is arbitrary and always the same, so that a short run has some cases of
// each kind.
func (c failureCase) number() int {
	return int(crc32.ChecksumIEEE([]byte(c.situation.name + c.provider.name + strconv.FormatBool(c.password) + c.String())))
}

// oneOf returns of how many cases of a fault one is run. What the race detector finds
// in a part, it finds in all of them.
func oneOf(f *fault) int {
	switch {
	case extent.Full() && race.Enabled:
		return 4
	case extent.Full():
		return 1
	case f.only != "":
		return 5
	}
	return 17
}

// each makes the cases of every call of a baseline.
func (c failureCase) each(baseline result, faults []*fault, durations []lasting, do func(failureCase) result) {
	for at, met := range baseline.calls {
		for _, f := range faults {
			if !f.canMeet(met) {
				continue
			}
			repeated, each := true, oneOf(f)
			for _, lasts := range durations {
				if !f.canLast(lasts) || lasts == thisRun && !repeated {
					continue // impossible, or the same as once
				}
				c.injections = []injection{{0, at, met, f, lasts}}
				if c.number()%each != 0 {
					continue
				}
				r := do(c)
				repeated = count(r.calls[min(at+1, len(r.calls)):], met.String()) > 0
			}
		}
	}
}

// run is one case as a test of its own, compared with the baseline of its
// situation unless it is the baseline.
func (y *tally) run(t *testing.T, c failureCase, baseline *result) (r result) {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { r = c.run(t) })
		if baseline == nil {
			baseline = &r
		}
		r.check(t, c, *baseline)
		y.add(c, r, *baseline)
	}
	if len(c.injections) == 0 {
		test(t) // the others are made from its calls
		return r
	}
	t.Run(c.String(), test)
	return r
}

// methods are all methods of the rotator's interfaces, found by reflection. A new
// interface or method without failure cases fails the test.
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
