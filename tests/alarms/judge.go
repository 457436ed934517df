package alarms

// Datapoint is what one period of a metric is to an alarm.
type Datapoint byte

// The datapoints, as the published table writes them.
const (
	Absent Datapoint = '-'
	Within Datapoint = '0'
	Beyond Datapoint = 'X'
)

// Judge decides an alarm's state from the datapoints of its evaluation range,
// oldest first. The range is at least as long as the alarm's periods.
func (a Alarm) Judge(datapoints []Datapoint, current State) State {
	var there []Datapoint
	for _, d := range datapoints {
		if d != Absent {
			there = append(there, d)
		}
	}
	// With enough real ones, the most recent of them decide, however old.
	if len(there) >= a.Periods {
		return a.count(beyond(there[len(there)-a.Periods:]))
	}
	// Otherwise all of them do, and missing ones fill up to the number.
	filled := a.Periods - len(there)
	switch a.Missing {
	case Breaching:
		return a.count(beyond(there) + filled)
	case NotBreaching:
		return a.count(beyond(there))
	}
	switch {
	case len(there) == 0 && a.Missing == Ignore:
		return current
	case len(there) == 0:
		return InsufficientData
	case beyond(there) >= a.Datapoints:
		return InAlarm
	case beyond(there) < len(there):
		return OK
	case a.Missing == Missing && oldest(datapoints) >= a.Datapoints:
		// Nothing but breaching ones, the first of them as old as an alarm takes.
		return InAlarm
	}
	return current // perhaps the next one is within: no premature alarm
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

// oldest is the place of the oldest datapoint that is there; the most recent
// place is 1.
func oldest(datapoints []Datapoint) int {
	for i, d := range datapoints {
		if d != Absent {
			return len(datapoints) - i
		}
	}
	return 0
}
