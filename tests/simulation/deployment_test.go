package simulation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/fake/memory"
)

const (
	connection = "default"
	user       = "user"
	// timeout is the function's, as the template sets it.
	timeout = 120 * time.Second
	// watching is how often the watcher looks.
	watching = 5 * time.Minute
)

// deployment is a stack under one policy, living through a trace.
type deployment struct {
	t      testing.TB
	trace  *trace
	policy policy
	aws    *memory.AWS
	reltio *memory.Reltio

	start   time.Time
	running sync.WaitGroup
	runs    atomic.Int64

	mu    sync.Mutex
	tally tally
}

// live lets a policy live through a trace. Call it in a bubble.
func live(t testing.TB, trace *trace, policy policy) tally {
	d := &deployment{t: t, trace: trace, policy: policy, aws: memory.NewAWS(), start: time.Now()}
	d.reltio = memory.NewReltio(memory.Options{
		Rotate: trace.mode == refreshTokenRotates, SameTokenUntilExpired: trace.mode == sameTokenUntilExpired,
		Weather: func() memory.TokenFault { return trace.tokenWeather(d.now()) },
	})
	d.aws.Weather = func(c memory.Call) memory.Fault { return trace.awsWeather(d.now(), c) }
	d.aws.Add(connection)
	_, refreshToken := d.reltio.Login(user)
	d.putCredentials(refreshToken)

	d.running.Go(d.keepSchedule)
	d.running.Go(d.letHappen)
	d.running.Go(d.watch)
	d.policy.work(d)
	d.running.Wait()
	d.tally.requests = d.reltio.Requests()
	d.tally.answersLost = d.reltio.AnswersLost()
	d.tally.length = trace.length
	d.tally.finish(trace)
	return d.tally
}

func (d *deployment) now() time.Duration { return time.Since(d.start) }

func (d *deployment) sleepUntil(at time.Duration) { time.Sleep(at - d.now()) }

// keepSchedule sends the heartbeats. None waits for the one before.
func (d *deployment) keepSchedule() {
	d.running.Go(d.policy.invoke(d, rotator.Event{})) // whoever sets it up tries it out
	for minute := 1; time.Duration(minute)*time.Minute < d.trace.length; minute++ {
		if !d.policy.scheduled(minute) {
			continue
		}
		d.sleepUntil(time.Duration(minute) * time.Minute)
		for _, late := range d.trace.beats(minute) {
			d.running.Go(func() {
				time.Sleep(late)
				d.policy.invoke(d, rotator.Event{})()
			})
		}
	}
}

// letHappen brings what the trace holds.
func (d *deployment) letHappen() {
	for _, h := range d.trace.events {
		d.sleepUntil(h.at)
		d.running.Go(func() { h.what(d) })
	}
}

func (d *deployment) loseState() {
	if d.trace.luck("lose", d.now()) < 0.5 {
		d.aws.PutParameter(connection, rotator.KindState, "{}")
		return
	}
	d.aws.DeleteParameter(connection, rotator.KindState)
	d.aws.DeleteParameter(connection, rotator.KindLease)
}

func (d *deployment) loginElsewhere() { d.reltio.EndAccess(user) }

// reseed is a person who does what the vendor says: revoke, log in again, put
// the new refresh token; and mostly, but not always, start the function then.
func (d *deployment) reseed() {
	at := d.now()
	d.reltio.Revoke(user)
	time.Sleep(20*time.Second + d.trace.lasting("reseed", at, 100*time.Second))
	_, refreshToken := d.reltio.Login(user)
	d.putCredentials(refreshToken)
	time.Sleep(5*time.Second + d.trace.lasting("start", at, time.Minute))
	if d.trace.luck("forget", at) > 0.3 {
		d.policy.invoke(d, rotator.Event{Action: rotator.ActionRefresh, Force: true})()
	}
}

// stored is the credentials secret's document.
type stored struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RefreshToken string `json:"refresh_token"`
	Username     string `json:"username,omitempty"`
	Password     string `json:"password,omitempty"`
}

