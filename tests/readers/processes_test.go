package readers_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"reltio-token-rotator/tests/world"
)

// callTime is how long a job's call may take on a busy machine.
const callTime = 3 * time.Minute

// kinds are what the examples are to a process, and how to run a job of it.
var kinds = map[string]func(t *testing.T, s *stack) *exec.Cmd{
	"python": func(t *testing.T, s *stack) *exec.Cmd { return exec.Command(python(t), "jobs/job.py") },
	"naive":  func(t *testing.T, s *stack) *exec.Cmd { return exec.Command(python(t), "jobs/naive.py") },
	"shell": func(t *testing.T, s *stack) *exec.Cmd {
		return bash(t, quickAWSFolder(t))
	},
	"ecs": func(t *testing.T, s *stack) *exec.Cmd {
		folder, process := t.TempDir(), bash(t, quickAWSFolder(t))
		for _, file := range []string{"ecs/entrypoint.sh", "shell/reltio.sh"} { // as in an image
			text, err := os.ReadFile(filepath.Join("../../examples", file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), text, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		process.Args[1] = filepath.Join(folder, "entrypoint.sh")
		return process
	},
	"glue": func(t *testing.T, s *stack) *exec.Cmd {
		process := exec.Command(python(t), "jobs/partition.py")
		// Only the ARN says which region an executor is in.
		process.Env = []string{"RELTIO_SECRET=" + s.tokenARN(t), "AWS_REGION=", "AWS_DEFAULT_REGION="}
		return process
	},
	"shell with the AWS CLI": func(t *testing.T, s *stack) *exec.Cmd {
		return bash(t, filepath.Dir(find(t, "aws")))
	},
}

func bash(t *testing.T, folderOfAWS string) *exec.Cmd {
	for _, tool := range []string{"bash", "curl", "jq", "sha256sum"} {
		find(t, tool)
	}
	process := exec.Command("bash", "jobs/job.sh")
	process.Env = []string{"PATH=" + folderOfAWS + string(os.PathListSeparator) + os.Getenv("PATH")}
	return process
}

func TestThePythonExample(t *testing.T) { workThrough(t, "python", howMany(), 0) }

func TestTheShellExample(t *testing.T) { workThrough(t, "shell", howMany(), 0) }

func TestTheShellExampleWithTheRealCLI(t *testing.T) { workThrough(t, "shell with the AWS CLI", 2, 0) }

// The same with a job that keeps what it has read: does this test see failures?
func TestANaiveJobFails(t *testing.T) { workThrough(t, "naive", 3, 0.5) }

// howMany jobs there are: all where nothing may be left out, and no more than a
// developer's machine has time for elsewhere.
func howMany() int {
	if os.Getenv("CI") != "" {
		return jobs
	}
	return 4
}

// workThrough lets jobs of a kind call the API all at once, again and again,
// through refreshes and early endings, and checks the share of calls that fail.
func workThrough(t *testing.T, kind string, count int, atLeast float64) {
	s := deploy(t)
	var crew []*job
	for range count {
		crew = append(crew, s.start(t, kind, s.apiURL))
	}
	began, calls, failed := time.Now(), 0, 0
	everyone := func() {
		calls += count
		failed += callAll(t, crew, atLeast == 0)
	}
	everyone()
	for range refreshes {
		var refresh sync.WaitGroup
		refresh.Go(func() { s.refresh(t) })
		everyone() // before, in and after the instant between grant and publish
		refresh.Wait()
		everyone()
	}
	for range endings {
		asked := len(s.reltio.Requests())
		s.endEarly(t)
		everyone()
		if got := len(s.reltio.Requests()) - asked; atLeast == 0 && got != 1 {
			t.Errorf("%d token requests for a token that was ended early, want 1", got)
		}
		everyone()
	}
	share := float64(failed) / float64(calls)
	t.Logf("%d %s jobs, %d refreshes, %d tokens ended early: %d calls, %d failed (%.0f %%), %d reports, %.0f s",
		count, kind, refreshes, endings, calls, failed, 100*share, s.reports.Load(), time.Since(began).Seconds())
	if atLeast == 0 && failed > 0 || share < atLeast {
		t.Error("that is not what was to be shown")
	}
	if got := s.reports.Load(); atLeast == 0 && got < endings {
		t.Errorf("%d reports", got)
	}
}

// The token does not follow a redirect to another host, although that host says
// 401 and asks for it.
func TestExamplesKeepTheTokenFromOtherHosts(t *testing.T) {
	s := deploy(t)
	away := strings.TrimSuffix(s.apiURL, "/api") + "/away"
	for kind, says := range map[string]string{"python": "401", "shell": "curl's 22"} {
		t.Run(kind, func(t *testing.T) {
			j := s.start(t, kind, away)
			if answer, err := j.call(); err != nil || answer != says {
				t.Errorf("%s, %v", answer, err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.thefts) == 0 || strings.Join(s.thefts, "") != "" {
				t.Errorf("the other host got %q", s.thefts)
			}
			s.thefts = nil
		})
	}
}

// What runs in a container and in a Spark executor works across a refresh.
func TestExamplesForWhereJobsRun(t *testing.T) {
	s := deploy(t)
	for _, kind := range []string{"ecs", "glue"} {
		t.Run(kind, func(t *testing.T) {
			j := s.start(t, kind, s.apiURL)
			for _, path := range []string{"entities/1", "entities/2", "entities/3"} {
				if answer, err := j.ask(path); err != nil || answer != "got "+path {
					t.Errorf("%q, %v", answer, err)
				}
				s.refresh(t)
			}
		})
	}
}

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
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"python/reltio_auth.py", "glue/fetch.py", "shell/reltio.sh"} {
		if _, err := os.ReadFile(filepath.Join(examples, file)); err != nil { // so that go test sees a change
			t.Fatal(err)
		}
	}
	process := kinds[kind](t, s)
	own := process.Env
	process.Env = append(os.Environ(),
		"PYTHONPATH="+filepath.Join(examples, "python")+string(os.PathListSeparator)+filepath.Join(examples, "glue"), "PYTHONDONTWRITEBYTECODE=1",
		"RELTIO_SH="+filepath.Join(examples, "shell", "reltio.sh"),
		"RELTIO_SECRET="+world.SecretName("default", "token"), "RELTIO_FUNCTION=rotate", "RELTIO_API="+api,
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
	case <-time.After(callTime):
		return "", fmt.Errorf("no answer within %v", callTime)
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
