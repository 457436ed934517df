package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"reltio-token-rotator/tests/fake/lambda"
)

// lines collects output.
type lines struct {
	mu  sync.Mutex
	all []lambda.Line
}

func (l *lines) add(line lambda.Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) texts() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var texts []string
	for _, line := range l.all {
		texts = append(texts, line.Text)
	}
	return texts
}

// start starts the misbehaving function, see TestMain.
func start(t *testing.T, config lambda.Config) *lambda.Function {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	config.Binary = self
	if config.Env == nil {
		config.Env = []string{"BEHAVE_AS=function"}
	}
	function, err := lambda.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(function.Stop)
	return function
}

func invoke(t *testing.T, f *lambda.Function, payload []byte) lambda.Result {
	t.Helper()
	result, err := f.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// answered invokes and reads what the misbehaving function saw.
func answered(t *testing.T, f *lambda.Function, payload []byte) (lambda.Result, seen) {
	t.Helper()
	result := invoke(t, f, payload)
	var s seen
	if result.ErrorType != "" {
		t.Fatalf("failed: %s: %s", result.ErrorType, result.ErrorMessage)
	}
	if err := json.Unmarshal(result.Payload, &s); err != nil {
		t.Fatal(err)
	}
	return result, s
}

func TestAnInvocationSeesWhatLambdaShows(t *testing.T) {
	t.Setenv("A_DEVELOPERS_VARIABLE", "must not be seen")
	f := start(t, lambda.Config{Timeout: 30 * time.Second, Env: []string{"BEHAVE_AS=function", "AWS_REGION=eu-west-1"}})
	result, s := answered(t, f, does(t, event{}))

	if s.RequestID != result.RequestID || len(s.RequestID) != 36 {
		t.Errorf("request id %q in the function, %q outside", s.RequestID, result.RequestID)
	}
	if s.TimeLeft <= 25*time.Second || s.TimeLeft > 30*time.Second {
		t.Errorf("the function has %v left, want just under 30 s", s.TimeLeft)
	}
	if !strings.HasPrefix(s.ARN, "arn:aws:lambda:") {
		t.Errorf("function ARN %q", s.ARN)
	}
	if s.TraceID != result.TraceID || !strings.HasPrefix(s.TraceID, "Root=1-") {
		t.Errorf("trace id %q in the function, %q outside", s.TraceID, result.TraceID)
	}
	for _, name := range []string{
		"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_ACCESS_KEY_ID", "BEHAVE_AS",
	} {
		if !slices.ContainsFunc(s.Env, func(v string) bool { return strings.HasPrefix(v, name+"=") }) {
			t.Errorf("%s is not in its environment", name)
		}
	}
	for _, variable := range s.Env {
		name, _, _ := strings.Cut(variable, "=")
		if name == "HOME" || name == "USER" || strings.HasPrefix(name, "A_DEVELOPERS") {
			t.Errorf("%s of this machine is in its environment", name)
		}
	}
	if !slices.Contains(s.Env, "AWS_REGION=eu-west-1") {
		t.Error("the function's own variable does not win over Lambda's")
	}
}

func TestAProcessIsUsedAgain(t *testing.T) {
	f := start(t, lambda.Config{Freeze: true})
	first, a := answered(t, f, does(t, event{}))
	second, b := answered(t, f, does(t, event{}))
	if a.PID != b.PID || first.Process != 1 || second.Process != 1 {
		t.Errorf("processes %d (%d) and %d (%d), want one", a.PID, first.Process, b.PID, second.Process)
	}
	if first.InitDuration <= 0 || second.InitDuration != 0 {
		t.Errorf("init took %v, then %v; want it once", first.InitDuration, second.InitDuration)
	}
	if first.RequestID == second.RequestID {
		t.Error("two invocations have one request id")
	}
}

func TestARequestIDCanBeGivenAgain(t *testing.T) {
	f := start(t, lambda.Config{})
	for range 2 {
		result, err := f.InvokeAs(t.Context(), "retry-of-one-event", does(t, event{}))
		if err != nil || result.ErrorType != "" || result.RequestID != "retry-of-one-event" {
			t.Fatalf("%+v, %v", result, err)
		}
	}
}

func TestAnotherProcessServesWhileOneIsBusy(t *testing.T) {
	f := start(t, lambda.Config{Freeze: true})
	const side = 3
	pids := make(chan int, side)
	var group sync.WaitGroup
	for range side {
		group.Go(func() {
			_, s := answered(t, f, does(t, event{Sleep: time.Second}))
			pids <- s.PID
		})
	}
	group.Wait()
	close(pids)
	different := map[int]bool{}
	for pid := range pids {
		different[pid] = true
	}
	if len(different) != side {
		t.Errorf("%d processes served %d invocations side by side", len(different), side)
	}
	answered(t, f, does(t, event{}))
	if started, left := f.Processes(); started != side || left != side {
		t.Errorf("%d started, %d left; want %d, used again", started, left, side)
	}
}

func TestAProcessIsFrozenBetweenInvocations(t *testing.T) {
	for _, freeze := range []bool{true, false} {
		var out lines
		f := start(t, lambda.Config{Freeze: freeze, Output: out.add})
		answered(t, f, does(t, event{Tick: true, Sleep: 50 * time.Millisecond}))
		// A signal takes effect after some time, so the test checks whether the
		// process prints nothing for long.
		time.Sleep(50 * time.Millisecond)
		before := len(out.texts())
		time.Sleep(200 * time.Millisecond)
		during := len(out.texts()) - before
		answered(t, f, does(t, event{Sleep: 50 * time.Millisecond}))
		after := len(out.texts()) - before - during
		if frozen := during == 0; frozen != freeze {
			t.Errorf("Freeze %v: %d ticks between invocations", freeze, during)
		}
		if after == 0 {
			t.Errorf("Freeze %v: no tick during the next invocation", freeze)
		}
	}
}

func TestOutputIsToldBeforeTheAnswer(t *testing.T) {
	long := strings.Repeat("x", 300<<10) // more than a pipe holds
	var out lines
	f := start(t, lambda.Config{Freeze: true, Output: func(line lambda.Line) {
		time.Sleep(time.Millisecond) // a slow reader
		out.add(line)
	}})
	for i := range 20 {
		answered(t, f, does(t, event{Print: "one\ntwo\n"}))
		if n := len(out.texts()); n != 2*(i+1) {
			t.Fatalf("%d lines were told before answer %d, want %d", n, i+1, 2*(i+1))
		}
	}
	answered(t, f, does(t, event{Print: long + "\nno end of line"}))
	texts := out.texts()
	if len(texts) != 41 || texts[0] != "one" || texts[39] != "two" || texts[40] != long {
		t.Fatalf("%d lines", len(texts))
	}
	f.Stop()
	if texts = out.texts(); texts[len(texts)-1] != "no end of line" {
		t.Error("the last line is lost when the process ends")
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		name    string
		env     []string
		event   event
		errType string
		message string
	}{
		{name: "an error", event: event{Fail: "no luck"}, errType: "errorString", message: "no luck"},
		{name: "a panic", event: event{Panic: true}, errType: "string", message: "behaving badly"},
		{name: "an exit", event: event{Exit: true}, errType: lambda.ExitError, message: "Runtime exited with error: exit status 4"},
		{name: "no answer in time", event: event{Wait: true}, errType: lambda.TimedOut, message: "Task timed out after 0.70 seconds"},
		{name: "a process that does not start", env: []string{"BEHAVE_AS=exit"}, errType: lambda.ExitError, message: "exit status 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := start(t, lambda.Config{Env: test.env, Freeze: true, Timeout: 700 * time.Millisecond})
			result := invoke(t, f, does(t, test.event))
			if result.ErrorType != test.errType || !strings.Contains(result.ErrorMessage, test.message) {
				t.Errorf("%s: %s", result.ErrorType, result.ErrorMessage)
			}
			var payload struct{ ErrorType, ErrorMessage string }
			if err := json.Unmarshal(result.Payload, &payload); err != nil || payload.ErrorType != result.ErrorType || payload.ErrorMessage != result.ErrorMessage {
				t.Errorf("payload %s, %v", result.Payload, err)
			}
			if test.env != nil {
				return
			}
			if again, _ := answered(t, f, does(t, event{})); again.RequestID == result.RequestID {
				t.Error("the next invocation has the same request id")
			}
		})
	}
}

