package explore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

const (
	connection   = "default"
	clientSecret = "client's secret"
	user         = "user"
	other        = "other user"
	third        = "third user" // of rare acts; the checks know little of it
)

// providers are modes of the token endpoint.
var providers = map[string]fakereltio.Options{
	"keeps":               {},
	"rotates":             {RotateRefreshToken: true},
	"rotates and revokes": {RotateRefreshToken: true, RevokeFamilyOnReplay: true},
	"same until expired":  {SameTokenUntilExpired: true},
	"JWT":                 {JWT: true},
}

// rareProviders are modes of named schedules that no random schedule has.
var rareProviders = map[string]fakereltio.Options{
	"same until expired, rotates": {SameTokenUntilExpired: true, RotateRefreshToken: true},
	"3 h and 30 minutes, rotates": {Lifetime: 3 * time.Hour, Lifetimes: map[string]time.Duration{other: 30*time.Minute + time.Second}, RotateRefreshToken: true},
}

// credentialModes say what a credential set contains in addition to the client.
var credentialModes = map[string]struct{ refreshToken, login bool }{
	"refresh token":           {refreshToken: true},
	"refresh token and login": {refreshToken: true, login: true},
	"login":                   {login: true},
	"client credentials":      {},
}

// fixture is the stack of one schedule, with what the checks know about it.
type fixture struct {
	t       *testing.T
	s       schedule
	h       *harness.Harness
	running sync.WaitGroup // invocations and late effects

	mu         sync.Mutex
	active     int // invocations that have not ended
	began      map[int]time.Time
	calls      []place
	met        []kind
	violations []violation
	// lastTrouble is when the last fault or act had its last effect.
	lastTrouble time.Time
	last        *invocation // the last one of a beat
	atLeast     time.Time   // when the last beat began

	truth
}

// violation is a promise that was not kept.
type violation struct {
	promise int
	what    string
	detail  string
}

func (v violation) String() string {
	return fmt.Sprintf("promise %d: %s (%s)", v.promise, v.what, v.detail)
}

func newFixture(t *testing.T, s schedule) *fixture {
	o, ok := providers[s.provider]
	if !ok {
		o = rareProviders[s.provider]
	}
	o.Latency, o.TokenFormat, o.ClientSecret, o.MultiToken = 100*time.Millisecond, fakereltio.Counted, clientSecret, true
	o.Users = map[string]string{other: passwordOf(other), third: passwordOf(third)}
	o.Username, o.Password = user, passwordOf(user)
	o.Clients = map[string]string{"client-2": clientSecret}
	f := &fixture{t: t, s: s, began: map[int]time.Time{}, truth: newTruth()}
	f.h = harness.New(t, fakeaws.Options{Latency: 10 * time.Millisecond}, o)
	f.h.DirectListing = true
	f.h.Add(connection)
	if s.provider == "JWT" {
		f.config = map[string]any{"refresh_ends_token": false}
		f.putConfig()
	}
	document := f.set(user, "client")
	if s.two {
		document["alternate"] = f.set(other, "client-2")
	}
	f.putDocument(document)
	return f
}

// passwordOf is a user's password.
func passwordOf(user string) string { return user + "'s password" }

// set returns the fields of a credential set, with a fresh login's refresh token.
func (f *fixture) set(user, client string) map[string]any {
	mode := credentialModes[f.s.credentials]
	if mode.refreshToken || mode.login {
		client = "client" // the fake's logins are those of one client
	}
	fields := map[string]any{"client_id": client, "client_secret": clientSecret}
	if mode.refreshToken {
		_, fields["refresh_token"] = f.h.Reltio.LoginAs(user)
	}
	if mode.login {
		fields["username"], fields["password"] = user, passwordOf(user)
	}
	return fields
}

// document is the current credentials document.
func (f *fixture) document() map[string]any {
	text, _ := f.h.AWS.Secret(harness.SecretName(connection, "credentials"))
	return parse(text)
}

func parse(text string) map[string]any {
	fields := map[string]any{}
	_ = json.Unmarshal([]byte(text), &fields)
	return fields
}

// putDocument writes the credentials as an operator does, with a note that the
// checks look for.
func (f *fixture) putDocument(fields map[string]any) {
	f.notes++
	fields["note"], f.notedAt = fmt.Sprintf("note %d", f.notes), len(f.h.Output())
	f.put(fields)
}

// put writes the credentials as they are.
func (f *fixture) put(fields map[string]any) {
	document, _ := json.Marshal(fields)
	f.h.AWS.PutSecret(harness.SecretName(connection, "credentials"), string(document))
	f.operatorWrote()
}

