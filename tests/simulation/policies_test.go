package simulation_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
	"reltio-token-rotator/tests/harness"
)

// policy is a way to provide jobs with tokens. All policies use the same stores and
// the same token client, with their repeats, and log in if there is a password. They
// differ in when they request a token, and in what they do after a failure.
type policy struct {
	name string
	// scheduled reports whether there is an invocation in a minute, from the start.
	scheduled func(minute int) bool
	// invoke returns one invocation.
	invoke func(d *deployment, event rotator.Event) func()
	// work is what the jobs do until the scenario ends.
	work func(d *deployment)

	// two: there is a second credential set. rejected: it is rejected for a ninth of
	// the time.
	two, rejected bool
	// survives: tokens live on after a refresh, and the config says so.
	survives bool
	// lifetimes are the lives of tokens by user, and refreshBefore is the setting;
	// none is as everywhere.
	lifetimes     map[string]time.Duration
	refreshBefore time.Duration
	// modes are those of the server under which it is simulated; none is all.
	modes []mode
	// goals are of two sets that are both well.
	goals bool
}

func (p policy) fits(m mode) bool { return len(p.modes) == 0 || slices.Contains(p.modes, m) }

// isRotator reports whether the policy is this rotator.
func (p policy) isRotator() bool { return strings.HasPrefix(p.name, "this rotator") }

func everyMinute(int) bool { return true }
func never(int) bool       { return false }

func policies() []policy {
	with := func(name string, change func(*policy)) policy {
		p := policy{name: "this rotator" + name, scheduled: everyMinute, invoke: rotatorRun, work: readingJobs}
		change(&p)
		return p
	}
	atMinute := func(minute, of int) func(int) bool { return func(m int) bool { return m%of == minute } }
	return []policy{
		with(", jobs report", func(p *policy) { p.work = reportingJobs }),
		with("", func(*policy) {}),
		with(", tokens live on", func(p *policy) { p.survives, p.modes = true, []mode{refreshTokenStays, refreshTokenRotates} }),
		with(", two sets", func(p *policy) { p.two, p.goals = true, true }),
		with(", two sets, window of 30 min", func(p *policy) {
			p.two, p.goals, p.refreshBefore, p.modes = true, true, 30*time.Minute, []mode{refreshTokenStays}
		}),
		with(", two sets, 3599 and 1799 s", func(p *policy) {
			p.two, p.lifetimes, p.modes = true, map[string]time.Duration{second: 1799 * time.Second}, []mode{refreshTokenStays}
		}),
		with(", one of two sets rejected", func(p *policy) { p.two, p.rejected = true, true }),
		{name: "cron at minute 55", scheduled: atMinute(55, 60), invoke: scriptRun, work: readingJobs},
		{name: "every 30 min, blindly", scheduled: atMinute(0, 30), invoke: scriptRun, work: readingJobs},
		{name: "every job for itself", scheduled: never, invoke: scriptRun, work: askingJobs},
		{name: "on first use after expiry", scheduled: never, invoke: scriptRun, work: refreshingJobs},
	}
}

// window is for how long the policy tries to replace a token before it expires.
func (p policy) window(m mode) time.Duration {
	switch {
	case m == sameTokenUntilExpired && !p.goals:
		return 0 // the server gives a new token only then
	case p.lifetimes != nil:
		return 2 * time.Minute // the set that lives longer is not free before: valid_until
	}
	return hourWindow
}

func rotatorRun(d *deployment, event rotator.Event) func() {
	return func() { d.invokeRotator(event) }
}

// scriptRun is a function that refreshes whenever it is invoked. If it fails, Lambda
// invokes it again after a minute, and once more after two.
func scriptRun(d *deployment, _ rotator.Event) func() {
	return func() {
		for attempt := range 3 {
			time.Sleep(time.Duration(attempt) * time.Minute)
			if _, err := d.script(true); err == nil {
				return
			}
		}
	}
}

