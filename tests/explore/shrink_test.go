package explore_test

import (
	"slices"
	"testing"
)

// shrink removes what is not necessary for a failure.
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

// smaller returns schedules that are a little simpler, beginning with the simplest.
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
