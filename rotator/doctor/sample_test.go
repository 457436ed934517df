package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// With many connections the doctor writes to a sample of them. The others count as
// ok.
func TestWritesOfManyConnections(t *testing.T) {
	for _, c := range []struct {
		connections, parameterWrites int
		writeSpacing                 time.Duration
	}{
		{100, 100, time.Second * 10 / 29},
		{101, 100, time.Second * 10 / 29},
		{1000, 100, time.Second * 10 / 29},
		{1000, 84, 2 * time.Second}, // heartbeats use the account's write rate
	} {
		t.Run(fmt.Sprintf("%d, a write every %v", c.connections, c.writeSpacing), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFakeStack()
				s.connections, s.writeSpacing = nil, c.writeSpacing
				for i := range c.connections {
					s.connections = append(s.connections, fmt.Sprintf("c%04d", i))
				}
				s.fails = func(call string) error { time.Sleep(100 * time.Millisecond); return nil }
				started := time.Now()
				report, _, err := s.check(t)
				if wrong := failedChecks(report); err != nil || len(wrong) > 0 || time.Since(started) > defaultTimeout {
					t.Errorf("%v, %v after %v", err, wrong, time.Since(started))
				}
				if want := 10 * c.connections; len(report.Checks) != want {
					t.Errorf("%d checks, want %d", len(report.Checks), want)
				}
				notChecked := 0
				for _, check := range report.Checks {
					if check.Check == CheckParameters && strings.HasPrefix(check.Message, "not checked") {
						notChecked++
					}
				}
				calls := s.called("put ")
				written := len(calls)
				calls = slices.DeleteFunc(calls, func(call string) bool { return call == "put check" })
				if written -= len(calls); len(calls) != 2*min(c.connections, sampleSize) {
					t.Errorf("%d secrets were written", len(calls))
				}
				if written != c.parameterWrites || notChecked != c.connections-written {
					t.Errorf("%d parameters were written and %d not checked, want %d written", written, notChecked, c.parameterWrites)
				}
			})
		})
	}
}

func TestASampleIsSpreadEvenly(t *testing.T) {
	for _, n := range []int{1, 2, 99, 100, 101, 150, 200, 250, 999, 1000, 1234} {
		chosen, gap, longest := 0, 0, 0
		for i := range n {
			if inSample(i, n) {
				chosen, gap = chosen+1, 0
				continue
			}
			gap++
			longest = max(longest, gap)
		}
		if chosen != min(n, sampleSize) || longest > n/sampleSize {
			t.Errorf("of %d connections %d are in the sample, and at most %d between two are not", n, chosen, longest)
		}
	}
}

// A write that was tried and failed is reported, also if the time ran out.
func TestAWriteThatFailsIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStack()
		s.fails = func(call string) error {
			if call == "put check" {
				return errors.New("PutParameter: timed out")
			}
			return nil
		}
		report, _, _ := s.check(t)
		if wrong := failedChecks(report); !strings.Contains(wrong[CheckParameters], "PutParameter: timed out") {
			t.Errorf("%v", wrong)
		}
	})
}
