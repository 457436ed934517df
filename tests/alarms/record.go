package alarms

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"
)

// Record is what CloudWatch has been given: of each metric, the values of each
// minute. It is written to as a log group is, with lines of the embedded metric
// format, and so holds what those lines name and nothing else.
type Record struct {
	mu     sync.Mutex
	series map[Series]*minutes
	err    error
}

// minutes are a metric's, one after the other.
type minutes struct {
	first int64 // since 1970
	kept  []minute
}

// minute is what CloudWatch keeps of a minute's values.
type minute struct {
	count, sum, least, most float64
}

// NewRecord returns an empty record.
func NewRecord() *Record { return &Record{series: map[Series]*minutes{}} }

// metadata is what a line says of itself under "_aws".
type metadata struct {
	Timestamp         int64
	CloudWatchMetrics []struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []struct{ Name string }
	}
}

// Write takes one line.
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
				return 0, r.failed(fmt.Errorf("dimensions %v: one is expected", set))
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

// Err is the first line that was not understood.
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
	// Runs overlap, but what they write is not hours late.
	for key < of.first {
		of.kept = append([]minute{none()}, of.kept...)
		of.first--
	}
	for int64(len(of.kept)) <= key-of.first {
		of.kept = append(of.kept, none())
	}
	m := &of.kept[key-of.first]
	for _, value := range values {
		m.merge(minute{1, value, value, value})
	}
}

func none() minute { return minute{least: math.Inf(1), most: math.Inf(-1)} }

func (m *minute) merge(other minute) {
	*m = minute{m.count + other.count, m.sum + other.sum, min(m.least, other.least), max(m.most, other.most)}
}

// statistic is that of the minutes from a (included) to b; false where there is
// no value in them.
func (r *Record) statistic(name string, series Series, a, b int64) (value float64, ok bool, err error) {
	all := none()
	if of := r.series[series]; of != nil {
		for key := max(a, of.first); key < min(b, of.first+int64(len(of.kept))); key++ {
			all.merge(of.kept[key-of.first])
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
		return 0, false, fmt.Errorf("statistic %q is not known here", name)
	}
	return value, all.count > 0, nil
}
