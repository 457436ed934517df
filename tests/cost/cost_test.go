package cost

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

var update = flag.Bool("update", false, "write the tables of docs/cost.md")

// counted is the usage of one run.
type counted struct {
	calls    map[string]int
	requests int
	logged   int // bytes
	took     time.Duration
}

// less returns the difference of two runs.
func (c counted) less(other counted) counted {
	d := counted{calls: map[string]int{}, requests: c.requests - other.requests, logged: c.logged - other.logged, took: c.took - other.took}
	for operation, n := range c.calls {
		d.calls[operation] = n - other.calls[operation]
	}
	return d
}

// of returns the number of calls of these operations.
func (c counted) of(operations ...string) (n int) {
	for _, operation := range operations {
		n += c.calls[operation]
	}
	return n
}

func (c counted) secrets() int { return c.of("GetSecretValue", "PutSecretValue", "DescribeSecret") }

func (c counted) parameters() int { return c.of("GetParametersByPath", "GetParameter", "PutParameter") }

// keyUses is the number of KMS calls. Secrets Manager decrypts for a read, and
// creates a data key and decrypts for a write.
func (c counted) keyUses() int { return c.of("GetSecretValue") + 2*c.of("PutSecretValue") }

// usage is the measured usage of a number of connections.
type usage struct {
	connections  int
	idle         counted // a heartbeat with nothing due
	refresh      counted // what one refresh adds to a heartbeat
	refreshes    int     // of one connection in a month
	metricsNamed int
}

// measure counts what a number of connections with one or two credential sets use.
func measure(t *testing.T, connections, sets int) (u usage) {
	synctest.Test(t, func(t *testing.T) {
		w := harness.New(t, fakeaws.Options{WritesPerSecond: 3, Latency: 15 * time.Millisecond}, fakereltio.Options{Latency: 150 * time.Millisecond})
		for i := range connections {
			name := fmt.Sprintf("tenant-%d", i)
			w.Add(name)
			set := func(refreshToken string) map[string]any {
				w.Reltio.AddRefreshToken(refreshToken)
				return map[string]any{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken}
			}
			credentials := set("refresh-" + name)
			if sets == 2 {
				credentials["alternate"] = set("alternate-" + name)
			}
			w.PutCredentials(name, credentials)
		}
		run := func() (rotator.Report, counted) {
			printed, sent, start := len(w.Output()), len(w.Reltio.Requests()), time.Now()
			w.AWS.ResetCalls()
			report, err := w.Heartbeat(t)
			if err != nil {
				t.Fatal(err)
			}
			c := counted{w.AWS.Calls(), len(w.Reltio.Requests()) - sent, len(w.Output()) - printed, time.Since(start)}
			time.Sleep(time.Minute - c.took%time.Minute)
			return report, c
		}
		for range 3 {
			run() // until every connection has its first token
		}
		_, u.idle = run()
		// Due again, with everything else in the state as a run leaves it.
		state := w.State("tenant-0")
		state.Published = rotator.Published{}
		document, _ := json.Marshal(state)
		w.AWS.PutParameter(harness.ParameterName("tenant-0", "state"), string(document))
		_, refresh := run()
		u.refresh = refresh.less(u.idle)
		u.connections, u.metricsNamed = connections, namedMetrics(t, w.Output())

		if connections > 1 {
			return
		}
		const days = 1
		for range days * 24 * 60 {
			if report, _ := run(); report.Connections[0].Outcome == rotator.Refreshed {
				u.refreshes++
			}
		}
		u.refreshes *= 30 / days
	})
	return u
}

// namedMetrics counts the metrics that the log defines.
func namedMetrics(t *testing.T, output string) int {
	names := map[string]bool{}
	for line := range strings.Lines(output) {
		var emf struct {
			AWS struct {
				CloudWatchMetrics []struct{ Metrics []struct{ Name string } }
			} `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(line), &emf); err != nil {
			t.Fatal(err)
		}
		for _, directive := range emf.AWS.CloudWatchMetrics {
			for _, metric := range directive.Metrics {
				names[metric.Name] = true
			}
		}
	}
	return len(names)
}

func TestThePage(t *testing.T) {
	two := measure(t, 1, 2)
	all := []usage{measure(t, 1, 1), measure(t, 10, 1), measure(t, 100, 1)}
	template, err := os.ReadFile(filepath.Join("..", "..", "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	alarms := bytes.Count(template, []byte("Type: AWS::CloudWatch::Alarm"))
	var months []month
	for _, u := range all {
		u.refreshes = all[0].refreshes
		months = append(months, u.month(alarms))
	}

	file := filepath.Join("..", "..", "docs", "cost.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(page)
	for name, table := range map[string]string{"usage": usageTable(months, two.month(alarms)), "cost": costTable(months), "alternatives": alternatives(months)} {
		place := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n).*?(\n<!-- end -->)`)
		if !place.MatchString(want) {
			t.Fatalf("docs/cost.md has no place for the table %q", name)
		}
		want = place.ReplaceAllLiteralString(want, "<!-- "+name+" -->\n"+strings.TrimSpace(table)+"\n<!-- end -->")
	}
	switch {
	case want == string(page):
	case *update:
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("docs/cost.md differs from the calculation; go test ./tests/cost -update writes\n%s", want)
	}
	runbook, err := os.ReadFile(filepath.Join("..", "..", "docs", "runbook.md"))
	if err != nil {
		t.Fatal(err)
	}
	if sums := fmt.Sprintf("about $%.1f0 a month for one connection, $%.1f0 for ten and $%.1f0 for a hundred", months[0].total(), months[1].total(), months[2].total()); !strings.Contains(string(runbook), sums) {
		t.Errorf("docs/runbook.md does not say %q", sums)
	}
	if more := two.month(alarms).total() - months[0].total(); more > 0.01 {
		t.Errorf("docs/cost.md says that a second credential set costs at most a cent; it costs %.2f", more)
	}
	if !strings.Contains(want, pricesOf) {
		t.Errorf("docs/cost.md does not say that the prices are those of %s", pricesOf)
	}
}
