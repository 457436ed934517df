package alarms

// Datapoint is how an alarm sees one period of its metric.
type Datapoint byte

// The datapoints, in the notation of the published table.
const (
	Absent Datapoint = '-'
	Within Datapoint = '0'
	Beyond Datapoint = 'X'
)

// Judge decides an alarm's state from the datapoints of its evaluation range,
// oldest first. The range is at least as long as the alarm's periods.
func (a Alarm) Judge(datapoints []Datapoint, current State) State {
	var present []Datapoint
	for _, d := range datapoints {
		if d != Absent {
			present = append(present, d)
		}
	}
	// If there are enough real datapoints, the most recent ones decide.
	if len(present) >= a.Periods {
		return a.count(beyond(present[len(present)-a.Periods:]))
	}
	// Otherwise all of them decide, and missing ones are filled in.
	filled := a.Periods - len(present)
	switch a.Missing {
	case Breaching:
		return a.count(beyond(present) + filled)
	case NotBreaching:
		return a.count(beyond(present))
	}
	switch {
	case len(present) == 0 && a.Missing == Ignore:
		return current
	case len(present) == 0:
		return InsufficientData
	case beyond(present) >= a.Datapoints:
		return InAlarm
	case beyond(present) < len(present):
		return OK
	case a.Missing == Missing && oldest(datapoints) >= a.Datapoints:
		// All datapoints breach, and the oldest one is old enough.
		return InAlarm
	}
	return current // not yet an alarm: the next datapoint may be within
}

func (a Alarm) count(beyond int) State {
	if beyond >= a.Datapoints {
		return InAlarm
	}
	return OK
}

func beyond(datapoints []Datapoint) int {
	n := 0
	for _, d := range datapoints {
		if d == Beyond {
			n++
		}
	}
	return n
}

// oldest is the position of the oldest datapoint that is not missing. The most
// recent position is 1.
func oldest(datapoints []Datapoint) int {
	for i, d := range datapoints {
		if d != Absent {
			return len(datapoints) - i
		}
	}
	return 0
}
