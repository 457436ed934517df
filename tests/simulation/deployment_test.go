package simulation_test

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
	connection = "default"
	user       = "user"
	// checking is how often the deployment's refresh tokens are looked at.
	checking = 5 * time.Minute
)

// deployment is a stack under one policy, through a scenario.
type deployment struct {
	*harness.Harness
	t        testing.TB
	scenario *scenario
	policy   policy

	start   time.Time
	running sync.WaitGroup
	scripts atomic.Int64

	mu    sync.Mutex
	tally tally
}

// newHarness has one connection with the first refresh token. Its tokens are
// numbered and it prints nothing.
func newHarness(t testing.TB, options fakereltio.Options, password bool) *harness.Harness {
	options.TokenFormat = fakereltio.Counted
	h := harness.New(t, fakeaws.Options{RecreateAfter: 30 * time.Second}, options)
	h.Discard()
	h.DirectListing = true
	h.Add(connection)
	_, refreshToken := h.Reltio.Login()
	if err := putCredentials(h, refreshToken, password); err != nil {
		t.Fatal(err)
	}
	return h
}

// simulate runs a policy through a scenario. Call it in a synctest bubble.
func simulate(t testing.TB, scenario *scenario, policy policy) tally {
	d := &deployment{t: t, scenario: scenario, policy: policy, start: time.Now()}
	d.Harness = newHarness(t, fakereltio.Options{
		RotateRefreshToken:    scenario.mode == refreshTokenRotates,
		SameTokenUntilExpired: scenario.mode == sameTokenUntilExpired,
	}, scenario.password)
	d.Reltio.SetFaults(func() fakereltio.Fault { return scenario.tokenFault(d.now()) })
	d.AWS.SetFaults(func(c fakeaws.Call) (fakeaws.Fault, bool) { return scenario.awsFault(d.now(), c), true })

	d.running.Go(d.runSchedule)
	d.running.Go(d.runEvents)
	d.running.Go(d.checkRefreshTokens)
	d.policy.work(d)
	d.running.Wait()
	d.tally.requests = len(d.Reltio.Requests())
	d.tally.answersLost = d.Reltio.AnswersLost()
	d.tally.length = scenario.length
	d.tally.finish(scenario)
	return d.tally
}

func (d *deployment) now() time.Duration { return time.Since(d.start) }

func (d *deployment) sleepUntil(at time.Duration) { time.Sleep(at - d.now()) }

// runSchedule sends the heartbeats. None waits for the one before.
func (d *deployment) runSchedule() {
	d.running.Go(d.policy.invoke(d, rotator.Event{})) // the operator who sets it up tries it out
	for minute := 1; time.Duration(minute)*time.Minute < d.scenario.length; minute++ {
		if !d.policy.scheduled(minute) {
			continue
		}
		d.sleepUntil(time.Duration(minute) * time.Minute)
		for _, late := range d.scenario.heartbeats(minute) {
			d.running.Go(func() {
				time.Sleep(late)
				d.policy.invoke(d, rotator.Event{})()
			})
		}
	}
}

// runEvents performs the events of the scenario.
func (d *deployment) runEvents() {
	for _, e := range d.scenario.events {
		d.sleepUntil(e.at)
		d.running.Go(func() { e.do(d) })
	}
}

func (d *deployment) loseState() {
	state := harness.ParameterName(connection, "state")
	if d.scenario.luck("lose", d.now()) < 0.5 {
		d.AWS.PutParameter(state, "{}")
		return
	}
	d.AWS.DeleteParameter(state)
	d.AWS.DeleteParameter(harness.ParameterName(connection, "lease"))
}

func (d *deployment) loginElsewhere() { d.Reltio.EndAccessTokensOf(user) }

