package lambda_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/lambda"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// stack is the real function with what it talks to, on loopback.
type stack struct {
	*lambda.Function
	aws    *fakeaws.Server
	reltio *fakereltio.Server
	out    lines
}

func deploy(t *testing.T, timeout time.Duration) *stack {
	t.Helper()
	s := &stack{aws: fakeaws.New(fakeaws.Options{}), reltio: fakereltio.New(fakereltio.Options{})}
	front, endpoint := httptest.NewServer(s.aws), httptest.NewServer(s.reltio)
	t.Cleanup(front.Close)
	t.Cleanup(endpoint.Close)
	t.Cleanup(s.reltio.Close)

	for _, kind := range []string{"config", "state", "lease"} {
		s.aws.PutParameter("/reltio-token-rotator/test/default/"+kind, "{}")
	}
	_, refreshToken := s.reltio.Login()
	s.aws.PutSecret("reltio-token-rotator/test/default/credentials",
		`{"client_id":"client","client_secret":"secret","refresh_token":"`+refreshToken+`"}`)
	s.aws.CreateSecret("reltio-token-rotator/test/default/token")

	var err error
	s.Function, err = lambda.Start(lambda.Config{
		Binary: rotate.Path(t), Timeout: timeout, Freeze: true, Output: s.out.add,
		Env: []string{
			"PREFIX=reltio-token-rotator/test", "TOKEN_URL=" + endpoint.URL + "/oauth/token", "TOKEN_HOSTS=127.0.0.1",
			"REFRESH_BEFORE=10m", "HEARTBEAT=1m", "TOKEN_REQUESTS_PER_SECOND=5", "AWS_ENDPOINT_URL=" + front.URL,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
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
	s.aws.OnCall(func(operation, _ string, before bool) {
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
	// The lease of the dead process stands until its time is over.
	if got := s.outcome(t, `{}`); got != rotator.Busy {
		t.Errorf("the heartbeat after: %s, want busy", got)
	}
}
