package lambda

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is one execution environment: a process of the function and the
// Runtime API that belongs to it alone.
type process struct {
	config Config
	number int
	cmd    *exec.Cmd
	api    *runtimeAPI
	server *http.Server
	output *output

	startedAt time.Time
	ready     bool // it has asked for its first invocation
	exited    chan struct{}
	exit      error // why, once exited
}

func startProcess(config Config, number int) (*process, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	out, stdout, err := newOutput(func(text string) { config.Output(Line{Process: number, Text: text}) })
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	defer func() { _ = stdout.Close() }() // the child has its own

	p := &process{config: config, number: number, output: out, startedAt: time.Now(), exited: make(chan struct{})}
	p.api = newRuntimeAPI(p.exited)
	p.server = &http.Server{Handler: p.api, ReadHeaderTimeout: 5 * time.Second}
	p.cmd = exec.Command(config.Binary)
	p.cmd.Env = environment(config.Env, listener.Addr().String(), number)
	p.cmd.Stdout, p.cmd.Stderr = stdout, stdout
	// The process gets a process group of its own, so that Ctrl-C at the terminal
	// does not reach it. And if its parent dies while it is frozen, the system sends
	// it SIGHUP and SIGCONT (POSIX, orphaned process groups), so that it does not
	// stay.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		_ = listener.Close()
		out.close()
		return nil, err
	}
	go func() { _ = p.server.Serve(listener) }()
	go p.reap()
	return p, nil
}

func (p *process) reap() {
	p.exit = p.cmd.Wait()
	p.output.close()
	_ = p.server.Close()
	close(p.exited)
}

// run sends the process one invocation and waits for its end.
func (p *process) run(requestID string, payload []byte) Result {
	result := Result{RequestID: requestID, TraceID: newTraceID(), Process: p.number}
	if !p.ready {
		if !p.becomeReady(&result) {
			return result
		}
		result.InitDuration = time.Since(p.startedAt)
	}
	p.thaw()
	delivered := time.Now()
	work := &invocation{id: requestID, arn: qualified(functionARN, p.config.Qualifier), traceID: result.TraceID, payload: payload, deadline: delivered.Add(p.config.Timeout)}
	timeout := time.NewTimer(p.config.Timeout)
	defer timeout.Stop()

	timedOut := false
	if p.api.deliver(work) {
		select {
		case <-p.api.asked: // an invocation ends when the process asks for the next
		case <-p.exited:
		case <-timeout.C:
			timedOut = true
			p.kill()
		}
	}
	result.Duration = time.Since(delivered)
	p.output.drain()
	switch answer, ok := p.api.takeAnswer(); {
	case timedOut:
		result.fail(TimedOut, fmt.Sprintf("Task timed out after %.2f seconds", p.config.Timeout.Seconds()))
	case ok:
		result.Payload, result.ErrorType, result.ErrorMessage = answer.payload, answer.errorType, answer.errorMessage
	default:
		p.kill() // one that asks for the next without having answered is as good as gone
		result.fail(ExitError, p.lastWords())
	}
	return result
}

// becomeReady waits until a new process asks for its first invocation.
func (p *process) becomeReady(result *Result) bool {
	timeout := time.NewTimer(initTimeout)
	defer timeout.Stop()
	select {
	case <-p.api.asked:
		p.ready = true
		return true
	case <-p.exited:
		result.fail(ExitError, p.lastWords())
	case <-timeout.C:
		p.kill()
		result.fail(TimedOut, fmt.Sprintf("the process was not ready after %v", initTimeout))
	}
	if reported, ok := p.api.takeAnswer(); ok { // through runtime/init/error
		result.Payload, result.ErrorType, result.ErrorMessage = reported.payload, reported.errorType, reported.errorMessage
	}
	return false
}

func (p *process) lastWords() string {
	if p.exit == nil {
		return "Runtime exited without providing a reason"
	}
	return "Runtime exited with error: " + p.exit.Error()
}

// fail sets an error in the form of Lambda's own.
func (r *Result) fail(errorType, message string) {
	r.ErrorType = errorType
	r.ErrorMessage = fmt.Sprintf("RequestId: %s Error: %s", r.RequestID, message)
	r.Payload = fmt.Appendf(nil, `{"errorType":%q,"errorMessage":%q}`, r.ErrorType, r.ErrorMessage)
}

// kill ends the process and waits until it is gone and its output was passed on.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // a frozen one too
	<-p.exited
}

func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) freeze() {
	if p.config.Freeze {
		_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	}
}

func (p *process) thaw() {
	if p.config.Freeze {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
	}
}

// environment is that of a process: Lambda's variables and then the function's
// own, which override them.
func environment(own []string, runtimeAPI string, number int) []string {
	return append([]string{
		"AWS_REGION=us-east-1",
		"AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=ASIAFAKE",
		"AWS_SECRET_ACCESS_KEY=fake",
		"AWS_SESSION_TOKEN=fake",
		// The function must not use a developer's own profile.
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_LAMBDA_FUNCTION_NAME=" + functionName,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + functionName,
		fmt.Sprintf("AWS_LAMBDA_LOG_STREAM_NAME=process-%d", number),
		"AWS_LAMBDA_RUNTIME_API=" + runtimeAPI,
		"_HANDLER=bootstrap",
		"LAMBDA_TASK_ROOT=/var/task",
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
	}, own...)
}
