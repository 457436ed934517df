package main

import (
	"fmt"
	"strings"
	"time"

	"reltio-token-rotator/cmd/internal/paragraph"
	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// narrator reports what happens, one line for each event. Heartbeats that are alike
// share a line.
type narrator struct {
	*screen
	settings settings
	start    time.Time
	tally    tally

	same   alike
	token  *publishedToken
	tokens int    // published so far
	shown  string // fingerprint of token
	using  string // fingerprint of the token that the job was last said to use
	// told is the last message that was shown, so that it is shown once.
	told string
}

// alike are heartbeats in a row that decided the same.
type alike struct {
	first, last beat
	n           int
	since       time.Time
	work        tally // of the job meanwhile
}

// longest is for how long heartbeats share a line.
func (n *narrator) longest() time.Duration { return max(n.settings.runFor/10, 2*time.Second) }

func (n *narrator) clock() string { return fmt.Sprintf("%6.1f s  ", time.Since(n.start).Seconds()) }

const (
	whoWidth = 18
	// whatWidth is for sentences, so that a line fits in 80 columns.
	whatWidth = 50
)

func (n *narrator) say(who, what string) {
	n.line(n.paint(dim, n.clock()) + n.column(plain, who, whoWidth) + what)
}

// more goes on below what was said.
func (n *narrator) more(text string) {
	n.line(strings.Repeat(" ", len(n.clock())+whoWidth) + text)
}

// beat tells of a heartbeat.
func (n *narrator) beat(b beat) {
	n.tally.addBeat(b)
	quiet := !b.failed() && b.result.Outcome != rotator.Refreshed && b.result.Outcome != rotator.Unchanged
	if quiet && n.same.n > 0 && decision(n.same.last) == decision(b) {
		n.same.last = b
		n.same.n++
		if time.Since(n.same.since) >= n.longest() {
			n.flush()
		}
		return
	}
	n.flush()
	if b.token != nil && !quiet {
		n.see(*b.token)
	}
	if quiet {
		n.same = alike{first: b, last: b, n: 1, since: time.Now(), work: n.same.work}
		if n.settings.heartbeat > n.longest() {
			n.flush() // the next one would come too late
		}
		return
	}
	who := fmt.Sprintf("heartbeat %d", b.number)
	switch {
	case b.result.Outcome == rotator.Refreshed:
		n.say(who, n.paint(green, "refreshed")+reason(b.result.Reason)+n.tokenText())
		n.more("with the grant type " + string(b.grantType))
	case b.result.Outcome == rotator.Unchanged:
		n.say(who, n.paint(yellow, "unchanged")+": still token "+n.tokenText())
	default:
		n.say(who, n.paint(red, "failed")+": "+failureText(b))
	}
	n.advise(b.result)
}

// flush tells of the heartbeats that decided the same.
func (n *narrator) flush() {
	s := n.same
	if s.n == 0 {
		return
	}
	n.same = alike{}
	who := fmt.Sprintf("heartbeat %d", s.first.number)
	if s.n > 1 {
		who = fmt.Sprintf("heartbeats %d-%d", s.first.number, s.last.number)
	}
	what := decision(s.last)
	if n.token != nil {
		what += ", " + left(n.token.ExpiresAt)
	}
	if s.work.reads > 0 {
		what += fmt.Sprintf("; the job read %s, %d live", count(s.work.reads, "time"), s.work.live)
	}
	if s.last.result.Outcome == rotator.NotDue {
		what = n.paint(dim, what)
	}
	n.say(who, what)
	n.advise(s.last.result)
}

// advise shows what the function says is to be done, once.
func (n *narrator) advise(r rotator.Result) {
	if r.Message != "" && r.Message != n.told {
		for _, line := range paragraph.Wrap(n.ofFile(r.Message), whatWidth, "") {
			n.more(line)
		}
	}
	n.told = r.Message
}

// ofFile is what the function says, about the file that the operator has in place of
// the secret.
func (n *narrator) ofFile(text string) string {
	return strings.ReplaceAll(text, "the credentials secret", n.settings.credentialsFile)
}

// see takes note of the published token.
func (n *narrator) see(t publishedToken) {
	if fingerprint := secret.New(t.AccessToken).Fingerprint(); fingerprint != n.shown {
		n.tokens++
		n.shown = fingerprint
	}
	n.token = &t
}

func (n *narrator) tokenStyle() style { return tokenStyles[n.tokens%len(tokenStyles)] }

func (n *narrator) tokenText() string {
	if n.token == nil {
		return "no token"
	}
	return n.paint(n.tokenStyle(), n.shown) + ", " + left(n.token.ExpiresAt)
}

// work tells of the job: of the first use of each token, and of trouble.
func (n *narrator) work(w work) {
	n.tally.addWork(w)
	n.same.work.addWork(w)
	st := plain
	// A new token is in the secret a little before its heartbeat is over. That
	// the job uses it is told after that.
	told := w.fingerprint == n.shown
	if told {
		st = n.tokenStyle()
	}
	token := n.paint(st, w.fingerprint)
	switch {
	case w.err != nil:
		n.flush()
		n.say("job", n.paint(red, "cannot work")+": "+w.err.Error())
	case w.stranded:
		n.flush()
		n.say("job", n.paint(red, n.refused()+" ")+token+" for "+brief(w.refusedFor))
	case w.live > 0 && w.dead > 0:
		n.say("job", n.refused()+"; read again after "+brief(w.refusedFor)+": "+token)
		n.using = w.fingerprint
	case w.live > 0 && told && w.fingerprint != n.using:
		n.using = w.fingerprint
		what := " has not expired"
		if n.settings.apiURL != "" {
			what = " works"
		}
		n.say("job", "reads the secret: "+token+what)
	}
}

// refused is what became of a token that does not count as live.
func (n *narrator) refused() string {
	if n.settings.apiURL == "" {
		return "expired"
	}
	return "401"
}

// note shows what the function logged for the operator.
func (n *narrator) note(logged note) {
	st := yellow
	if logged.level == "ERROR" {
		st = red
	}
	for i, line := range paragraph.Wrap(n.ofFile(logged.text), whatWidth, "") {
		if i == 0 {
			n.say("function", n.paint(st, line))
		} else {
			n.more(n.paint(st, line))
		}
	}
}

// draw draws the live line.
func (n *narrator) draw() {
	const width = 16
	text := "  " + n.bar(0, width, plain) + "  no token yet"
	if t := n.token; t != nil {
		remaining := time.Until(t.ExpiresAt)
		st := green
		switch {
		case remaining <= 0:
			st = red
		case remaining <= n.settings.refreshBefore:
			st = yellow
		}
		part := remaining.Seconds() / max(t.ExpiresAt.Sub(t.IssuedAt).Seconds(), 1)
		text = "  " + n.bar(part, width, st) + fmt.Sprintf("  %-11s", left(t.ExpiresAt))
	}
	toGo := max((n.settings.runFor - time.Since(n.start)).Round(time.Second), time.Second)
	text += n.paint(dim, fmt.Sprintf(" heartbeat %-4d job %d of %d live  %s to go", n.tally.beats, n.tally.live, n.tally.reads, brief(toGo)))
	n.live(text)
}

// decision is what heartbeats are compared by.
func decision(b beat) string {
	if b.failed() {
		return failureText(b)
	}
	text := map[rotator.Outcome]string{
		rotator.NotDue: "not due", rotator.Busy: "busy: another run has the lease", rotator.BackingOff: "backing off",
		rotator.NoCredentials: "no credentials yet", rotator.Deferred: "no time left in this run",
	}[b.result.Outcome]
	if text == "" {
		text = string(b.result.Outcome)
	}
	if b.result.Error != "" {
		text += ": " + string(b.result.Error)
	}
	return text
}

func failureText(b beat) string {
	if b.result.Error != "" {
		return string(b.result.Error)
	}
	return b.failure
}

// reason says why there was a refresh.
func reason(r rotator.Reason) string {
	switch r {
	case rotator.ReasonUnknown:
		return ": first token "
	case rotator.ReasonWindow:
		return ": new token "
	case rotator.ReasonExpiry:
		return " after the end: token "
	}
	return " (" + string(r) + "): token "
}

// left is what is left of a token's life.
func left(end time.Time) string {
	d := time.Until(end)
	switch {
	case d <= 0:
		return "expired"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s left", d.Seconds())
	}
	return brief(d) + " left"
}