// reseed is an operator who follows the vendor's instructions: revoke, log in again,
// write the new refresh token. Usually, but not always, the operator then invokes
// the function.
func (d *deployment) reseed() {
	at := d.now()
	d.Reltio.Revoke(user)
	time.Sleep(20*time.Second + d.scenario.lasting("reseed", at, 100*time.Second))
	_, refreshToken := d.Reltio.Login()
	for putCredentials(d.Harness, refreshToken, d.scenario.password) != nil {
		time.Sleep(time.Hour) // too many versions in a day: wait until one is removed
	}
	time.Sleep(5*time.Second + d.scenario.lasting("start", at, time.Minute))
	if d.scenario.luck("forget", at) > 0.3 {
		d.policy.invoke(d, rotator.Event{Action: rotator.ActionRefresh, Force: true})()
	}
}

// stored returns the credentials secret's document.
type stored struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RefreshToken string `json:"refresh_token"`
	Username     string `json:"username,omitempty"`
	Password     string `json:"password,omitempty"`
}

// putCredentials fails if the secret already has as many versions of the last day as
// it can have.
func putCredentials(h *harness.Harness, refreshToken string, password bool) error {
	s := stored{ClientID: "client", ClientSecret: "secret", RefreshToken: refreshToken}
	if password {
		s.Username, s.Password = user, "password"
	}
	document, _ := json.Marshal(s)
	_, err := h.AWS.TryPutSecret(harness.SecretName(connection, "credentials"), string(document))
	return err
}

// durable returns every refresh token that is stored.
func (d *deployment) durable() []string {
	var kept []string
	document, _ := d.AWS.Secret(harness.SecretName(connection, "credentials"))
	pending, _, _ := d.AWS.Parameter(harness.ParameterName(connection, "pending"))
	for _, each := range []string{document, pending} {
		var s stored
		if json.Unmarshal([]byte(each), &s) == nil {
			kept = append(kept, s.RefreshToken)
		}
	}
	return kept
}

// checkRefreshTokens checks every few minutes. It counts refresh tokens that were
// not stored. If no token can be obtained any more with what is stored, an operator
// reseeds after a while.
func (d *deployment) checkRefreshTokens() {
	var unsaved, lost string
	var usable, unusable time.Duration
	for d.now() < d.scenario.length-checking {
		time.Sleep(checking)
		kept := map[string]bool{}
		alive := d.scenario.password
		for _, value := range d.durable() {
			kept[value] = true
			alive = alive || d.Reltio.RefreshTokenAlive(value)
		}
		newest := ""
		if tokens := d.Reltio.RefreshTokens(user); len(tokens) > 0 {
			newest = tokens[len(tokens)-1]
		}
		switch {
		case newest == "" || kept[newest]:
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
			unusable = d.now() + logUniformBy(d.scenario.luck("react", usable), 10*time.Minute, 4*time.Hour)
		}
		if d.now() >= unusable {
			d.reseed()
			d.tally.withoutCredentials = append(d.tally.withoutCredentials, span{usable, d.now()})
			usable, unusable = d.now(), 0
		}
	}
	if unusable > 0 { // and no operator reseeded before the end
		d.tally.withoutCredentials = append(d.tally.withoutCredentials, span{usable, d.scenario.length})
	}
}

// invokeRotator runs one event in a process of its own.
func (d *deployment) invokeRotator(event rotator.Event) {
	report, _ := d.Invoke(context.Background(), event)
	for _, result := range report.Connections {
		// After two logins in a row whose answers were lost, the next one is an hour
		// later, because accounts get locked.
		if until := result.RetryAt.Sub(d.start); result.Error == rotator.AnswerLost && until > d.now()+window {
			d.mu.Lock()
			since := min(d.now(), result.ExpiresAt.Sub(d.start)) // when the first answer was lost
			d.tally.loginsBackedOff = append(d.tally.loginsBackedOff, span{since, until})
			d.mu.Unlock()
		}
		if strings.Contains(result.Message, "a bug in the rotator") {
			d.t.Errorf("seed %d, after %v: %s", d.scenario.seed, d.now(), result.Message)
		}
	}
}

// scriptID is the id of a version that a script writes.
func (d *deployment) scriptID() string { return fmt.Sprintf("script-%032d", d.scripts.Add(1)) }
