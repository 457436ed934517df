package simulation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	// user is the user of the primary set, and second that of the alternate set.
	user, second = "user", "second"
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
	fates map[string]*fate
	// exceptions are the times in which one of the promise's exceptions may have
	// ended a token. uncertain is since when the published token is uncertain;
	// negative is never. stateLost is when the state was lost: nothing is known of
	// the tokens that were published before.
	exceptions []span
	uncertain  time.Duration
	stateLost  []time.Duration
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
	if err := putCredentials(h, stored{}.with(user, refreshToken, password)); err != nil {
		t.Fatal(err)
	}
	return h
}

// simulate runs a policy through a scenario. Call it in a synctest bubble.
func simulate(t testing.TB, scenario *scenario, policy policy) tally {
	d := &deployment{t: t, scenario: scenario, policy: policy, start: time.Now(), fates: map[string]*fate{}, uncertain: -1}
	d.Harness = newHarness(t, fakereltio.Options{
		RotateRefreshToken:    scenario.mode == refreshTokenRotates,
		SameTokenUntilExpired: scenario.mode == sameTokenUntilExpired,
		JWT:                   policy.survives, Lifetimes: policy.lifetimes, Users: map[string]string{second: "password"},
	}, scenario.password)
	d.setUp()
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
	d.settle()
	d.tally.finish(scenario, d)
	return d.tally
}

// setUp is what the policy needs beside one credential set.
func (d *deployment) setUp() {
	if d.policy.refreshBefore > 0 {
		d.Settings.RefreshBefore = d.policy.refreshBefore
	}
	if d.policy.survives {
		d.AWS.PutParameter(harness.ParameterName(connection, "config"), `{"refresh_ends_token":false}`)
	}
	for _, service := range []string{"secretsmanager", "ssm"} {
		d.Host(service+".us-east-1.amazonaws.com", d.noticing(d.AWS))
	}
	if !d.policy.two {
		return
	}
	d.login(second)
	at := 14 * day // two weeks apart, so that the refresh tokens do not expire together
	if d.policy.rejected {
		at = d.rejection().to
		d.running.Go(func() {
			d.sleepUntil(d.rejection().from)
			d.except(d.now(), d.now())
			d.Reltio.Revoke(second)
		})
	}
	if at < d.scenario.length {
		d.running.Go(func() { d.sleepUntil(at); d.reseed(second) })
	}
}

// rejection is when one of two sets is rejected: for ten of 90 days.
func (d *deployment) rejection() span {
	return span{d.scenario.length / 3, d.scenario.length/3 + d.scenario.length/9}
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
	d.stateLost = append(d.stateLost, d.now())
	state := harness.ParameterName(connection, "state")
	if d.scenario.luck("lose", d.now()) < 0.5 {
		d.AWS.PutParameter(state, "{}")
		return
	}
	d.AWS.DeleteParameter(state)
	d.AWS.DeleteParameter(harness.ParameterName(connection, "lease"))
}

func (d *deployment) loginElsewhere() {
	d.except(d.now(), d.now())
	d.Reltio.EndAccessTokensOf(user)
}

// reseed is an operator who follows the vendor's instructions: revoke, log in again,
// write the new refresh token. Usually, but not always, the operator then invokes
// the function.
func (d *deployment) reseed(of string) {
	at := d.now()
	d.except(at, at)
	d.Reltio.Revoke(of)
	time.Sleep(20*time.Second + d.scenario.lasting("reseed", at, 100*time.Second))
	d.login(of)
	time.Sleep(5*time.Second + d.scenario.lasting("start", at, time.Minute))
	if d.scenario.luck("forget", at) > 0.3 {
		d.policy.invoke(d, rotator.Event{Action: rotator.ActionRefresh, Force: true})()
	}
}

// login puts the refresh token of a new login into its set.
func (d *deployment) login(of string) {
	_, refreshToken := d.Reltio.LoginAs(of)
	for {
		document, _ := d.AWS.Secret(harness.SecretName(connection, "credentials"))
		var s stored
		_ = json.Unmarshal([]byte(document), &s)
		if putCredentials(d.Harness, s.with(of, refreshToken, d.scenario.password)) == nil {
			return
		}
		time.Sleep(time.Hour) // too many versions in a day: wait until one is removed
	}
}

// stored is the document of the credentials secret.
type stored struct {
	ClientID     string  `json:"client_id"`
	ClientSecret string  `json:"client_secret"`
	RefreshToken string  `json:"refresh_token"`
	Username     string  `json:"username,omitempty"`
	Password     string  `json:"password,omitempty"`
	Alternate    *stored `json:"alternate,omitempty"`
}

