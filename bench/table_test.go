package main

import (
	"strings"
	"testing"
)

func TestTheTable(t *testing.T) {
	var got table
	got.add("Start", []row{
		{what: "ours", unit: milliseconds, figures: []float64{0.004, 0.006, 0.005}, references: []float64{0.002, 0.002, 0.002}, against: "hello world", goal: 2},
		{what: "ours", unit: milliseconds, figures: []float64{0.005, 0.005}, references: []float64{0.25, 0.2}, against: "Python", goal: 1.0 / 30},
	})
	got.add("Start", []row{{what: "to talk of", unit: kilobytes, figures: []float64{1200}}})
	got.add("Skipped", nil)
	got.add("Counts", []row{
		{what: "calls", unit: times, figures: []float64{6}, goal: 5, count: true},
		{what: "memory", unit: megabytes, figures: []float64{15e6, 17e6, 16e6}, goal: 20e6, count: true},
	})
	want := strings.TrimPrefix(`
              figure                     reference           ratio (min–max)   goal
Start
  ours        5.0 ms                     2.0 ms hello world  2.50 (2.00–3.00)  ≤ 2.00     MISSED
  ours        5.0 ms                     225.0 ms Python     1/44 (1/50–1/40)  ≤ 1/30
  to talk of  1.2 kB
Counts
  calls       6                                                                ≤ 5        MISSED
  memory      16.0 MB (15.0 MB–17.0 MB)                                        ≤ 20.0 MB
`, "\n")
	if got.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", got.String(), want)
	}
}

// A count above its goal fails the run; a time is only marked.
func TestWhatFailsTheRun(t *testing.T) {
	slow := row{what: "slow", unit: milliseconds, figures: []float64{9}, references: []float64{1}, goal: 2}
	for name, test := range map[string]struct {
		rows []row
		says string
	}{
		"nothing":                {rows: []row{{what: "calls", unit: times, figures: []float64{5}, goal: 5, count: true}}},
		"a time":                 {rows: []row{slow}},
		"a count":                {rows: []row{slow, {what: "calls", unit: times, figures: []float64{6}, goal: 5, count: true}}, says: "above the goal: Calls, calls"},
		"what must not happen":   {rows: []row{{what: "requests", unit: times, figures: []float64{1}, goal: none, count: true}}, says: "requests"},
		"and what did not":       {rows: []row{{what: "requests", unit: times, figures: []float64{0}, goal: none, count: true}}},
		"a count without a goal": {rows: []row{{what: "calls", unit: times, figures: []float64{6}, count: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			var table table
			table.add("Calls", test.rows)
			err := table.failure()
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
}
