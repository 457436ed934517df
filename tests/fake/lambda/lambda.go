// Package lambda stands in for AWS Lambda around one real function binary: a
// Runtime API on loopback for each of its processes.
//
// What it does as Lambda does: one invocation at a time in a process, another
// process when all are busy, processes used again and frozen in between, a
// deadline header, SIGKILL at the timeout, a new process after a crash, and no
// environment but the function's own. What it leaves out: extensions, response
// streaming, limits on an event's size, retries (a test repeats an event with
// [Function.InvokeAs]).
//
// The usual path:
//
//	function, err := lambda.Start(lambda.Config{Binary: path, Env: env, Freeze: true})
//	defer function.Stop()
//	result, err := function.Invoke(ctx, []byte(`{}`))
//
// See "Using the Lambda runtime API for custom runtimes" and "Understanding the
// Lambda execution environment lifecycle" in the AWS Lambda Developer Guide.
package lambda

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The errors that Lambda itself answers with, as Result.ErrorType.
const (
	// ExitError: the process ended before it answered.
	ExitError = "Runtime.ExitError"
	// TimedOut: the process did not answer in time and was killed.
	TimedOut = "Sandbox.Timedout"
)

// initTimeout is how long a process may take until it asks for its first
// invocation; Lambda allows 10 s.
const initTimeout = 10 * time.Second

// ErrStopped is returned by invocations during and after Stop.
var ErrStopped = errors.New("the function was stopped")

// Config describes the function.
type Config struct {
	// Binary is the path of the function's executable, the bootstrap.
	Binary string
	// Env is the function's configuration, "NAME=value". Beside it a process
	// sees only what Lambda itself sets, all of which Env overrides: the region
	// is us-east-1, the AWS credentials are not real.
	Env []string
	// Qualifier is the alias or version through which the function is invoked; none
	// when empty.
	Qualifier string
	// Timeout of an invocation; 180 s when zero.
	Timeout time.Duration
	// Freeze stops a process between invocations (SIGSTOP), as Lambda does.
	Freeze bool
	// Output is called with every line that a process prints, without its end of
	// line; nil drops them. All lines printed before an invocation's end were
	// passed on before Invoke returns. It is called by one goroutine a process at a
	// time and must not call the Function.
	Output func(Line)
}

// Line is a line of a process's output.
type Line struct {
	// Process counts the processes from 1.
	Process int
	Text    string
}

// Result is the result of an invocation.
type Result struct {
	// Payload is what the function answered: its return value, or where it
	// failed the error as JSON.
	Payload []byte
	// ErrorType is empty when the function returned a value.
	ErrorType    string
	ErrorMessage string
	RequestID    string
	// TraceID came with the event. The AWS SDK sends it as X-Amzn-Trace-Id with
	// every call of the invocation.
	TraceID string
	// Process is the process that ran it, from 1.
	Process int
	// Duration is the time from the event's delivery to the process's next request
	// for an event, without InitDuration.
	Duration time.Duration
	// InitDuration is how long a new process took until it was ready. It is 0 for a
	// process that was used before.
	InitDuration time.Duration
}

// Function is a deployed function. Its methods may be called at any time from any
// goroutine, except in the call of Output.
type Function struct {
	config Config

	mu      sync.Mutex
	idle    []*process // the most recently used is last
	alive   map[*process]bool
	started int
	stopped bool
	work    sync.WaitGroup
}

// Start makes a function of which no process runs yet.
func Start(config Config) (*Function, error) {
	if config.Binary == "" {
		return nil, errors.New("no binary was named")
	}
	config.Timeout = cmp.Or(config.Timeout, 180*time.Second)
	if config.Output == nil {
		config.Output = func(Line) {}
	}
	return &Function{config: config, alive: map[*process]bool{}}, nil
}

// Invoke runs one event and waits for its end. If the function fails, crashes or
// takes too long, this is in the Result. The error means that there is no Result.
// When ctx ends, Invoke returns, and the invocation continues, as with Lambda.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Result, error) {
	return f.InvokeAs(ctx, newRequestID(), payload)
}

// InvokeAs is Invoke with a request id. Lambda uses the same request id again when
// it retries an event.
func (f *Function) InvokeAs(ctx context.Context, requestID string, payload []byte) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{RequestID: requestID}, err
	}
	p, err := f.take()
	if err != nil {
		return Result{RequestID: requestID}, err
	}
	ended := make(chan Result, 1)
	go func() {
		defer f.work.Done()
		result := p.run(requestID, payload)
		f.release(p)
		ended <- result
	}()
	select {
	case result := <-ended:
		if f.isStopped() && result.ErrorType == ExitError {
			return result, ErrStopped
		}
		return result, nil
	case <-ctx.Done():
		return Result{RequestID: requestID}, ctx.Err()
	}
}

// Kill ends every process that is in an invocation with SIGKILL, and waits until
// they have ended, so that they send nothing more. It returns their number. Their
// invocations end with ExitError, and the next ones get new processes. A hook of
// another fake may call it.
func (f *Function) Kill() int {
	f.mu.Lock()
	var busy []*process
	for p := range f.alive {
		if !slices.Contains(f.idle, p) {
			busy = append(busy, p)
		}
	}
	f.mu.Unlock()
	for _, p := range busy {
		p.kill()
	}
	return len(busy)
}

// Processes returns how many processes were started so far and how many of
// them are left.
func (f *Function) Processes() (started, left int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started, len(f.alive)
}

// Stop ends every process and waits until no process and no invocation is left.
func (f *Function) Stop() {
	f.mu.Lock()
	f.stopped = true
	var all []*process
	for p := range f.alive {
		all = append(all, p)
	}
	f.mu.Unlock()
	for _, p := range all {
		p.kill()
	}
	f.work.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.alive)
	f.idle = nil
}

// take returns an idle process or starts one, and counts the invocation.
func (f *Function) take() (*process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return nil, ErrStopped
	}
	for n := len(f.idle); n > 0; n = len(f.idle) {
		p := f.idle[n-1]
		f.idle = f.idle[:n-1]
		if !p.gone() {
			f.work.Add(1)
			return p, nil
		}
		delete(f.alive, p)
	}
	f.started++
	p, err := startProcess(f.config, f.started)
	if err != nil {
		f.started--
		return nil, fmt.Errorf("start %s: %w", f.config.Binary, err)
	}
	f.alive[p] = true
	f.work.Add(1)
	return p, nil
}

// release makes a process idle, or forgets one that has ended.
func (f *Function) release(p *process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.gone() {
		delete(f.alive, p)
		return
	}
	p.freeze()
	f.idle = append(f.idle, p)
}

func (f *Function) isStopped() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stopped
}

// newRequestID is a UUID, as Lambda's request ids are.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
