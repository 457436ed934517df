package main

import (
	"fmt"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
)

// tally counts what happened and judges it.
type tally struct {
	beats, failedBeats int
	outcomes           map[rotator.Outcome]int
	// what a heartbeat of each kind cost
	idleCalls, refreshCalls span

	reads, live, dead  int
	stranded, jobFails int
	longestRefused     time.Duration
}

// span is the least and the most of a number seen.
type span struct {
	least, most int
	seen        bool
}

func (s *span) add(n int) {
	if !s.seen {
		*s = span{least: n, most: n, seen: true}
	}
	s.least, s.most = min(s.least, n), max(s.most, n)
}

func (s span) String() string {
	switch {
	case !s.seen:
		return "-"
	case s.least == s.most:
		return fmt.Sprint(s.least)
	}
	return fmt.Sprintf("%d to %d", s.least, s.most)
}

func (t *tally) addBeat(b beat) {
	if t.outcomes == nil {
		t.outcomes = map[rotator.Outcome]int{}
	}
	t.beats++
	if b.failed() {
		t.failedBeats++
		return
	}
	t.outcomes[b.result.Outcome]++
	switch b.result.Outcome {
	case rotator.NotDue:
		t.idleCalls.add(b.awsCalls)
	case rotator.Refreshed:
		t.refreshCalls.add(b.awsCalls)
	}
}

func (t *tally) addWork(w work) {
	t.reads += w.live + w.dead
	t.live += w.live
	t.dead += w.dead
	t.longestRefused = max(t.longestRefused, w.refusedFor)
	if w.stranded {
		t.stranded++
	}
	if w.err != nil {
		t.jobFails++
	}
}

// complaints are the reasons why it did not go well; none when it did. Where
// Ctrl-C ended it at once, there need not have been a token yet.
func (t *tally) complaints(interrupted bool) []string {
	var list []string
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(t.failedBeats > 0, "%s failed", count(t.failedBeats, "heartbeat"))
	add(t.stranded > 0, "the job was left with a dead token %s (re-read for %s)", count(t.stranded, "time"), brief(t.longestRefused))
	add(t.jobFails > 0, "the job could not work %s for another reason", count(t.jobFails, "time"))
	add(t.live == 0 && !interrupted, "the job never saw a live token")
	return list
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// brief is a duration in its largest units.
func brief(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}