// script refreshes once, as most people write it.
func (d *deployment) script(publish bool) (accessToken string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	process := d.Process()
	version, err := process.Credentials.Read(ctx, connection)
	if err != nil {
		return "", err
	}
	var s stored
	if err := json.Unmarshal([]byte(version.Document.Reveal()), &s); err != nil {
		return "", err
	}
	request := rotator.TokenRequest{
		TokenURL: harness.TokenURL, ClientID: s.ClientID, ClientSecret: secret.New(s.ClientSecret),
		GrantType: rotator.GrantTypeRefreshToken, RefreshToken: secret.New(s.RefreshToken),
		Username: secret.New(s.Username), Password: secret.New(s.Password),
	}
	answer, err := process.Endpoint.RequestToken(ctx, request)
	if rotator.CodeOf(err) == rotator.RefreshTokenRejected && s.Username != "" {
		request.GrantType = rotator.GrantTypePassword
		answer, err = process.Endpoint.RequestToken(ctx, request)
	}
	if err != nil {
		return "", err
	}
	id := d.scriptID()
	if changed := answer.RefreshToken.Reveal(); changed != s.RefreshToken {
		s.RefreshToken = changed
		document, _ := json.Marshal(s)
		if err := process.Saver.Save(ctx, connection, id, secret.New(string(document))); err != nil {
			return "", err
		}
	}
	if publish {
		document, _ := json.Marshal(harness.Token{
			AccessToken: answer.AccessToken.Reveal(), ExpiresAt: answer.SentAt.Add(answer.ExpiresIn),
		})
		if err := process.Tokens.Publish(ctx, connection, id, secret.New(string(document))); err != nil {
			return "", err
		}
	}
	return answer.AccessToken.Reveal(), nil
}

// readingJobs read the secret whenever they need a token.
func readingJobs(d *deployment) {
	for _, r := range d.scenario.reads {
		d.sleepUntil(r.at)
		p, _ := d.Token(connection)
		d.used(p.AccessToken)
	}
}

// reportingJobs report a token that is refused, once for a token each.
func reportingJobs(d *deployment) {
	reported := map[int]string{}
	for _, r := range d.scenario.reads {
		d.sleepUntil(r.at)
		p, _ := d.Token(connection)
		if d.used(p.AccessToken) || p.AccessToken == "" || reported[r.job] == p.AccessToken {
			continue
		}
		reported[r.job] = p.AccessToken
		d.running.Go(func() {
			d.invokeRotator(rotator.Event{
				Action: rotator.ActionRefresh, Connections: []string{connection},
				DeadToken: secret.New(p.AccessToken).Fingerprint(),
			})
		})
	}
}

// askingJobs request a token of their own when they begin, and again when it is
// rejected.
func askingJobs(d *deployment) {
	type worker struct {
		// turn is a lock that a bubble's clock may wait for.
		slot  chan struct{}
		token string
	}
	workers := make([]worker, len(d.scenario.jobs))
	for i := range workers {
		workers[i].slot = make(chan struct{}, 1)
	}
	d.running.Go(func() {
		for i, j := range d.scenario.jobs {
			d.sleepUntil(j.from)
			d.running.Go(func() {
				workers[i].slot <- struct{}{}
				workers[i].token, _ = d.script(false)
				<-workers[i].slot
			})
		}
	})
	for _, r := range d.scenario.reads {
		d.sleepUntil(r.at)
		d.running.Go(func() {
			mine := &workers[r.job]
			mine.slot <- struct{}{}
			if !d.used(mine.token) {
				if token, err := d.script(false); err == nil {
					mine.token = token
				}
			}
			<-mine.slot
		})
	}
}

// refreshingJobs read the secret, and refresh the token if it has expired.
func refreshingJobs(d *deployment) {
	for _, r := range d.scenario.reads {
		d.sleepUntil(r.at)
		p, _ := d.Token(connection)
		if p.AccessToken != "" && time.Now().Before(p.ExpiresAt) {
			d.used(p.AccessToken)
			continue
		}
		d.running.Go(func() {
			_, _ = d.script(true)
			p, _ := d.Token(connection)
			d.used(p.AccessToken)
		})
	}
}
