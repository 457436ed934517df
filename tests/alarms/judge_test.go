package alarms_test

import (
	"strings"
	"testing"

	"reltio-token-rotator/tests/alarms"
)

// The cases published in "Configuring how CloudWatch alarms treat missing
// data", CloudWatch user guide. The evaluation range is 5.
func TestPublishedCasesOfMissingData(t *testing.T) {
	const retain = alarms.State("retain")
	for _, test := range []struct {
		periods, datapoints                      int
		data                                     string
		missing, ignore, breaching, notBreaching alarms.State
	}{
		{3, 3, "0 - X - X", alarms.OK, alarms.OK, alarms.OK, alarms.OK},
		{3, 3, "0 - - - -", alarms.OK, alarms.OK, alarms.OK, alarms.OK},
		{3, 3, "- - - - -", alarms.InsufficientData, retain, alarms.InAlarm, alarms.OK},
		{3, 3, "0 X X - X", alarms.InAlarm, alarms.InAlarm, alarms.InAlarm, alarms.InAlarm},
		{3, 3, "- - X - -", alarms.InAlarm, retain, alarms.InAlarm, alarms.OK},

		{3, 2, "0 - X - X", alarms.InAlarm, alarms.InAlarm, alarms.InAlarm, alarms.InAlarm},
		{3, 2, "0 0 X 0 X", alarms.InAlarm, alarms.InAlarm, alarms.InAlarm, alarms.InAlarm},
		{3, 2, "0 - X - -", alarms.OK, alarms.OK, alarms.InAlarm, alarms.OK},
		{3, 2, "- - - - 0", alarms.OK, alarms.OK, alarms.InAlarm, alarms.OK},
		{3, 2, "- - - X -", alarms.InAlarm, retain, alarms.InAlarm, alarms.OK},

		// From the text on premature alarms. It says when no alarm fires yet, but
		// not the state for "breaching".
		{3, 3, "- - - - X", retain, retain, "", alarms.OK},
		{3, 3, "- - - X -", retain, retain, "", alarms.OK},
	} {
		for treatment, want := range map[string]alarms.State{
			alarms.Missing: test.missing, alarms.Ignore: test.ignore,
			alarms.Breaching: test.breaching, alarms.NotBreaching: test.notBreaching,
		} {
			if want == "" {
				continue
			}
			alarm := alarms.Alarm{Periods: test.periods, Datapoints: test.datapoints, Missing: treatment}
			for _, current := range []alarms.State{alarms.OK, alarms.InAlarm, alarms.InsufficientData} {
				want := want
				if want == retain {
					want = current
				}
				var data []alarms.Datapoint
				for part := range strings.FieldsSeq(test.data) {
					data = append(data, alarms.Datapoint(part[0]))
				}
				if got := alarm.Judge(data, current); got != want {
					t.Errorf("%d of %d, %s as %s, from %s: %s, want %s",
						test.datapoints, test.periods, test.data, treatment, current, got, want)
				}
			}
		}
	}
}
