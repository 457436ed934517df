package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"time"
)

const (
	// tokenRequests is the setting TOKEN_REQUESTS_PER_SECOND, parameterWrites what
	// Parameter Store takes a second, and tokenLimit what Reltio does.
	tokenRequests, parameterWrites, tokenLimit = 5, 3, 10
)

// manyConnections measures how long it takes until the last of many tokens is
// published that are all due at once, beside what the limits alone take. One
// run of each number, since they only wait; tests/scale has the same in
// simulated time, to 1,000 connections.
func manyConnections(ctx context.Context, b *bench) ([]row, error) {
	numbers := []int{1, 10, 30, 100}
	rows, errs := make([]row, len(numbers)), make([]error, len(numbers))
	var running sync.WaitGroup
	for i, n := range numbers {
		running.Go(func() { rows[i], errs[i] = b.allDue(ctx, n) })
	}
	running.Wait()
	return rows, errors.Join(errs...)
}

// steady lets a simulation tell how evenly 100 connections that were seeded
// together are refreshed after two days, which pass in seconds.
func steady(ctx context.Context, _ *bench) ([]row, error) {
	simulate := exec.CommandContext(ctx, "go", "test", "-count=1", "-run", "TestConnectionsSeededTogetherDriftApart", "reltio-token-rotator/tests/simulation", "-v", "-args", "-long")
	output, err := simulate.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test: %w\n%s", err, output)
	}
	found := regexp.MustCompile(`([0-9.]+) refreshes in each minute of the hour, at most ([0-9]+)`).FindSubmatch(output)
	if found == nil {
		return nil, fmt.Errorf("the simulation says nothing of the minutes of the hour:\n%s", output)
	}
	mean, err := strconv.ParseFloat(string(found[1]), 64)
	most, err2 := strconv.ParseFloat(string(found[2]), 64)
	return []row{{
		what: "100, two days later: the busiest minute of the hour", unit: times,
		figures: []float64{most}, references: []float64{mean}, against: "on average", goal: 2, count: true,
	}}, errors.Join(err, err2)
}

func (b *bench) allDue(ctx context.Context, n int) (row, error) {
	var last lastCall
	st, err := b.newFixture(setting{
		connections: n, latency: 15 * time.Millisecond, tokenLatency: 150 * time.Millisecond,
		writesPerSecond: parameterWrites, requestsPerSecond: tokenLimit, onCall: last.note,
	})
	if err != nil {
		return row{}, err
	}
	defer st.close()
	f, err := st.start(b.function)
	if err != nil {
		return row{}, err
	}
	defer f.Stop()
	began := time.Now()
	// A heartbeat a minute, until one has nothing left to do.
	for beat := 0; st.aws.Calls()["PutSecretValue"] < n; beat++ {
		select {
		case <-time.After(time.Until(began.Add(time.Duration(beat) * time.Minute))):
		case <-ctx.Done():
			return row{}, ctx.Err()
		}
		result, err := f.Invoke(ctx, []byte(`{}`))
		if err = errors.Join(err, failure(result)); err != nil {
			return row{}, err
		}
	}
	if writes := st.aws.Calls()["PutParameter"]; writes != 2*n {
		return row{}, fmt.Errorf("%d connections took %d parameter writes, not %d: some were refused", n, writes, 2*n)
	}
	for _, request := range st.reltio.Requests() {
		if request.Status != http.StatusOK {
			return row{}, fmt.Errorf("of %d connections, one was answered %d", n, request.Status)
		}
	}
	r := row{
		what: fmt.Sprintf("%d due at once: the last token", n), unit: seconds, against: "by the limits",
		figures:    []float64{last.since(began).Seconds()},
		references: []float64{max(float64(n)/tokenRequests, 2*float64(n)/parameterWrites)},
	}
	if n >= 30 {
		r.goal = 1.1
	}
	return r, nil
}

// lastCall remembers when a token was published last.
type lastCall struct {
	mu sync.Mutex
	at time.Time
}

func (l *lastCall) note(operation, _ string, before bool) {
	if operation != "PutSecretValue" || before {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = time.Now()
}

func (l *lastCall) since(began time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at.Sub(began)
}