func TestAnAnswerToAnotherInvocationIsRefused(t *testing.T) {
	f := start(t, lambda.Config{})
	if _, s := answered(t, f, does(t, event{AnswerOther: true})); s.Status != http.StatusBadRequest {
		t.Errorf("status %d, want 400", s.Status)
	}
}

func TestKillEndsWhatIsUnderWay(t *testing.T) {
	f := start(t, lambda.Config{Freeze: true})
	_, idle := answered(t, f, does(t, event{}))
	if n := f.Kill(); n != 0 {
		t.Errorf("killed %d idle processes", n)
	}
	ended := make(chan lambda.Result, 1)
	go func() { ended <- invoke(t, f, does(t, event{Wait: true})) }()
	for f.Kill() == 0 {
		time.Sleep(time.Millisecond)
	}
	if syscall.Kill(idle.PID, 0) == nil {
		t.Error("the process is still there")
	}
	if result := <-ended; result.ErrorType != lambda.ExitError || !strings.Contains(result.ErrorMessage, "signal: killed") {
		t.Errorf("%s: %s", result.ErrorType, result.ErrorMessage)
	}
	if result, s := answered(t, f, does(t, event{})); s.PID == idle.PID || result.Process != 2 {
		t.Error("the dead process answered")
	}
}

func TestStopLeavesNothingBehind(t *testing.T) {
	f := start(t, lambda.Config{Freeze: true})
	_, frozen := answered(t, f, does(t, event{}))
	started := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		close(started)
		_, err := f.Invoke(t.Context(), does(t, event{Wait: true}))
		ended <- err
	}()
	<-started
	f.Stop()
	if err := <-ended; !errors.Is(err, lambda.ErrStopped) {
		t.Errorf("the invocation under way ended with %v", err)
	}
	if syscall.Kill(frozen.PID, 0) == nil {
		t.Error("a process is left")
	}
	if _, left := f.Processes(); left != 0 {
		t.Errorf("%d processes are left", left)
	}
	if _, err := f.Invoke(t.Context(), nil); !errors.Is(err, lambda.ErrStopped) {
		t.Errorf("Invoke after Stop: %v", err)
	}
}

func TestACallerThatGivesUpEndsNothing(t *testing.T) {
	var out lines
	f := start(t, lambda.Config{Output: out.add})
	answered(t, f, does(t, event{}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.Invoke(ctx, does(t, event{Sleep: 200 * time.Millisecond})); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	// The process is busy with the abandoned invocation, so another one serves.
	if result, _ := answered(t, f, does(t, event{Sleep: 300 * time.Millisecond})); result.Process != 2 {
		t.Errorf("process %d", result.Process)
	}
	if started, left := f.Processes(); started != 2 || left != 2 {
		t.Errorf("%d started, %d left; want both there", started, left)
	}
}

func TestABinaryThatIsNotThere(t *testing.T) {
	f, err := lambda.Start(lambda.Config{Binary: "/no/such/bootstrap"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	if _, err := f.Invoke(t.Context(), nil); err == nil {
		t.Error("it ran")
	}
}
