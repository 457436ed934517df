package readers_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"reltio-token-rotator/tests/harness"
)

// callTimeout is how long a job's call may take on a busy machine.
const callTimeout = 3 * time.Minute

// process is a job: a program that executes one command a line. See job.
type process struct {
	orders io.Writer
	lines  *bufio.Scanner
	output *output // what it printed on standard error
	wait   func() error
}

// startProcess runs a job between fakes, with no other way into AWS.
func startProcess(t *testing.T, command *exec.Cmd, awsURL string, env ...string) *process {
	t.Helper()
	command.Env = append(append(
		os.Environ(),
		"PYTHONPATH="+folder(t, "../../examples/python")+string(os.PathListSeparator)+folder(t, "../../examples/glue"), "PYTHONDONTWRITEBYTECODE=1",
		"RELTIO_SH="+folder(t, "../../examples/shell/reltio.sh"), "JOB_FOLDER="+t.TempDir(),
		"RELTIO_SECRET="+harness.SecretName("default", "token"), "RELTIO_FUNCTION=rotate",
		"AWS_ENDPOINT_URL="+awsURL, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=job", "AWS_SECRET_ACCESS_KEY=job", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost",
	), append(command.Env, env...)...)
	orders, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	lines, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{orders: orders, lines: bufio.NewScanner(lines), output: &output{}, wait: sync.OnceValue(command.Wait)}
	command.Stderr = p.output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its AWS CLI ends with it
	command.WaitDelay = 5 * time.Second
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = p.wait()
	})
	return p
}

// ask gives the job an order and returns the line that it answers with.
func (p *process) ask(order string) (string, error) {
	if _, err := io.WriteString(p.orders, order+"\n"); err != nil {
		return "", p.failed(err)
	}
	answered := make(chan bool, 1)
	go func() { answered <- p.lines.Scan() }()
	select {
	case ok := <-answered:
		if !ok {
			return "", p.failed(p.lines.Err())
		}
		p.output.note(p.lines.Text())
		return p.lines.Text(), nil
	case <-time.After(callTimeout):
		return "", fmt.Errorf("no answer within %v\n%s", callTimeout, p.output)
	}
}

// failed waits for the end of a job that answers no more.
func (p *process) failed(err error) error {
	return fmt.Errorf("the job has ended: %w, %w\n%s", err, p.wait(), p.output)
}

func (p *process) start(function string) error {
	if answer, err := p.ask("start " + function); err != nil || answer != "ok" {
		return fmt.Errorf("start: %q, %w", answer, err)
	}
	return nil
}

func (p *process) call(what, url string, n int) ([]string, error) {
	answer, err := p.ask("call " + what + " " + url + " " + strconv.Itoa(n))
	return strings.Fields(answer), err
}

func (p *process) show() error {
	_, err := p.ask("show")
	return err
}

func (p *process) printed() string { return p.output.String() }

// output keeps what is printed.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text)
}

func (o *output) note(line string) { _, _ = o.Write([]byte(line + "\n")) }

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Reset()
}

// folder is an absolute path, of a file or folder that go test then watches.
func folder(t *testing.T, path string) string {
	t.Helper()
	own, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Fatal(err)
	}
	return own
}

// find looks where make tools puts it, then on PATH.
func find(t *testing.T, command string) string {
	t.Helper()
	for _, folder := range []string{"../../.tools/python/bin", "../../.tools/sam/bin", "../../.tools/bin", ""} {
		candidate := command
		if folder != "" {
			own, err := filepath.Abs(filepath.Join(folder, command))
			if err != nil {
				t.Fatal(err)
			}
			candidate = own
		}
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	absent(t, command, "make tools")
	return ""
}

// absent skips on a developer's machine and fails where nothing may be skipped.
func absent(t *testing.T, tool, how string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: %s", tool, how)
	}
	t.Skipf("needs %s: %s", tool, how)
}
