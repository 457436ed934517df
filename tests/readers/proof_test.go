package readers_test

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"reltio-token-rotator/tests/harness/extent"
)

// crew is the jobs of one reader.
type crew struct {
	name string
	jobs []*process
	// calls and failed count since the last table.
	calls, failed int
}

// TestNoCallFails tests the promise of the readers. Twenty jobs of each reader run
// at once, while refreshes end the old token at once and another login ends tokens
// early. Beside them, other jobs read the token once and keep it.
func TestNoCallFails(t *testing.T) {
	s := deploy(t)
	crews := s.hire(t, howMany())
	for _, phase := range []struct {
		name  string
		setUp func(t *testing.T)
	}{
		{"one credential set", func(*testing.T) {}},
		{"two credential sets", s.addAlternate},
	} {
		phase.setUp(t)
		s.work(t, crews)
		t.Logf("%s:\n%s", phase.name, s.table(crews))
		reports := 0
		for _, c := range crews {
			if c.name == "naive" && c.failed*2 < c.calls {
				t.Errorf("%s: only %d of %d naive calls failed: does this still test anything?", phase.name, c.failed, c.calls)
			}
			if c.name != "naive" && c.failed > 0 {
				t.Errorf("%s: %d calls of %s failed", phase.name, c.failed, c.name)
			}
			reports += s.reportsOf(c)
		}
		if extent.Full() && reports < endings || reports == 0 {
			t.Errorf("%s: %d reports", phase.name, reports)
		}
	}
}

// howMany returns the number of jobs of a kind: in a short run, two at once.
func howMany() int {
	if extent.Full() {
		return jobs
	}
	return 2
}

// hire starts n jobs of each kind that this machine has the tools for.
func (s *stack) hire(t *testing.T, n int) []*crew {
	t.Helper()
	var crews []*crew
	for _, k := range append([]kind{{name: "go", command: goJob("go")}, {name: "naive", command: goJob("naive")}}, kinds...) {
		if k.name == "httpx" || k.name == "sh" {
			continue // the same code as python and bash
		}
		if k.name == "java" && !extent.Full() {
			continue
		}
		var commands []*exec.Cmd
		t.Run("tools for "+k.name, func(t *testing.T) {
			for range n {
				commands = append(commands, k.command(t))
			}
		})
		c := &crew{name: k.name}
		for _, command := range commands {
			c.jobs = append(c.jobs, startProcess(t, command, s.awsURL))
		}
		crews = append(crews, c)
	}
	return crews
}

// work lets all jobs call the API at once, again and again, through ten refreshes
// and three tokens that are ended early.
func (s *stack) work(t *testing.T, crews []*crew) {
	t.Helper()
	start := func(crews []*crew) {
		everyone(t, crews, func(c *crew, j *process) (string, error) {
			return "", j.start("rotate-" + c.name)
		})
	}
	start(crews)
	call := func() {
		t.Helper()
		everyone(t, crews, func(_ *crew, j *process) (string, error) {
			status, err := j.call("text", s.apiURL, 1)
			return strings.Join(status, " "), err
		})
	}
	call()
	for _, c := range crews {
		c.calls, c.failed = 0, 0
	}
	s.forgetReports()
	refreshes, endings := refreshes, endings
	if !extent.Full() {
		refreshes, endings = 3, 1
	}
	for range refreshes {
		var refresh sync.WaitGroup
		refresh.Go(func() { s.refresh(t) })
		call() // before, in and after the instant between token response and publication
		refresh.Wait()
		call()
	}
	for range endings {
		// With two sets a job may hold the other set's token, which lives on. New
		// readers of the first crew read the published one.
		start(crews[:1])
		asked := len(s.reltio.Requests())
		s.endEarly(t)
		call()
		if got := len(s.reltio.Requests()) - asked; got != 1 {
			t.Errorf("%d token requests for a token that was ended early, want 1", got)
		}
		call()
	}
}

// everyone gives every job an order at the same instant and counts what became of
// it. An empty status does not count.
func everyone(t *testing.T, crews []*crew, order func(c *crew, j *process) (string, error)) {
	t.Helper()
	var work sync.WaitGroup
	var mu sync.Mutex
	for _, c := range crews {
		for _, j := range c.jobs {
			work.Go(func() {
				status, err := order(c, j)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if status == "" {
					return
				}
				c.calls++
				if status != "200" {
					c.failed++
				}
				if status != "200" && c.name != "naive" {
					t.Errorf("a call of %s ended with %s\n%s", c.name, status, j.output)
				}
			})
		}
	}
	work.Wait()
}

// table is what -v shows.
func (s *stack) table(crews []*crew) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "reader\tjobs\tcalls\tfailed\treports\t")
	for _, c := range crews {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t\n", c.name, len(c.jobs), c.calls, c.failed, s.reportsOf(c))
	}
	_ = table.Flush()
	return text.String()
}

// The shell reader calls the real AWS CLI in the way that the quick one accepts.
func TestTheShellReaderWithTheRealCLI(t *testing.T) {
	extent.OnlyFull(t)
	s := deploy(t)
	command := shell("bash")(t)
	command.Env = append(command.Env, "PATH="+pathWith(folderOf(find(t, "aws"))))
	j := startProcess(t, command, s.awsURL)
	crews := []*crew{{name: "bash", jobs: []*process{j}}}
	everyone(t, crews, func(c *crew, j *process) (string, error) { return "", j.start("rotate-" + c.name) })
	for _, change := range []func(*testing.T){func(*testing.T) {}, s.refresh, s.endEarly} {
		change(t)
		if status, err := j.call("text", s.apiURL, 1); err != nil || strings.Join(status, "") != "200" {
			t.Errorf("%v, %v\n%s", status, err, j.output)
		}
	}
	if got := s.reportsOf(crews[0]); got != 1 {
		t.Errorf("%d reports, want 1", got)
	}
}

// The examples for a container and for a Spark executor work across a refresh.
func TestExamplesForWhereJobsRun(t *testing.T) {
	s := deploy(t)
	for name, command := range map[string]func(t *testing.T) *exec.Cmd{"ecs": s.ecs, "glue": s.glue} {
		t.Run(name, func(t *testing.T) {
			j := startProcess(t, command(t), s.awsURL, "RELTIO_API="+s.apiURL)
			for _, path := range []string{"entities/1", "entities/2", "entities/3"} {
				if answer, err := j.ask(path); err != nil || answer != "got "+path {
					t.Errorf("%q, %v", answer, err)
				}
				s.refresh(t)
			}
		})
	}
}
