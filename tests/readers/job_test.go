package readers_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"reltio-token-rotator/tests/harness"
)

// callTimeout is how long a job's call may take on a busy machine.
const callTimeout = 3 * time.Minute

// job is a process that makes one call for every line that it is given.
type job struct {
	orders io.Writer
	status *bufio.Scanner
	errors *bytes.Buffer
	ended  func() error
}

// start runs a job with a stack's addresses and no other way into AWS.
func (s *stack) start(t *testing.T, kind, api string) *job {
	t.Helper()
	folder, err := filepath.Abs(examples)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"python/reltio_auth.py", "glue/fetch.py", "shell/reltio.sh"} {
		if _, err := os.ReadFile(filepath.Join(folder, file)); err != nil { // so that go test sees a change
			t.Fatal(err)
		}
	}
	process := kinds[kind](t, s)
	own := process.Env
	process.Env = append(os.Environ(),
		"PYTHONPATH="+filepath.Join(folder, "python")+string(os.PathListSeparator)+filepath.Join(folder, "glue"), "PYTHONDONTWRITEBYTECODE=1",
		"RELTIO_SH="+filepath.Join(folder, "shell", "reltio.sh"),
		"RELTIO_SECRET="+harness.SecretName("default", "token"), "RELTIO_FUNCTION=rotate", "RELTIO_API="+api,
		"AWS_ENDPOINT_URL="+s.awsURL, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=job", "AWS_SECRET_ACCESS_KEY=job", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost",
	)
	process.Env = append(process.Env, own...)
	orders, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	j := &job{orders: orders, status: bufio.NewScanner(output), errors: &bytes.Buffer{}, ended: process.Wait}
	process.Stderr = j.errors
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its AWS CLI ends with it
	process.WaitDelay = 5 * time.Second
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-process.Process.Pid, syscall.SIGKILL)
		_ = j.ended()
	})
	return j
}

// call makes one call and returns the status that the job prints.
func (j *job) call() (string, error) { return j.ask("go") }

// ask gives the job a line and returns the line that it answers with.
func (j *job) ask(line string) (string, error) {
	if _, err := io.WriteString(j.orders, line+"\n"); err != nil {
		return "", j.failed(err)
	}
	answered := make(chan bool, 1)
	go func() { answered <- j.status.Scan() }()
	select {
	case ok := <-answered:
		if !ok {
			return "", j.failed(j.status.Err())
		}
		return j.status.Text(), nil
	case <-time.After(callTimeout):
		return "", fmt.Errorf("no answer within %v", callTimeout)
	}
}

// failed waits for the end of a job that answers no more.
func (j *job) failed(err error) error {
	return fmt.Errorf("the job has ended: %w, %w\n%s", err, j.ended(), j.errors)
}

// callAll makes every job call once, at the same instant, and returns how many
// calls failed.
func callAll(t *testing.T, crew []*job, tell bool) (failed int) {
	t.Helper()
	var work sync.WaitGroup
	var mu sync.Mutex
	for _, j := range crew {
		work.Go(func() {
			status, err := j.call()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if status != "200" {
				failed++
				if tell {
					t.Errorf("a call ended with %s", status)
				}
			}
		})
	}
	work.Wait()
	return failed
}

// python is one that has what the example needs.
func python(t *testing.T) string {
	t.Helper()
	path := find(t, "python3")
	if exec.Command(path, "-c", "import boto3, requests").Run() != nil {
		absent(t, "boto3 and requests")
	}
	return path
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
	absent(t, command)
	return ""
}

// absent skips on a developer's machine and fails where nothing may be skipped.
func absent(t *testing.T, tool string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: make tools", tool)
	}
	t.Skipf("needs %s: make tools", tool)
}
