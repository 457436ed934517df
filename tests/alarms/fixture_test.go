package alarms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/emf"
	"reltio-token-rotator/tests/alarms"
	"reltio-token-rotator/tests/fake/memory"
	"reltio-token-rotator/tests/harness/cfn"
)

const (
	stackName = "STACK" // as the package cfn names it
	user      = "user"
	day       = 24 * time.Hour
	// timeout is the timeout of the function in the template.
	timeout = 120 * time.Second
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
	t       *testing.T
	aws     *memory.AWS
	reltio  *memory.Reltio
	record  *alarms.Record
	created time.Time

	random  *rand.Rand
	running sync.WaitGroup

	mu      sync.Mutex
	outage  bool // of the token endpoint
	noList  bool // the listing fails
	stopped bool // there are no heartbeats
	runs    int
}

func newFixture(t *testing.T, options memory.Options) *fixture {
	s := &fixture{
		t: t, aws: memory.NewAWS(), record: alarms.NewRecord(), random: rand.New(rand.NewPCG(6, 1)),
		// Not at the start of a minute, like a real stack.
		created: time.Now().Add(37 * time.Second),
	}
	options.Weather = func() memory.TokenFault {
		s.mu.Lock()
		defer s.mu.Unlock()
		return memory.TokenFault{Unreachable: s.outage, Before: 150 * time.Millisecond}
	}
	s.reltio = memory.NewReltio(options)
	s.aws.Weather = func(c memory.Call) memory.Fault {
		s.mu.Lock()
		defer s.mu.Unlock()
		fault := memory.Fault{Latency: 15 * time.Millisecond}
		if s.noList && c.Operation == "GetParametersByPath" {
			fault.Code = "AccessDeniedException"
		}
		return fault
	}
	time.Sleep(time.Until(s.created))
	return s
}

// set switches a fault on or off.
func (s *fixture) set(fault *bool, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*fault = on
}

// seed writes credentials with a new refresh token, as the operator does, and with
// user name and password if login is true.
func (s *fixture) seed(connection string, login bool) {
	_, refreshToken := s.reltio.Login(user + connection)
	s.write(connection, refreshToken, login)
}

func (s *fixture) write(connection, refreshToken string, login bool) {
	fields := map[string]string{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken}
	if login {
		fields["username"], fields["password"] = user+connection, "password"
	}
	document, _ := json.Marshal(fields)
	s.aws.PutSecret(connection, memory.Credentials, string(document))
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
				s.heartbeat()
			})
		}
		time.Sleep(time.Minute)
	}
}

func (s *fixture) heartbeat() {
	s.mu.Lock()
	s.runs++
	id := fmt.Sprint("request-", s.runs)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	store := s.aws.Process()
	r := &rotator.Rotator{
		Settings: rotator.Settings{
			TokenURL: "https://auth.reltio.com/oauth/token", TokenHosts: []string{"reltio.com"},
			RefreshBefore: 10 * time.Minute, Heartbeat: time.Minute,
		},
		Version: "simulated",
		Lister:  store, Parameters: store, Credentials: store, Saver: store, Pending: store, Tokens: store,
		Endpoint: s.reltio.Process(), Metrics: emf.New(s.record, stackName), Log: slog.New(slog.DiscardHandler),
	}
	// The metrics report failures.
	_, _ = r.Run(ctx, id, rotator.Event{})
}

// expiry is when the published token expires.
func (s *fixture) expiry(connection string) time.Time {
	s.t.Helper()
	document, ok := s.aws.Secret(connection, memory.Token)
	var token struct {
		ExpiresAt time.Time `json:"expires_at"`
	}
	if !ok || json.Unmarshal([]byte(document), &token) != nil {
		s.t.Fatal("no token is published")
	}
	return token.ExpiresAt
}

// works reports whether a job can use the published token now.
func (s *fixture) works(connection string) bool {
	document, _ := s.aws.Secret(connection, memory.Token)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	_ = json.Unmarshal([]byte(document), &token)
	return s.reltio.Alive(token.AccessToken)
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
