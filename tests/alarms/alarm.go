// Package alarms replays recorded metrics through the CloudWatch alarms of the
// template.
//
// The rules come from "Configuring how CloudWatch alarms treat missing data" and
// "Alarm warm-up periods" in the CloudWatch user guide. A test checks them
// against the table that is published there. Two values are not published: how
// far back an alarm looks when data is missing, and how long a datapoint takes
// until an alarm sees it. They are parameters, and the tests pass for several
// values of each.
package alarms

import (
	"fmt"
	"strconv"
	"time"

	"reltio-token-rotator/tests/harness/cfn"
)

// State is the state of an alarm.
type State string

// The states.
const (
	OK               State = "OK"
	InAlarm          State = "ALARM"
	InsufficientData State = "INSUFFICIENT_DATA"
)

// How an alarm treats missing data.
const (
	Missing      = "missing"
	Ignore       = "ignore"
	Breaching    = "breaching"
	NotBreaching = "notBreaching"
)

// Alarm is the definition of an alarm on one metric.
type Alarm struct {
	Name       string
	Series     Series
	Statistic  string
	Period     time.Duration
	Periods    int // "Evaluation Periods": N
	Datapoints int // "Datapoints to Alarm": M
	Comparison string
	Threshold  float64
	Missing    string
	WarmUp     time.Duration
}

// Series names a metric with its dimensions, as "namespace/name{dimension=value}".
type Series string

// NewSeries names a metric of one dimension.
func NewSeries(namespace, name, dimension, value string) Series {
	return Series(namespace + "/" + name + "{" + dimension + "=" + value + "}")
}

// Read returns the alarm that a resource of a stack defines.
func Read(resource cfn.Object) (Alarm, error) {
	r := reader{properties: resource["Properties"].(cfn.Object)}
	if r.properties["Metrics"] != nil || r.properties["ExtendedStatistic"] != nil {
		return Alarm{}, fmt.Errorf("%s: only alarms on one statistic of one metric are supported", r.text("AlarmName"))
	}
	dimensions, ok := r.properties["Dimensions"].([]any)
	if !ok || len(dimensions) != 1 {
		return Alarm{}, fmt.Errorf("%s: %d dimensions, want 1", r.text("AlarmName"), len(dimensions))
	}
	dimension := reader{properties: dimensions[0].(cfn.Object)}
	a := Alarm{
		Name:       r.text("AlarmName"),
		Series:     NewSeries(r.text("Namespace"), r.text("MetricName"), dimension.text("Name"), dimension.text("Value")),
		Statistic:  r.text("Statistic"),
		Period:     time.Duration(r.number("Period")) * time.Second,
		Periods:    int(r.number("EvaluationPeriods")),
		Datapoints: int(r.number("DatapointsToAlarm")),
		Comparison: r.text("ComparisonOperator"),
		Threshold:  r.number("Threshold"),
		Missing:    r.text("TreatMissingData"),
	}
	if warmUp, ok := r.properties["WarmUpConfiguration"].(cfn.Object); ok {
		w := reader{properties: warmUp}
		a.WarmUp = time.Duration(w.number("WarmUpPeriodDurationInMinutes")) * time.Minute
		r.err = errorsOf(r.err, w.err)
	}
	return a, errorsOf(r.err, dimension.err)
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// reader reads properties and keeps the first error.
type reader struct {
	properties cfn.Object
	err        error
}

func (r *reader) text(name string) string {
	value, ok := r.properties[name].(string)
	if !ok && r.err == nil {
		r.err = fmt.Errorf("%s is %v", name, r.properties[name])
	}
	return value
}

func (r *reader) number(name string) float64 {
	value, err := strconv.ParseFloat(r.text(name), 64)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", name, err)
	}
	return value
}

// breaches reports whether a value breaches the threshold.
func (a Alarm) breaches(value float64) (bool, error) {
	switch a.Comparison {
	case "GreaterThanOrEqualToThreshold":
		return value >= a.Threshold, nil
	case "GreaterThanThreshold":
		return value > a.Threshold, nil
	case "LessThanThreshold":
		return value < a.Threshold, nil
	case "LessThanOrEqualToThreshold":
		return value <= a.Threshold, nil
	}
	return false, fmt.Errorf("%s: comparison %q is not supported", a.Name, a.Comparison)
}