func (f *fixture) putConfig() {
	document, _ := json.Marshal(f.config)
	f.h.AWS.PutParameter(harness.ParameterName(connection, "config"), string(document))
}

func (f *fixture) state() rotator.State { return f.h.State(connection) }

// lease returns the lease, and whether its run has left no record.
func (f *fixture) lease() (lease rotator.Lease, open bool) {
	document, version, _ := f.h.AWS.Parameter(harness.ParameterName(connection, "lease"))
	_ = json.Unmarshal([]byte(document), &lease)
	recorded := f.state().LeaseVersion
	if recorded > version {
		recorded = 0
	}
	return lease, lease.Run != "" && lease.From+1 > recorded
}

// invocation is one invocation of the function, in a process of its own.
type invocation struct {
	*fixture
	number int // of the beat; -1 is one that an act launched
	event  rotator.Event
	began  time.Time
	ended  chan struct{}
	report rotator.Report
	err    error
	dead   atomic.Bool

	counts map[string]int
	failed map[string]bool // calls that met a fault
	knowledge
}

// launch begins an invocation and does not wait for its end, as the schedule does
// not either.
func (f *fixture) launch(number int, event rotator.Event) *invocation {
	v := &invocation{
		fixture: f, number: number, event: event, began: time.Now(), ended: make(chan struct{}),
		counts: map[string]int{}, failed: map[string]bool{},
	}
	f.mu.Lock()
	f.active++
	f.runs++
	id := fmt.Sprintf("request-%d", f.runs)
	if number != -1 {
		f.began[number] = v.began
		f.last = v
	}
	f.mu.Unlock()
	rotating := v.wrap(*f.h.Process())
	ctx, cancel := context.WithTimeout(f.t.Context(), harness.Timeout)
	f.running.Go(func() {
		defer f.end(v)
		defer cancel()
		v.report, v.err = rotating.Run(ctx, id, event)
	})
	return v
}

func (f *fixture) end(v *invocation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active--
	// A failed deletion of the pending parameter may still take effect. A run that goes on
	// for long enough then writes the parameter again.
	maybeDeleted := v.dead.Load() && v.failed["Pending.DeletePending"]
	for _, refreshToken := range v.delivering {
		if !v.couldKeep() && (maybeDeleted || !f.kept(refreshToken, false)) {
			f.lostAllowed[refreshToken] = true
		}
	}
	close(v.ended)
	if *show {
		report, _ := json.Marshal(v.report.Connections)
		state, _, _ := f.h.AWS.Parameter(harness.ParameterName(connection, "state"))
		fmt.Printf("%v %d %+v dead %v, faults %v\n  %s\n  %s\n", v.began.Format(time.TimeOnly), v.number, v.event, v.dead.Load(), v.failed, report, state)
	}
	if len(v.failed) > 0 {
		f.lastTrouble = later(f.lastTrouble, time.Now())
	}
	if time.Since(v.began) > harness.Timeout {
		f.violate(7, "an invocation took longer than the function's timeout", v.began.String())
	}
}

// meet notes a call, performs the acts of its place, and returns its fault.
func (v *invocation) meet(name string) (fault, bool) {
	v.mu.Lock()
	v.counts[name]++
	at := place{v.number, name, v.counts[name]}
	if v.number >= 0 {
		v.calls = append(v.calls, at)
	}
	v.mu.Unlock()
	v.actAt(v, at)
	if v.number < 0 {
		return fault{}, false
	}
	for _, i := range v.s.faults {
		v.mu.Lock()
		since := v.began0(i.beat)
		v.mu.Unlock()
		if i.strikes(at, since) {
			f := faultOf(name, i.fault)
			f.again = i.lasts != once
			v.mu.Lock()
			v.failed[name] = true
			v.met = append(v.met, kind{callKind(name), faultKind(i.fault)})
			v.mu.Unlock()
			return f, true
		}
	}
	return fault{}, false
}

// began0 is the time since a beat's invocation began.
func (f *fixture) began0(number int) time.Duration {
	began, ok := f.began[number]
	if !ok {
		return 0
	}
	return time.Since(began)
}

func (v *invocation) troubled(lastEffect time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lastTrouble = later(v.lastTrouble, time.Now().Add(lastEffect))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// violate records a violation. The caller holds the lock.
func (f *fixture) violate(promise int, what, detail string) {
	f.violations = append(f.violations, violation{promise, what, strings.ReplaceAll(detail, "\n", " ")})
}

// result returns the result of the only connection in a report.
func (v *invocation) result() rotator.Result {
	if len(v.report.Connections) == 0 {
		return rotator.Result{}
	}
	return v.report.Connections[0]
}
