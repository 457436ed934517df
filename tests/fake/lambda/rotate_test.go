package lambda_test

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/lambda"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// stack is the real function with what it talks to, on loopback.
type stack struct {
	harness.Fakes
	*lambda.Function
	out lines
}

func deploy(t *testing.T, timeout time.Duration) *stack {
	t.Helper()
	s := &stack{Fakes: harness.NewFakes(fakeaws.Options{}, fakereltio.Options{})}
	s.Seed("default")
	s.Function = harness.Start(t, lambda.Config{
		Binary: rotate.Path(t), Timeout: timeout, Freeze: true, Output: s.out.add, Env: s.Serve(t, nil, nil),
	})
	return s
}

// outcome is that of the only connection.
func (s *stack) outcome(t *testing.T, payload string) rotator.Outcome {
	t.Helper()
	result := invoke(t, s.Function, []byte(payload))
	var report rotator.Report
	if err := json.Unmarshal(result.Payload, &report); err != nil || len(report.Connections) != 1 {
		t.Fatalf("%s, %v", result.Payload, err)
	}
	return report.Connections[0].Outcome
}

func TestTheRealFunction(t *testing.T) {
	s := deploy(t, time.Minute)
	for i, want := range []rotator.Outcome{rotator.Refreshed, rotator.NotDue, rotator.NotDue} {
		if got := s.outcome(t, `{}`); got != want {
			t.Errorf("heartbeat %d: %s, want %s", i+1, got, want)
		}
	}
	if result := invoke(t, s.Function, []byte(`{"action":"dance"}`)); !strings.Contains(result.ErrorMessage, "possible events") {
		t.Errorf("an unknown event: %+v", result)
	}
	if started, _ := s.Processes(); started != 1 {
		t.Errorf("%d processes were started, want 1", started)
	}
	output := strings.Join(s.out.texts(), "\n")
	if !strings.Contains(output, `"msg":"run"`) || !strings.Contains(output, `"requestId":"`) {
		t.Errorf("the log: %s", output)
	}
}

func TestTheRealFunctionKilledAfterTheGrant(t *testing.T) {
	s := deploy(t, time.Minute)
	var killed atomic.Bool
	s.AWS.OnCall(func(operation, _ string, before bool) {
		if operation == "PutSecretValue" && before && !killed.Swap(true) {
			s.Kill()
		}
	})
	if result := invoke(t, s.Function, []byte(`{}`)); result.ErrorType != lambda.ExitError {
		t.Fatalf("%+v", result)
	}
	if !killed.Load() {
		t.Fatal("it was not killed")
	}
	// The lease of the dead process is held until its time is over.
	if got := s.outcome(t, `{}`); got != rotator.Busy {
		t.Errorf("the heartbeat after: %s, want busy", got)
	}
}
