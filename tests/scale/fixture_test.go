// Package scale_test finds out how many connections one function serves, and
// holds docs/scale.md to it: the real rotator between the fakes, which keep
// the limits of AWS and of the token endpoint, in simulated time. Heartbeats
// come every minute whether the one before has ended or not, as they do on AWS.
package scale_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

const (
	awsLatency      = 15 * time.Millisecond
	endpointLatency = 150 * time.Millisecond
	// requestsPerSecond is the stack's setting as the template has it, and
	// writesPerSecond what Parameter Store takes of an account.
	requestsPerSecond = 5
	writesPerSecond   = 3
)

// ideal is how long n refreshes take that do nothing but keep to the limits.
func ideal(n int) time.Duration {
	return time.Duration(max(float64(n)/requestsPerSecond, 2*float64(n)/writesPerSecond) * float64(time.Second))
}

// fixture is a stack with many connections.
type fixture struct {
	*harness.Harness
	t     *testing.T
	names []string
	sets  int // of each connection
	begun time.Time

	mu        sync.Mutex
	published []publication
	// writtenBefore is what was written before the calls were counted.
	writtenBefore int
	// refreshes are by the minute in which the heartbeat came that made them.
	refreshes map[int]int
	outcomes  map[rotator.Outcome]int
	failures  []error
	longest   time.Duration // of the runs
	line      int           // the longest report, in bytes
	running   sync.WaitGroup
	reads     *reads
}

type publication struct {
	name string
	at   time.Time
}

// newFixture has n seeded connections that never had a token, each with so many
// credential sets. Call it in a bubble.
func newFixture(t *testing.T, n, sets int) *fixture {
	s := &fixture{
		Harness: harness.New(t,
			fakeaws.Options{WritesPerSecond: writesPerSecond, Latency: awsLatency},
			fakereltio.Options{RequestsPerSecond: 10, Latency: endpointLatency}),
		t: t, sets: sets, begun: time.Now(), refreshes: map[int]int{}, outcomes: map[rotator.Outcome]int{},
	}
	s.Discard()
	s.reads = &reads{Handler: s.AWS, limit: rate.NewLimiter(readsPerSecond, readsPerSecond)}
	s.Host("ssm.us-east-1.amazonaws.com", s.reads)
	for i := range n {
		name := fmt.Sprintf("tenant-%d", i)
		s.Add(name)
		credentials := s.credentials("refresh-" + name)
		if sets == 2 {
			credentials["alternate"] = s.credentials("alternate-" + name)
		}
		s.PutCredentials(name, credentials)
		s.names = append(s.names, name)
	}
	s.count()
	s.AWS.OnCall(func(operation, name string, before bool) {
		if operation == "PutSecretValue" && !before {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.published = append(s.published, publication{connectionOf(name), time.Now()})
		}
	})
	return s
}

func (s *fixture) credentials(refreshToken string) map[string]any {
	s.Reltio.AddRefreshToken(refreshToken)
	return map[string]any{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken}
}

// count begins to count calls.
func (s *fixture) count() {
	s.AWS.ResetCalls()
	s.writtenBefore = s.written()
}

// connectionOf takes the connection's name out of a secret's.
func connectionOf(secret string) string {
	parts := strings.Split(secret, "/")
	return parts[len(parts)-2]
}

// live sends a heartbeat at the beginning of each minute.
func (s *fixture) live(minutes int) {
	from := int(time.Since(s.begun) / time.Minute)
	for minute := from; minute < from+minutes; minute++ {
		time.Sleep(time.Until(s.begun.Add(time.Duration(minute) * time.Minute)))
		s.running.Go(func() { s.beat(minute) })
	}
	time.Sleep(time.Until(s.begun.Add(time.Duration(from+minutes) * time.Minute)))
}

func (s *fixture) beat(minute int) {
	report, err := s.Heartbeat(s.t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failures = append(s.failures, fmt.Errorf("minute %d: %w", minute, err))
	}
	document, _ := json.Marshal(report) // as it is logged
	s.line = max(s.line, len(document))
	s.longest = max(s.longest, time.Duration(report.DurationMS)*time.Millisecond)
	for _, c := range report.Connections {
		s.outcomes[c.Outcome]++
		if c.Outcome == rotator.Refreshed {
			s.refreshes[minute]++
		}
	}
}

// wantNothingRefused checks that no run failed, that Parameter Store refused no
// write, and that the token endpoint refused no request.
func (s *fixture) wantNothingRefused() {
	s.t.Helper()
	for _, err := range s.failures {
		s.t.Error(err)
	}
	if calls, writes := s.AWS.Calls()["PutParameter"], s.written()-s.writtenBefore; calls != writes {
		s.t.Errorf("Parameter Store refused %d writes", calls-writes)
	}
	for _, r := range s.Reltio.Requests() {
		if r.Status == 429 {
			s.t.Error("the token endpoint answered 429")
		}
	}
}

// written counts the writes of all parameters ever.
func (s *fixture) written() (writes int) {
	for _, name := range s.names {
		for _, kind := range []string{"state", "lease"} {
			_, version, _ := s.AWS.Parameter(harness.ParameterName(name, kind))
			writes += int(version)
		}
	}
	return writes
}

func (s *fixture) wantCalls(operation string, want int) {
	s.t.Helper()
	if got := s.AWS.Calls()[operation]; got != want {
		s.t.Errorf("%d calls of %s, want %d", got, operation, want)
	}
}

// last is how long after the beginning the last token was published.
func (s *fixture) last() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.published[len(s.published)-1].at.Sub(s.begun)
}
