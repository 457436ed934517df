package alarms

import "time"

// CloudWatch holds what is not published about CloudWatch, or varies.
type CloudWatch struct {
	// FurtherBack is how many more periods than its own an alarm looks at. The
	// published table has 2 for an alarm of 3 periods.
	FurtherBack int
	// Delay is how many minutes pass until an alarm sees a minute's values.
	Delay int
}

// Change is one change of an alarm's state. CloudWatch then runs the actions of
// the new state.
type Change struct {
	At time.Time
	To State
}

// Replay evaluates an alarm every minute from its creation until an instant and
// returns its changes. CloudWatch evaluates every minute too, whatever the
// alarm's period is.
func (c CloudWatch) Replay(a Alarm, r *Record, created, until time.Time) ([]Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var changes []Change
	state := InsufficientData
	warm := a.WarmUp == 0
	for at := created.Truncate(time.Minute).Add(time.Minute); at.Before(until); at = at.Add(time.Minute) {
		datapoints, err := c.datapoints(a, r, at)
		if err != nil {
			return nil, err
		}
		// The warm-up ends when the alarm's own periods are complete, or when its
		// time has passed.
		warm = warm || at.Sub(created) >= a.WarmUp || full(datapoints[c.FurtherBack:])
		if !warm {
			continue
		}
		if next := a.Judge(datapoints, state); next != state {
			state = next
			changes = append(changes, Change{at, state})
		}
	}
	return changes, nil
}

func full(datapoints []Datapoint) bool {
	for _, d := range datapoints {
		if d == Absent {
			return false
		}
	}
	return true
}

// datapoints are those of an alarm's evaluation range, oldest first. The last
// period ends with the minute of the evaluation.
func (c CloudWatch) datapoints(a Alarm, r *Record, at time.Time) ([]Datapoint, error) {
	now, period := at.Unix()/60, int64(a.Period/time.Minute)
	seen := now - int64(c.Delay)
	n := a.Periods + c.FurtherBack
	datapoints := make([]Datapoint, n)
	for i := range datapoints {
		end := now - int64(n-1-i)*period
		value, ok, err := r.statistic(a.Statistic, a.Series, end-period, min(end, seen))
		if err != nil {
			return nil, err
		}
		datapoints[i] = Absent
		if ok {
			breaches, err := a.breaches(value)
			if err != nil {
				return nil, err
			}
			datapoints[i] = Within
			if breaches {
				datapoints[i] = Beyond
			}
		}
	}
	return datapoints, nil
}