func (d *deployment) putCredentials(refreshToken string) {
	s := stored{ClientID: "client", ClientSecret: "secret", RefreshToken: refreshToken}
	if d.trace.password {
		s.Username, s.Password = user, "password"
	}
	document, _ := json.Marshal(s)
	for d.aws.PutSecret(connection, memory.Credentials, string(document)) != nil {
		time.Sleep(time.Hour) // too many versions in a day: wait for one to go
	}
}

// durable returns every refresh token that is stored.
func (d *deployment) durable() []string {
	var kept []string
	document, _ := d.aws.Secret(connection, memory.Credentials)
	pending, _ := d.aws.Parameter(connection, rotator.KindPending)
	for _, each := range []string{document, pending} {
		var s stored
		if json.Unmarshal([]byte(each), &s) == nil {
			kept = append(kept, s.RefreshToken)
		}
	}
	return kept
}

// watch looks every few minutes. It counts refresh tokens that nobody kept, and
// when what is stored leads to no token any more, a person reseeds after a while.
func (d *deployment) watch() {
	var unsaved, lost string
	var usable, unusable time.Duration
	for d.now() < d.trace.length-watching {
		time.Sleep(watching)
		kept := map[string]bool{}
		alive := d.trace.password
		for _, value := range d.durable() {
			kept[value] = true
			alive = alive || d.reltio.RefreshTokenAlive(value)
		}
		newest, exists := d.reltio.Newest(user)
		switch {
		case !exists || kept[newest]:
			unsaved = ""
		case unsaved == newest && lost != newest:
			lost = newest
			d.tally.refreshTokensLost++
		default:
			unsaved = newest
		}
		if alive {
			usable, unusable = d.now(), 0
			continue
		}
		if unusable == 0 {
			unusable = d.now() + logUniformBy(d.trace.luck("react", usable), 10*time.Minute, 4*time.Hour)
		}
		if d.now() >= unusable {
			d.reseed()
			d.tally.withoutCredentials = append(d.tally.withoutCredentials, span{usable, d.now()})
			usable, unusable = d.now(), 0
		}
	}
	if unusable > 0 { // and nobody came before the end
		d.tally.withoutCredentials = append(d.tally.withoutCredentials, span{usable, d.trace.length})
	}
}

// published is the token secret as a job reads it.
type published struct {
	AccessToken string    `json:"access_token"`
	ExpiresAt   time.Time `json:"expires_at"`
}

func (d *deployment) published() (published, bool) {
	document, ok := d.aws.Secret(connection, memory.Token)
	var p published
	return p, ok && json.Unmarshal([]byte(document), &p) == nil
}

// invokeRotator runs one event in a process of its own.
func (d *deployment) invokeRotator(event rotator.Event) {
	report, _ := invoke(d.aws, d.reltio, fmt.Sprint("request-", d.runs.Add(1)), event)
	for _, result := range report.Connections {
		// Two logins in a row whose answers were lost: the next is an hour later,
		// since accounts get locked.
		if until := result.RetryAt.Sub(d.start); result.Error == rotator.AnswerLost && until > d.now()+window {
			d.mu.Lock()
			since := min(d.now(), result.ExpiresAt.Sub(d.start)) // when the first answer was lost
			d.tally.loginsBackedOff = append(d.tally.loginsBackedOff, span{since, until})
			d.mu.Unlock()
		}
		if strings.Contains(result.Message, "a bug in the rotator") {
			d.t.Errorf("seed %d, after %v: %s", d.trace.seed, d.now(), result.Message)
		}
	}
}

// invoke runs one event in a process of its own.
func invoke(aws *memory.AWS, reltio *memory.Reltio, requestID string, event rotator.Event) (rotator.Report, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	store := aws.Process()
	r := &rotator.Rotator{
		Settings: rotator.Settings{ // as the template has them
			TokenURL: "https://auth.reltio.com/oauth/token", TokenHosts: []string{"reltio.com"},
			RefreshBefore: 10 * time.Minute, Heartbeat: time.Minute,
		},
		Version: "simulated",
		Lister:  store, Parameters: store, Credentials: store, Saver: store, Pending: store, Tokens: store,
		Endpoint: reltio.Process(), Metrics: noMetrics{}, Log: slog.New(slog.DiscardHandler),
	}
	return r.Run(ctx, requestID, event)
}

type noMetrics struct{}

func (noMetrics) Write(time.Time, rotator.Metrics) error { return nil }
