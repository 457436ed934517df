package explore_test

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// schedule is one history of a connection. It is data, so that it can be shrunk
// and printed.
type schedule struct {
	// provider and credentials are names of providers and credentialModes.
	provider, credentials string
	// two says that the connection has two credential sets.
	two bool
	// turns is how many tokens were published before the schedule begins.
	turns  int
	beats  []beat
	acts   []act
	faults []injection
}

// beat is an invocation of the function.
type beat struct {
	// after is how long after the previous invocation it begins, or untilDue.
	after time.Duration
	event string // a name of events; "" is a heartbeat
}

// untilDue stands for the time until the published token must be replaced.
const untilDue time.Duration = -1

// place is an external call of an invocation: the nth with this name. An empty
// name is the end of the invocation.
type place struct {
	beat int
	on   string
	nth  int
}

// act is what an operator, a job or another invocation does just before a call.
type act struct {
	place
	do string // a name of acts
}

// injection is a fault of a call.
type injection struct {
	place
	fault string // a name of faults
	lasts lasting
}

// lasting is how long a fault continues: for that call, for all such calls of the
// invocation, or of all invocations that begin within four minutes.
type lasting int

const (
	once lasting = iota
	thisRun
	fourMinutes
)

// strikes reports whether the fault is injected into a call. since is the time since
// the invocation of the place began.
func (i injection) strikes(at place, since time.Duration) bool {
	switch {
	case i.on != at.on:
		return false
	case i.beat == at.beat:
		return i.nth == at.nth || i.lasts != once && at.nth > i.nth
	}
	return i.lasts == fourMinutes && at.beat > i.beat && since < 4*time.Minute
}

// String returns the schedule as Go code.
func (s schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "schedule{\n\tprovider: %q, credentials: %q, two: %v, turns: %d,\n", s.provider, s.credentials, s.two, s.turns)
	list := func(field, kind string, items []string) {
		if len(items) > 0 {
			fmt.Fprintf(&b, "\t%s: []%s{\n\t\t%s,\n\t},\n", field, kind, strings.Join(items, ",\n\t\t"))
		}
	}
	var beats, acts, faults []string
	for _, one := range s.beats {
		after := "untilDue"
		if one.after != untilDue {
			after = fmt.Sprintf("%d * time.Second", one.after/time.Second)
		}
		beats = append(beats, fmt.Sprintf("{%s, %q}", after, one.event))
	}
	for _, one := range s.acts {
		acts = append(acts, fmt.Sprintf("{place{%d, %q, %d}, %q}", one.beat, one.on, one.nth, one.do))
	}
	for _, one := range s.faults {
		lasts := [...]string{"once", "thisRun", "fourMinutes"}[one.lasts]
		faults = append(faults, fmt.Sprintf("{place{%d, %q, %d}, %q, %s}", one.beat, one.on, one.nth, one.fault, lasts))
	}
	list("beats", "beat", beats)
	list("acts", "act", acts)
	list("faults", "injection", faults)
	return b.String() + "}"
}

func (s schedule) clone() schedule {
	s.beats, s.acts, s.faults = slices.Clone(s.beats), slices.Clone(s.acts), slices.Clone(s.faults)
	return s
}
