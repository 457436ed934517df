package alarms_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/tests/alarms"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/cfn"
)

const (
	stackName = "STACK" // the name in tests/harness/cfn
	password  = "password"
	day       = 24 * time.Hour
)

// definitions are the alarms of template.yaml, by the last part of their names.
func definitions(t testing.TB) map[string]alarms.Alarm {
	t.Helper()
	template, err := cfn.Load(filepath.Join("..", "..", "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	stack, err := cfn.New(template, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]alarms.Alarm{}
	for id, raw := range template["Resources"].(cfn.Object) {
		if raw.(cfn.Object)["Type"] != "AWS::CloudWatch::Alarm" {
			continue
		}
		resource, _ := stack.Resource(id)
		alarm, err := alarms.Read(resource)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		all[alarm.Name[strings.LastIndex(alarm.Name, "/")+1:]] = alarm
	}
	return all
}

// fixture is a stack in simulated time. Its alarms are created before its first
// heartbeat.
type fixture struct {
	*harness.Harness
	t       *testing.T
	record  *alarms.Record
	created time.Time

	random  *rand.Rand
	running sync.WaitGroup

	mu      sync.Mutex
	outage  *fakereltio.Fault // of the token endpoint
	noList  bool              // the listing fails
	noState bool              // the state cannot be written
	stopped bool              // there are no heartbeats
}

func newFixture(t *testing.T, options fakereltio.Options) *fixture {
	options.Users = map[string]string{user("default"): password}
	s := &fixture{
		Harness: harness.New(t, fakeaws.Options{RecreateAfter: 30 * time.Second}, options),
		t:       t, record: alarms.NewRecord(), random: rand.New(rand.NewPCG(6, 1)),
		// Not at the start of a minute, like a real stack.
		created: time.Now().Add(37 * time.Second),
	}
	s.Discard()
	s.DirectListing = true
	s.Stack, s.MetricLines = stackName, s.record
	s.Reltio.SetFaults(func() fakereltio.Fault {
		s.mu.Lock()
		defer s.mu.Unlock()
		fault := fakereltio.Fault{}
		if s.outage != nil {
			fault = *s.outage
		}
		fault.Delay = 150 * time.Millisecond
		return fault
	})
	s.AWS.SetFaults(func(c fakeaws.Call) (fakeaws.Fault, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fault := fakeaws.Fault{When: fakeaws.Slow, Latency: 15 * time.Millisecond}
		if s.noList && c.Operation == "GetParametersByPath" {
			fault.When, fault.Code = fakeaws.Before, "AccessDeniedException"
		}
		if s.noState && c.Operation == "PutParameter" && strings.HasSuffix(c.Name, "/state") {
			fault.When, fault.Code = fakeaws.Before, "AccessDeniedException"
		}
		return fault, true
	})
	time.Sleep(time.Until(s.created))
	return s
}

// set switches a fault on or off.
func (s *fixture) set(fault *bool, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*fault = on
}

// outageFor runs the schedule for a while during which the token endpoint fails.
func (s *fixture) outageFor(d time.Duration, fault fakereltio.Fault) {
	set := func(f *fakereltio.Fault) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.outage = f
	}
	set(&fault)
	s.runFor(d)
	set(nil)
}

// user is the user of a connection.
func user(connection string) string { return "user" + connection }

// seed writes credentials with a new refresh token, as the operator does, and with
// user name and password if login is true.
func (s *fixture) seed(connection string, login bool) {
	_, refreshToken := s.Reltio.LoginAs(user(connection))
	s.write(connection, refreshToken, login)
}

func (s *fixture) write(connection, refreshToken string, login bool) {
	fields := map[string]string{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken}
	if login {
		fields["username"], fields["password"] = user(connection), password
	}
	s.PutCredentials(connection, fields)
}

// runFor runs the schedule for a while. Each heartbeat is up to 25 s late, so that
// some clock minutes have none and others have two. Some heartbeats are missing
// or sent twice, but never two in a row are missing: then an alarm of "2 of 3
// minutes" returns to OK and fires again, which is only a second message.
func (s *fixture) runFor(d time.Duration) {
	missed := false
	for end := time.Now().Add(d); time.Now().Before(end); {
		beats := 1
		switch luck := s.random.Float64(); {
		case luck < 0.01 && !missed:
			beats = 0
		case luck < 0.02:
			beats = 2
		}
		missed = beats == 0
		s.mu.Lock()
		if s.stopped {
			beats = 0
		}
		s.mu.Unlock()
		for range beats {
			late := time.Duration(s.random.Int64N(int64(25 * time.Second)))
			s.running.Go(func() {
				time.Sleep(late)
				_, _ = s.Heartbeat(s.t) // the metrics report failures
			})
		}
		time.Sleep(time.Minute)
	}
}

// expiry is when the published token expires.
func (s *fixture) expiry(connection string) time.Time {
	s.t.Helper()
	token, ok := s.Token(connection)
	if !ok {
		s.t.Fatal("no token is published")
	}
	return token.ExpiresAt
}

// variants are ways in which CloudWatch may evaluate the same record.
var variants = []alarms.CloudWatch{
	{FurtherBack: 1, Delay: 0}, {FurtherBack: 2, Delay: 1}, {FurtherBack: 3, Delay: 2},
}

// history holds the changes of each alarm.
type history map[string][]alarms.Change

// replay ends the run and replays its record in each variant of CloudWatch.
func (s *fixture) replay(check func(t *testing.T, h history)) {
	s.t.Helper()
	s.running.Wait()
	until := time.Now()
	if err := s.record.Err(); err != nil {
		s.t.Fatal(err)
	}
	all := definitions(s.t)
	for _, cloud := range variants {
		h := history{}
		for name, alarm := range all {
			changes, err := cloud.Replay(alarm, s.record, s.created, until)
			if err != nil {
				s.t.Fatal(err)
			}
			h[name] = changes
		}
		s.t.Logf("%d more periods, %d min delay: %s", cloud.FurtherBack, cloud.Delay, h.messages(s.created))
		check(s.t, h)
	}
}

// messages shows when alarms fired and returned to OK.
func (h history) messages(created time.Time) string {
	var all []string
	for name, changes := range h {
		for _, c := range changes {
			if fired := c.To == alarms.InAlarm; fired || c.To == alarms.OK && !first(changes, c) {
				all = append(all, fmt.Sprintf("%s %s after %v", name, c.To, c.At.Sub(created).Round(time.Minute)))
			}
		}
	}
	return strings.Join(all, ", ")
}

func first(changes []alarms.Change, c alarms.Change) bool { return changes[0] == c }

// fired returns when an alarm fired.
func (h history) fired(name string) []time.Time {
	var all []time.Time
	for _, c := range h[name] {
		if c.To == alarms.InAlarm {
			all = append(all, c.At)
		}
	}
	return all
}

// only fails the test unless each of the named alarms fired exactly once, no other
// alarm fired, and all are OK at the end.
func (h history) only(t *testing.T, names ...string) {
	t.Helper()
	want := map[string]int{}
	for _, name := range names {
		want[name] = 1
	}
	for name, changes := range h {
		if got := len(h.fired(name)); got != want[name] {
			t.Errorf("%s fired %d times, want %d: %v", name, got, want[name], changes)
		}
		if len(changes) == 0 || changes[len(changes)-1].To != alarms.OK {
			t.Errorf("%s is not OK at the end: %v", name, changes)
		}
	}
}
