package explore_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// drawing makes a schedule of a seed.
type drawing struct {
	*rand.Rand
}

func pick[T any](d drawing, from []T) T { return from[d.IntN(len(from))] }

var (
	providerNames   = slices.Sorted(maps.Keys(providers))
	credentialNames = slices.Sorted(maps.Keys(credentialModes))
	eventNames      = slices.Sorted(maps.Keys(events))
)

// without draws a schedule without acts and faults.
func (d drawing) without() schedule {
	s := schedule{provider: pick(d, providerNames), credentials: pick(d, credentialNames), two: d.IntN(5) < 2, turns: d.IntN(4)}
	for range 2 + d.IntN(3) {
		b := beat{after: heartbeat}
		switch d.IntN(12) {
		case 0:
			b.after = time.Second // twice
		case 1:
			b.after = 3 * time.Minute // missed
		case 2:
			b.after = 20 * time.Second
		case 3, 4:
			b.after = untilDue
		}
		if d.IntN(6) == 0 {
			b.event = pick(d, eventNames)
		}
		s.beats = append(s.beats, b)
	}
	return s
}

// place draws one of the calls that were made: first its name, then which one.
func (d drawing) place(s schedule, calls []place, only func(place) bool) (place, bool) {
	byName := map[string][]place{}
	for _, at := range calls {
		if at.beat < len(s.beats) && only(at) {
			byName[at.on] = append(byName[at.on], at)
		}
	}
	if len(byName) > 1 && d.IntN(10) > 0 {
		delete(byName, "Lister.List")
	}
	if len(byName) == 0 {
		return place{}, false
	}
	return pick(d, byName[pick(d, slices.Sorted(maps.Keys(byName)))]), true
}

// explore draws the schedule of a seed and runs it: without anything, then with
// acts, then with one fault more each time. It returns the first schedule that
// fails, or the last.
func explore(t *testing.T, seed uint64, seen func(schedule, outcome)) (schedule, outcome) {
	d := drawing{rand.New(rand.NewPCG(seed, 0))}
	s := d.without()
	got := s.run(t)
	seen(s, got)
	if len(got.violations) > 0 {
		return s, got
	}
	if d.IntN(8) == 0 { // only an operator can help
		begin := place{0, "Lister.List", 1}
		s.acts = append(s.acts, act{begin, "the password changes"}, act{begin, "the refresh tokens expire"})
	}
	for range d.IntN(3) {
		at, ok := d.place(s, got.calls, func(place) bool { return true })
		switch {
		case !ok:
			continue
		case d.IntN(4) == 0:
			at.on, at.nth = "", 1
		}
		s.acts = append(s.acts, act{at, pick(d, actNames)})
		if d.IntN(5) == 0 { // at the same instant
			s.acts = append(s.acts, act{at, pick(d, actNames)})
		}
	}
	for faults := 1 + d.IntN(4); ; faults-- {
		if len(s.acts)+len(s.faults) > 0 {
			got = s.run(t)
			seen(s, got)
		}
		if faults == 0 || len(got.violations) > 0 {
			return s, got
		}
		earliest := 0
		if n := len(s.faults); n > 0 {
			earliest = s.faults[n-1].beat
		}
		at, ok := d.place(s, got.calls, func(at place) bool { return at.beat >= earliest })
		if !ok {
			return s, got
		}
		s = s.clone()
		s.faults = append(s.faults, injection{at, pick(d, faultsOf(at.on)), pick(d, []lasting{once, once, thisRun, fourMinutes})})
	}
}

// shrink takes away what a failure does not need.
func shrink(t *testing.T, s schedule, failure violation) schedule {
	fails := func(s schedule) bool {
		return slices.ContainsFunc(s.run(t).violations, func(v violation) bool { return v.promise == failure.promise && v.what == failure.what })
	}
	for smaller := true; smaller; {
		smaller = false
		for _, candidate := range s.smaller() {
			if fails(candidate) {
				s, smaller = candidate, true
				break
			}
		}
	}
	return s
}

// smaller returns schedules that are a little simpler, the simplest first.
func (s schedule) smaller() (all []schedule) {
	change := func(do func(*schedule)) {
		c := s.clone()
		do(&c)
		all = append(all, c)
	}
	for i := range s.acts {
		change(func(c *schedule) { c.acts = slices.Delete(c.acts, i, i+1) })
	}
	for i := range s.faults {
		change(func(c *schedule) { c.faults = slices.Delete(c.faults, i, i+1) })
	}
	last := 0
	for _, a := range s.acts {
		last = max(last, a.beat)
	}
	for _, i := range s.faults {
		last = max(last, i.beat)
	}
	if n := len(s.beats); n > 1 && n-1 > last {
		change(func(c *schedule) { c.beats = c.beats[:n-1] })
	}
	for i := range s.beats { // a beat in which nothing happens
		used := slices.ContainsFunc(s.acts, func(a act) bool { return a.beat == i }) || slices.ContainsFunc(s.faults, func(f injection) bool { return f.beat == i })
		if !used && len(s.beats) > 1 {
			change(func(c *schedule) {
				c.beats = slices.Delete(c.beats, i, i+1)
				for n := range c.acts {
					if c.acts[n].beat > i {
						c.acts[n].beat--
					}
				}
				for n := range c.faults {
					if c.faults[n].beat > i {
						c.faults[n].beat--
					}
				}
			})
		}
		if s.beats[i].event != "" {
			change(func(c *schedule) { c.beats[i].event = "" })
		}
		if s.beats[i].after != heartbeat && s.beats[i].after != untilDue {
			change(func(c *schedule) { c.beats[i].after = heartbeat })
		}
	}
	if s.two {
		change(func(c *schedule) { c.two = false })
	}
	if s.turns > 0 {
		change(func(c *schedule) { c.turns-- })
	}
	for _, simpler := range []string{"keeps", "rotates"} {
		if s.provider == simpler {
			break
		}
		change(func(c *schedule) { c.provider = simpler })
	}
	for _, simpler := range []string{"refresh token", "refresh token and login"} {
		if s.credentials == simpler {
			break
		}
		change(func(c *schedule) { c.credentials = simpler })
	}
	for i := range s.faults {
		if s.faults[i].lasts != once {
			change(func(c *schedule) { c.faults[i].lasts = once })
		}
	}
	return all
}
