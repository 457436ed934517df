package readers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// kinds are what the examples are to a process, and how to run a job of it.
var kinds = map[string]func(t *testing.T, s *stack) *exec.Cmd{
	"python": func(t *testing.T, s *stack) *exec.Cmd { return exec.Command(python(t), "jobs/job.py") },
	"naive":  func(t *testing.T, s *stack) *exec.Cmd { return exec.Command(python(t), "jobs/naive.py") },
	"shell": func(t *testing.T, s *stack) *exec.Cmd {
		return bash(t, s.firstOnPath, quickAWSFolder(t))
	},
	"ecs": func(t *testing.T, s *stack) *exec.Cmd {
		folder, process := t.TempDir(), bash(t, quickAWSFolder(t))
		for _, file := range []string{"ecs/entrypoint.sh", "shell/reltio.sh"} { // as in an image
			text, err := os.ReadFile(filepath.Join(examples, file))
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

// bash runs the shell's job with folders before those on PATH.
func bash(t *testing.T, folders ...string) *exec.Cmd {
	t.Helper()
	for _, tool := range []string{"bash", "curl", "jq", "sha256sum"} {
		find(t, tool)
	}
	process := exec.Command("bash", "jobs/job.sh")
	folders = slices.DeleteFunc(append(folders, os.Getenv("PATH")), func(folder string) bool { return folder == "" })
	process.Env = []string{"PATH=" + strings.Join(folders, string(os.PathListSeparator))}
	return process
}

func TestThePythonExample(t *testing.T) {
	beside(t)
	hours{kind: "python", jobs: howMany(), refreshes: refreshes, endings: endings}.workThrough(t)
}

func TestTheShellExample(t *testing.T) {
	beside(t)
	hours{kind: "shell", jobs: howMany(), refreshes: refreshes, endings: endings}.workThrough(t)
}

// Enough to see each of its calls taken.
func TestTheShellExampleWithTheRealCLI(t *testing.T) {
	beside(t)
	hours{kind: "shell with the AWS CLI", jobs: 2, refreshes: 2, endings: 1}.workThrough(t)
}

// The same with a job that keeps what it has read: does this test see failures?
func TestANaiveJobFails(t *testing.T) {
	beside(t)
	hours{kind: "naive", jobs: 3, refreshes: refreshes, endings: endings, failing: 0.5}.workThrough(t)
}

// beside lets a test of few jobs wait beside others. Twenty are enough for a
// small machine.
func beside(t *testing.T) {
	if howMany() < jobs {
		t.Parallel()
	}
}

// howMany jobs there are: all where nothing may be left out, and no more than a
// developer's machine has time for elsewhere.
func howMany() int {
	if os.Getenv("CI") != "" {
		return jobs
	}
	return 4
}

// hours are what jobs of a kind go through.
type hours struct {
	kind                     string
	jobs, refreshes, endings int
	// failing is the share of calls that must fail at least; where it is 0, none
	// may.
	failing float64
}

// workThrough lets the jobs call the API all at once, again and again.
func (h hours) workThrough(t *testing.T) {
	s := deploy(t)
	var crew []*job
	for range h.jobs {
		crew = append(crew, s.start(t, h.kind, s.apiURL))
	}
	began, calls, failed := time.Now(), 0, 0
	everyone := func() {
		calls += h.jobs
		failed += callAll(t, crew, h.failing == 0)
	}
	everyone()
	for range h.refreshes {
		var refresh sync.WaitGroup
		refresh.Go(func() { s.refresh(t) })
		everyone() // before, in and after the instant between grant and publish
		refresh.Wait()
		everyone()
	}
	for range h.endings {
		asked := len(s.reltio.Requests())
		s.endEarly(t)
		everyone()
		if got := len(s.reltio.Requests()) - asked; h.failing == 0 && got != 1 {
			t.Errorf("%d token requests for a token that was ended early, want 1", got)
		}
		everyone()
	}
	share := float64(failed) / float64(calls)
	t.Logf("%d %s jobs, %d refreshes, %d tokens ended early: %d calls, %d failed (%.0f %%), %d reports, %.0f s",
		h.jobs, h.kind, h.refreshes, h.endings, calls, failed, 100*share, s.reports.Load(), time.Since(began).Seconds())
	if h.failing == 0 && failed > 0 || share < h.failing {
		t.Error("that is not what was to be shown")
	}
	if got := s.reports.Load(); h.failing == 0 && got < int64(h.endings) {
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
	beside(t)
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
