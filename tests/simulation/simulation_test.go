// Package simulation_test runs the rotator, and alternatives that people use
// instead, through months of disturbances.
package simulation_test

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	long  = flag.Bool("long", false, "the whole simulation and not a sample")
	first = flag.Uint64("seed", 1, "the first of the seeds; three in a row have the three modes of the server, six both kinds of credentials")
)

const seeds = 6

// TestMain lets memory grow before it is collected: most of the time is spent on
// requests that live for a moment.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// Whatever happens, a job has an expired token only in outages that are longer than
// the refresh window, and a refresh token is lost only if the server's answer was
// lost.
func TestSimulation(t *testing.T) {
	days := 4
	if *long {
		days = 90
	}
	length := time.Duration(days) * day
	var mu sync.Mutex
	sums := [modes]map[string]tally{}
	for m := range sums {
		sums[m] = map[string]tally{}
	}
	began := time.Now()
	t.Run("lives", func(t *testing.T) {
		for n := range uint64(seeds) {
			scenario := newScenario(*first+n, length)
			for _, p := range policies() {
				t.Run(fmt.Sprintf("seed %d, %s", scenario.seed, p.name), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						result := simulate(t, scenario, p)
						if strings.HasPrefix(p.name, "this rotator") {
							checkRotator(t, scenario, result)
						}
						mu.Lock()
						defer mu.Unlock()
						sum := sums[scenario.mode][p.name]
						sum.add(result)
						sums[scenario.mode][p.name] = sum
					})
				})
			}
		}
	})
	var names []string
	for _, p := range policies() {
		names = append(names, p.name)
	}
	fmt.Printf("%d simulated days under each policy: seeds %d to %d, %d days each (%v)\n",
		days*seeds, *first, *first+seeds-1, days, time.Since(began).Round(time.Second/10))
	fmt.Print(legend)
	for m := range modes {
		if len(sums[m]) > 0 {
			table(os.Stdout, m, names, sums[m])
		}
	}
}

// The seed determines everything.
func TestSimulationRepeatsExactly(t *testing.T) {
	for _, p := range policies() {
		var told [2]string
		for i := range told {
			synctest.Test(t, func(t *testing.T) {
				told[i] = fmt.Sprintf("%+v", simulate(t, newScenario(*first, 2*day), p))
			})
		}
		if told[0] != told[1] {
			t.Errorf("%s lived the same scenario in two ways:\n%.400s\n%.400s", p.name, told[0], told[1])
		}
	}
}

func checkRotator(t *testing.T, scenario *scenario, result tally) {
	t.Helper()
	for i, r := range result.unexplained {
		if i == 5 {
			t.Errorf("and %d more", len(result.unexplained)-i)
			break
		}
		t.Errorf("seed %d: a job read a token %v after its end, at %v, and no outage longer than the refresh window explains it", scenario.seed, r.at-r.expiry, r.at)
	}
	if scenario.mode != refreshTokenRotates && result.refreshTokensLost > 0 || result.refreshTokensLost > result.answersLost {
		t.Errorf("seed %d: %d refresh tokens were lost, %d answers of the server were", scenario.seed, result.refreshTokensLost, result.answersLost)
	}
	if result.none > 0 {
		t.Errorf("seed %d: %d reads found no token at all", scenario.seed, result.none)
	}
}