// with returns the document with another refresh token of a user.
func (s stored) with(of, refreshToken string, password bool) stored {
	set := stored{ClientID: "client", ClientSecret: "secret", RefreshToken: refreshToken}
	if password {
		set.Username, set.Password = of, "password"
	}
	if of == user {
		set.Alternate = s.Alternate
		return set
	}
	s.Alternate = &set
	return s
}

// putCredentials fails if the secret already has as many versions of the last day as
// it can have.
func putCredentials(h *harness.Harness, s stored) error {
	document, _ := json.Marshal(s)
	_, err := h.AWS.TryPutSecret(harness.SecretName(connection, "credentials"), string(document))
	return err
}

// durable returns every refresh token that is stored.
func (d *deployment) durable() []string {
	document, _ := d.AWS.Secret(harness.SecretName(connection, "credentials"))
	var s stored
	_ = json.Unmarshal([]byte(document), &s)
	kept := []string{s.RefreshToken}
	if s.Alternate != nil {
		kept = append(kept, s.Alternate.RefreshToken)
	}
	document, _, _ = d.AWS.Parameter(harness.ParameterName(connection, "pending"))
	var pending struct{ Tokens []stored }
	_ = json.Unmarshal([]byte(document), &pending)
	for _, entry := range pending.Tokens {
		kept = append(kept, entry.RefreshToken)
	}
	return kept
}

// watched is what checkRefreshTokens knows of one credential set.
type watched struct {
	user             string
	unsaved, lost    string
	usable, unusable time.Duration
}

// checkRefreshTokens checks every few minutes. It counts refresh tokens that were
// not stored. If no token can be obtained any more with what is stored of a set, an
// operator reseeds the set after a while.
func (d *deployment) checkRefreshTokens() {
	sets := []*watched{{user: user}}
	if d.policy.two {
		sets = append(sets, &watched{user: second})
	}
	var usable time.Duration // when a set was last usable
	for d.now() < d.scenario.length-checking {
		time.Sleep(checking)
		before := usable
		for _, set := range sets {
			if d.check(set) {
				usable = d.now()
			}
		}
		if usable > before+2*checking {
			d.tally.withoutCredentials = append(d.tally.withoutCredentials, span{before, usable})
		}
	}
	if d.now() > usable+checking { // and no operator reseeded before the end
		d.tally.withoutCredentials = append(d.tally.withoutCredentials, span{usable, d.scenario.length})
	}
}

// check reports whether a token can be obtained with what is stored of a set. If not,
// an operator reseeds the set after a while.
func (d *deployment) check(set *watched) bool {
	kept := d.durable()
	known := d.Reltio.RefreshTokens(set.user)
	newest := ""
	if len(known) > 0 {
		newest = known[len(known)-1]
	}
	switch {
	case newest == "" || slices.Contains(kept, newest):
		set.unsaved = ""
	case set.unsaved == newest && set.lost != newest:
		set.lost = newest
		d.tally.refreshTokensLost++
	default:
		set.unsaved = newest
	}
	if d.scenario.password || slices.ContainsFunc(known, func(value string) bool { return slices.Contains(kept, value) }) {
		set.usable, set.unusable = d.now(), 0
		return true
	}
	if r := d.rejection(); d.policy.rejected && set.user == second && r.from <= d.now() && d.now() < r.to+checking {
		return false
	}
	if set.unusable == 0 {
		set.unusable = d.now() + logUniformBy(d.scenario.luck("react", set.usable), 10*time.Minute, 4*time.Hour)
	}
	if d.now() < set.unusable {
		return false
	}
	d.reseed(set.user)
	set.usable, set.unusable = d.now(), 0
	return true
}

// invokeRotator runs one event in a process of its own.
func (d *deployment) invokeRotator(event rotator.Event) {
	began := d.now()
	report, _ := d.Invoke(context.Background(), event)
	for _, result := range report.Connections {
		switch result.Reason {
		case rotator.ReasonForced, rotator.ReasonDeadToken, rotator.ReasonUncertain, rotator.ReasonLeaseExpired, rotator.ReasonUnknown:
			d.except(began, d.now())
		}
		// After two logins in a row whose answers were lost, the next one is an hour
		// later, because accounts get locked.
		if until := result.RetryAt.Sub(d.start); result.Error == rotator.AnswerLost && until > d.now()+hourWindow {
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
