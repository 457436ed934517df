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
	d := deploy(t, fakereltio.Options{RaceWindow: 20 * time.Millisecond, Users: map[string]string{second: password}})
	d.twoProcesses(t)
	_, refreshToken := d.Reltio.LoginAs(second)
	document, _ := d.AWS.Secret(harness.SecretName("default", "credentials"))
	fields := decode(t, document)
	fields["alternate"] = map[string]any{"client_id": "client", "client_secret": clientSecret, "refresh_token": refreshToken}
	both, _ := json.Marshal(fields)
	d.AWS.PutSecret(harness.SecretName("default", "credentials"), string(both))
	d.twoProcesses(t)
	if state := d.State("default"); state.Alternate.TokenFingerprint == "" {
		t.Errorf("the second set was not asked: %+v", state)
	}
}

func (d *deployed) twoProcesses(t *testing.T) {
	t.Helper()
	rounds := 3
	if extent.Full() {
		rounds = 25
	}
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
		for _, set := range []string{"primary", "alternate"} { // each is free
			if part, ok := state[set].(map[string]any); ok {
				part["token_expires_at"] = now.Add(-time.Minute).Format(time.RFC3339)
			}
		}
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
