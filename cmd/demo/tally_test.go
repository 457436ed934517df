package main

import (
	"errors"
	"slices"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
)

func TestTheVerdict(t *testing.T) {
	var (
		fine     = work{live: 1}
		replaced = work{live: 1, dead: 2, refusedFor: 60 * time.Millisecond}
		stranded = work{dead: 20, stranded: true, refusedFor: 1100 * time.Millisecond}
		nothing  = work{}
		broken   = work{err: errors.New("no")}
		notDue   = beat{result: rotator.Result{Outcome: rotator.NotDue}, awsCalls: 1}
		failed   = beat{failure: "RotationFailed: default: throttled"}
	)
	tests := []struct {
		name        string
		works       []work
		beats       []beat
		interrupted bool
		want        []string
	}{
		{name: "all live", works: []work{fine, fine}, beats: []beat{notDue}},
		{name: "before the first token", works: []work{nothing, fine}},
		{name: "a dead token, replaced on re-reading", works: []work{fine, replaced}},
		{name: "a dead token that stays", works: []work{fine, stranded, stranded}, want: []string{"the job was left with a dead token 2 times (re-read for 1.1 s)"}},
		{name: "a job that cannot work", works: []work{fine, broken}, want: []string{"the job could not work 1 time for another reason"}},
		{name: "a failed heartbeat", works: []work{fine}, beats: []beat{notDue, failed}, want: []string{"1 heartbeat failed"}},
		{name: "never a token", works: []work{nothing}, want: []string{"the job never saw a live token"}},
		{name: "ended before there was one", works: []work{nothing}, interrupted: true},
		{name: "ended, with a dead token", works: []work{stranded}, interrupted: true, want: []string{"the job was left with a dead token 1 time (re-read for 1.1 s)"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var sum tally
			for _, w := range test.works {
				sum.addWork(w)
			}
			for _, b := range test.beats {
				sum.addBeat(b)
			}
			if got := sum.complaints(test.interrupted); !slices.Equal(got, test.want) {
				t.Errorf("complaints %q, want %q", got, test.want)
			}
		})
	}
}

func TestSpan(t *testing.T) {
	var calls span
	if got := calls.String(); got != "-" {
		t.Errorf("nothing seen: %s", got)
	}
	for _, n := range []int{1, 1} {
		calls.add(n)
	}
	if got := calls.String(); got != "1" {
		t.Errorf("always the same: %s", got)
	}
	calls.add(3)
	if got := calls.String(); got != "1 to 3" {
		t.Errorf("different: %s", got)
	}
}

func TestBrief(t *testing.T) {
	for d, want := range map[time.Duration]string{
		12 * time.Millisecond: "12 ms", 500 * time.Millisecond: "0.5 s", 12 * time.Second: "12 s", 1100 * time.Millisecond: "1.1 s",
		10 * time.Minute: "10 min", 150 * time.Minute: "2.5 h",
	} {
		if got := brief(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
