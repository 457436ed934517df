package e2e_test

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/extent"
)

// Two processes at the same instant on one connection make one token request:
// overlapping refreshes could publish a dead token.
func TestTwoProcessesMakeOneTokenRequest(t *testing.T) {
	t.Parallel()
	rounds := 5
	if extent.Full() {
		rounds = 50
	}
	d := deploy(t, fakereltio.Options{RaceWindow: 20 * time.Millisecond})
	overlapped := 0
	for round := range rounds {
		d.due(t)
		if round%2 == 0 {
			d.letBothList()
		}
		before := len(d.Reltio.Requests())
		outcomes := d.twice(t)
		d.AWS.OnCall(nil)
		if asked := len(d.Reltio.Requests()) - before; asked != 1 {
			t.Fatalf("round %d: %d token requests, outcomes %v", round, asked, outcomes)
		}
		slices.Sort(outcomes)
		switch {
		case slices.Equal(outcomes, []rotator.Outcome{rotator.Busy, rotator.Refreshed}):
			overlapped++
		case round%2 == 0, !slices.Equal(outcomes, []rotator.Outcome{rotator.NotDue, rotator.Refreshed}):
			t.Errorf("round %d: outcomes %v", round, outcomes)
		}
		d.wantWorking(t)
	}
	if started, _ := d.Processes(); started != 2 {
		t.Errorf("%d processes, want 2", started)
	}
	t.Logf("%d rounds, of which %d overlapped", rounds, overlapped)
}

// due makes the published token expire soon.
func (d *deployed) due(t *testing.T) {
	t.Helper()
	name := harness.ParameterName("default", "state")
	document, _, _ := d.AWS.Parameter(name)
	state := decode(t, document)
	if published, ok := state["published"].(map[string]any); ok {
		now := time.Now().UTC()
		published["issued_at"], published["valid_until"] = now.Add(-time.Hour).Format(time.RFC3339), now.Add(-10*time.Minute).Format(time.RFC3339)
		published["expires_at"] = now.Add(time.Minute).Format(time.RFC3339)
		changed, _ := json.Marshal(state)
		d.AWS.PutParameter(name, string(changed))
	}
}

// letBothList delays the answer of the first listing until the second one has been
// requested.
func (d *deployed) letBothList() {
	var mu sync.Mutex
	listed, both := 0, make(chan struct{})
	d.AWS.OnCall(func(operation, _ string, before bool) {
		if operation != "GetParametersByPath" || before {
			return
		}
		mu.Lock()
		if listed++; listed == 2 {
			close(both)
		}
		mu.Unlock()
		select {
		case <-both:
		case <-time.After(10 * time.Second): // the other one never came
		}
	})
}

// twice invokes two heartbeats at the same instant.
func (d *deployed) twice(t *testing.T) []rotator.Outcome {
	t.Helper()
	outcomes, errs := make([]rotator.Outcome, 2), make([]error, 2)
	start := make(chan struct{})
	var runs sync.WaitGroup
	for i := range outcomes {
		runs.Go(func() {
			<-start
			result, err := d.Invoke(t.Context(), []byte(`{}`))
			var report rotator.Report
			if errs[i] = errors.Join(err, json.Unmarshal(result.Payload, &report)); errs[i] == nil && len(report.Connections) == 1 {
				outcomes[i] = report.Connections[0].Outcome
			}
		})
	}
	close(start)
	runs.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return outcomes
}
