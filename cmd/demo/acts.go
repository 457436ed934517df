package main

import (
	"fmt"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

const (
	lifetime = 60.0 // minutes, of a token
	window   = 10.0 // minutes before its expiry, in which it is replaced
	outage   = 25.0
	// down is for how much of the outage the token is already due.
	down = 3.0
	// onceFor is how long the job works that reads the secret once.
	onceFor = 25
)

// introduce says what is going to be seen.
func introduce(to *screen, s settings) {
	to.line("The function as it is deployed, between fakes of AWS and of Reltio on this")
	to.line(fmt.Sprintf("machine, for 35 seconds. One second here is %d minutes: a token lives one hour", time.Second/s.minute))
	to.line(fmt.Sprintf("(%s here), and a heartbeat, the scheduled run of the function, comes every", brief(time.Duration(lifetime)*s.minute)))
	to.line(fmt.Sprintf("minute (%s).", brief(s.minute)))
}

// acts shows them in turn, until one of them does not go as told.
func (d *demo) acts() {
	reads := &row{short: "reads", name: "reads the secret before each call"}
	caches := &row{short: "caches", name: "reads the secret, keeps the token for one hour"}
	asks := &row{short: "asks", name: "requests its own tokens (two jobs, one user)"}
	once := &row{short: "once", name: "reads the secret once, two credential sets"}
	d.rows = []*row{reads, once, caches, asks}
	_ = d.jobs(reads, caches, asks) && d.down(reads, asks) && d.login(reads) && d.sets(once)
}

// jobs: who reads the secret for each call is not refused when the token is
// replaced. The others are.
func (d *demo) jobs(reads, caches, asks *row) bool {
	d.title("1. A connection: one access token that is kept fresh for jobs")
	if !d.expect(d.await(60, func() bool { return d.refreshes[connection] > 0 }), "the function published no token (%s)", d.lastMessage()) {
		return false
	}
	d.say("The function published the first token. It expires in %s.", d.span(time.Until(d.token.ExpiresAt)))
	_, refreshToken := d.fixture.reltio.LoginAs(jobsUser)
	d.work(reads, always, readingJob(d.api, d.reportToken))
	d.work(caches, always, cachingJob(d.api, connection, d.minutes(lifetime)))
	for range 2 {
		d.work(asks, always, askingJob(d.api, d.fixture.tokenURL, refreshToken))
	}
	d.more("From now on, jobs call the API every minute:")
	for _, r := range []*row{reads, caches, asks} {
		d.more("%-8s%s", r.short, r.name)
	}
	if !d.expect(d.await(lifetime, func() bool { return d.refreshes[connection] > 1 }), "the function did not replace the token (%s)", d.lastMessage()) {
		return false
	}
	d.say("The function published the next token. The server ended the old one.")
	d.wait(13) // by then the token that was kept has expired
	d.say("Answered with 401: %s.", d.refused(reads, caches, asks))
	return d.expect(reads.failed == 0, "the job that reads the secret failed %s", times(reads.failed)) &&
		d.expect(caches.refused > 0, "the job that keeps its token was never refused") &&
		d.expect(asks.refused > 0, "the jobs that request their own tokens were never refused")
}

// down: the token endpoint is down, and who reads the secret does not notice.
func (d *demo) down(reads, asks *row) bool {
	d.title("2. The token endpoint is down for 25 minutes")
	d.wait(max(d.minutesUntil(d.token.ValidUntil)-(outage-down), 0))
	beforeReads, beforeAsks, refreshes := reads.counts, asks.counts, d.refreshes[connection]
	// So that the function knows that nothing was executed: for a minute, which does
	// not pass faster here, a request may be executed whose answer says nothing.
	d.fixture.reltio.SetFaults(func() fakereltio.Fault { return fakereltio.StatusRetryAfter(503, "1") })
	d.say("It answers 503. The published token expires in %s.", d.span(time.Until(d.token.ExpiresAt)))
	d.wait(outage)
	d.fixture.reltio.SetFaults(nil)
	refused := d.fixture.unavailable()
	readsIn, asksIn := reads.minus(beforeReads), asks.minus(beforeAsks)
	d.say("It answers again. Calls that failed: reads %d of %d, asks %d of %d.", readsIn.failed, readsIn.calls, asksIn.failed, asksIn.calls)
	old := d.token
	if !d.expect(d.await(20, func() bool { return d.refreshes[connection] > refreshes }), "the function got no token after the outage (%s)", d.lastMessage()) {
		return false
	}
	d.say("The function, which was answered 503 %s, has a new token.", times(refused))
	d.more("The old one would have expired in %s.", d.span(old.ExpiresAt.Sub(d.token.IssuedAt)))
	return d.expect(refused > 0, "the function requested no token in the outage") &&
		d.expect(readsIn.refused == 0 && reads.failed == 0, "the job that reads the secret noticed the outage") &&
		d.expect(asksIn.failed > 0, "the jobs that request their own tokens did not notice the outage")
}

// login: another login ends the token, and the job reports it.
func (d *demo) login(reads *row) bool {
	d.title("3. Another login of the same user ends the token")
	d.wait(2)
	before := reads.counts
	d.report = nil
	d.age()
	ended := time.Now()
	d.fixture.reltio.EndAccessTokensOf(user)
	d.say("The published token is refused before its end.")
	if !d.expect(d.await(20, func() bool { return d.report != nil && d.replaced }), "the job got no other token (%s)", d.lastMessage()) {
		return false
	}
	since := reads.minus(before)
	d.say("The job was answered 401 %s, also after it read the secret again.", times(since.refused))
	d.more("It reported the token to the function, which published another one.")
	d.more("The job worked again after %s.", d.span(time.Since(ended)))
	return d.expect(since.refused >= 2 && since.failed == 0, "the job was answered 401 %s and failed %s", times(since.refused), times(since.failed)) &&
		d.expect(d.report.Reason == rotator.ReasonDeadToken && d.report.Outcome == rotator.Refreshed, "the report of the token ended with %s", d.report.Outcome)
}

// sets: with two credential sets, a token that was read lives on after the next one
// is published.
func (d *demo) sets(once *row) bool {
	d.title("4. Two credential sets: two Reltio users, whose tokens are published in turn")
	second := d.fixture.login(alternateUser, nil)
	d.fixture.addConnection(twoSets, d.fixture.login(secondUser, rawJSON(second)))
	if !d.expect(d.await(20, func() bool { return d.refreshes[twoSets] > 0 }), "no token was published with two credential sets (%s)", d.lastMessage()) {
		return false
	}
	first, _ := d.fixture.published(twoSets)
	d.say("On a second connection, the function published the first user's token.")
	d.wait(lifetime/2 - 6)
	d.say("A job reads the secret once, and works for %d minutes with that token.", onceFor)
	d.work(once, onceFor, cachingJob(d.api, twoSets, d.minutes(2*lifetime)))
	if !d.expect(d.await(20, func() bool { return d.refreshes[twoSets] > 1 }), "the function did not replace the token (%s)", d.lastMessage()) {
		return false
	}
	next, _ := d.fixture.published(twoSets)
	when := once.calls
	d.say("The function published the second user's token. The server did not end")
	d.more("the first one, which is another user's.")
	d.await(onceFor+10, func() bool { return once.calls >= onceFor })
	d.say("The job has ended: %d of its %d calls were answered with 401.", once.refused, once.calls)
	return d.expect(when > 0 && when < once.calls && next.AccessToken != first.AccessToken, "the token was not replaced while the job worked") &&
		d.expect(once.calls == onceFor && once.refused == 0 && once.failed == 0, "the job that read once made %d calls, and was refused %s", once.calls, times(once.refused))
}
