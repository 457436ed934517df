package explore_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// pair is a fault and a later one in the same run of a schedule.
type pair [2]kind

func (p pair) String() string { return p[0].String() + "; then " + p[1].String() }

// pairs counts the schedules in which each pair occurred.
type pairs struct {
	// byMode has those of one provider and mode of the credentials, by its name.
	byMode map[string]*pairsOfMode
}

type pairsOfMode struct {
	schedules int
	// made are the calls that the schedules made. Every ordered pair of their faults
	// is possible.
	made map[string]bool
	hits map[pair]int
}

func newPairs() pairs { return pairs{byMode: map[string]*pairsOfMode{}} }

func newPairsOfMode() *pairsOfMode {
	return &pairsOfMode{made: map[string]bool{}, hits: map[pair]int{}}
}

// add counts a schedule, with all its runs.
func (p pairs) add(s schedule, runs []outcome) {
	name := s.provider + ", " + s.credentials
	m := p.byMode[name]
	if m == nil {
		m = newPairsOfMode()
		p.byMode[name] = m
	}
	met := map[pair]bool{}
	for _, got := range runs {
		for _, at := range got.calls {
			m.made[at.on] = true
		}
		for i, first := range got.met {
			for _, second := range got.met[i+1:] {
				met[pair{first, second}] = true
			}
		}
	}
	m.schedules++
	for one := range met {
		m.hits[one]++
	}
}

// possible returns the kinds of faults of the calls that were made.
func (m *pairsOfMode) possible() map[kind]bool {
	all := map[kind]bool{}
	for call := range m.made {
		for _, k := range kindsOf(call) {
			all[k] = true
		}
	}
	return all
}

// print shows how many pairs occurred.
func (p pairs) print() {
	all := newPairsOfMode()
	for _, name := range slices.Sorted(maps.Keys(p.byMode)) {
		m := p.byMode[name]
		if *table {
			m.print(name)
		}
		all.schedules += m.schedules
		maps.Copy(all.made, m.made)
		for one, hits := range m.hits {
			all.hits[one] += hits
		}
	}
	all.print("all modes")
	if !*table {
		return
	}
	for first := range all.possible() {
		for second := range all.possible() {
			all.hits[pair{first, second}] += 0
		}
	}
	rarest := func(a, b pair) int {
		if all.hits[a] != all.hits[b] {
			return all.hits[a] - all.hits[b]
		}
		return strings.Compare(a.String(), b.String())
	}
	for _, one := range slices.SortedFunc(maps.Keys(all.hits), rarest) {
		fmt.Printf("%7d  %v\n", all.hits[one], one)
	}
}

func (m *pairsOfMode) print(name string) {
	const often = 100
	n := 0
	for _, hits := range m.hits {
		if hits >= often {
			n++
		}
	}
	kinds := len(m.possible())
	fmt.Printf("%s: %d schedules; %d kinds of faults, so %d ordered pairs; %d of them hit, %d in %d schedules or more\n",
		name, m.schedules, kinds, kinds*kinds, len(m.hits), n, often)
}
