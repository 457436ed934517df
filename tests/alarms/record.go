package alarms

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"
)

// Record holds the values of each metric by minute, as CloudWatch does. It is
// written to like a log group, with lines of the embedded metric format.
type Record struct {
	mu     sync.Mutex
	series map[Series]*minutes
	err    error
}

// minutes are the consecutive minutes of one metric.
type minutes struct {
	first int64 // since 1970
	all   []minute
}

// minute is what CloudWatch stores of a minute's values.
type minute struct {
	count, sum, least, most float64
}

// NewRecord returns an empty record.
func NewRecord() *Record { return &Record{series: map[Series]*minutes{}} }

// metadata is the "_aws" field of a line.
type metadata struct {
	Timestamp         int64
	CloudWatchMetrics []struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []struct{ Name string }
	}
}

// Write adds the values of one line.
func (r *Record) Write(line []byte) (int, error) {
	var root map[string]json.RawMessage
	var about metadata
	if err := json.Unmarshal(line, &root); err != nil {
		return 0, r.failed(err)
	}
	if err := json.Unmarshal(root["_aws"], &about); err != nil {
		return 0, r.failed(err)
	}
	at := time.UnixMilli(about.Timestamp)
	for _, directive := range about.CloudWatchMetrics {
		for _, set := range directive.Dimensions {
			if len(set) != 1 {
				return 0, r.failed(fmt.Errorf("dimensions %v: want one", set))
			}
			var value string
			if err := json.Unmarshal(root[set[0]], &value); err != nil {
				return 0, r.failed(err)
			}
			for _, metric := range directive.Metrics {
				values, err := numbers(root[metric.Name])
				if err != nil {
					return 0, r.failed(fmt.Errorf("%s: %w", metric.Name, err))
				}
				r.add(NewSeries(directive.Namespace, metric.Name, set[0], value), at, values)
			}
		}
	}
	return len(line), nil
}

func (r *Record) failed(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = errorsOf(r.err, err)
	return err
}

// Err is the error of the first line that could not be read.
func (r *Record) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Has reports whether a series has any value.
func (r *Record) Has(series Series) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.series[series] != nil
}

// numbers reads a value or an array of them.
func numbers(raw json.RawMessage) ([]float64, error) {
	if len(raw) > 0 && raw[0] == '[' {
		var many []float64
		err := json.Unmarshal(raw, &many)
		return many, err
	}
	one, err := strconv.ParseFloat(string(raw), 64)
	return []float64{one}, err
}

func (r *Record) add(series Series, at time.Time, values []float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := at.Unix() / 60
	of := r.series[series]
	if of == nil {
		of = &minutes{first: key}
		r.series[series] = of
	}
	// Runs overlap, so a line may be for an earlier minute.
	for key < of.first {
		of.all = append([]minute{none()}, of.all...)
		of.first--
	}
	for int64(len(of.all)) <= key-of.first {
		of.all = append(of.all, none())
	}
	m := &of.all[key-of.first]
	for _, value := range values {
		m.merge(minute{1, value, value, value})
	}
}

func none() minute { return minute{least: math.Inf(1), most: math.Inf(-1)} }

func (m *minute) merge(other minute) {
	*m = minute{m.count + other.count, m.sum + other.sum, min(m.least, other.least), max(m.most, other.most)}
}

// statistic is the statistic of the minutes from a to b, without b. ok is false if
// they hold no value.
func (r *Record) statistic(name string, series Series, a, b int64) (value float64, ok bool, err error) {
	all := none()
	if of := r.series[series]; of != nil {
		for key := max(a, of.first); key < min(b, of.first+int64(len(of.all))); key++ {
			all.merge(of.all[key-of.first])
		}
	}
	switch name {
	case "Sum":
		value = all.sum
	case "Maximum":
		value = all.most
	case "Minimum":
		value = all.least
	default:
		return 0, false, fmt.Errorf("statistic %q is not supported", name)
	}
	return value, all.count > 0, nil
}
