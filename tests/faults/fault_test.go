package faults_test

import (
	"fmt"
	"slices"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/calls"
)

const tokenRequest = calls.TokenRequest

// fault is one way in which an external call fails.
type fault struct {
	name string
	// only is the only method that can have this fault. If it is empty, every method
	// can.
	only string
	// lasts has the times for which the fault can continue.
	lasts []lasting

	// effect says whether the call takes effect, and when.
	effect effect
	// slow says that the call does not return before its deadline.
	slow bool
	// noTimeLeft says that the run can make no further call with its context.
	noTimeLeft bool
	// kills the process, before or after the effect.
	kills bool
	// code is the error of a store's call.
	code string

	// before is called just before the call, which then takes effect and is answered
	// as usual.
	before func(*process)
	// server is a fault of the token endpoint, which the real client receives.
	// effect says what the server does.
	server *fakereltio.Fault
}

// effect is whether a call takes effect, and when.
type effect int

const (
	never effect = iota
	atOnce
	late // after the caller has gone
)

// lateBy is how long after the caller has given up a slow call takes effect. It is
// long after the run has written its record, and before the next heartbeat.
const lateBy = 5 * time.Second

// lasting is how long a fault goes on.
type lasting int

const (
	once lasting = iota
	thisRun
	fourMinutes // of runs that begin within
)

func (l lasting) String() string { return [...]string{"once", "for the run", "for 4 min"}[l] }

// The faults that situations name.
var (
	refused = &fault{
		name: "refused", lasts: []lasting{once, thisRun, fourMinutes}, code: "InternalServiceError",
	}
	answerLost = &fault{
		name: "answer lost", lasts: []lasting{once, thisRun, fourMinutes}, effect: atOnce, code: "connection failed",
	}
	killedBefore = &fault{name: "killed before", lasts: []lasting{once, fourMinutes}, kills: true}
	killedAfter  = &fault{name: "killed after", lasts: []lasting{once, fourMinutes}, effect: atOnce, kills: true}
)

// faults are the rows of the matrix. A slow call is slow for the whole run, and a
// process dies once in a run.
var faults = []*fault{
	refused,
	answerLost,
	{name: "slow", lasts: []lasting{once, thisRun}, slow: true, noTimeLeft: true, code: "timed out"},
	{name: "slow, late effect", lasts: []lasting{once, thisRun}, slow: true, noTimeLeft: true, effect: late, code: "timed out"},
	killedBefore,
	killedAfter,
	{
		name: "cancelled", lasts: []lasting{once}, effect: atOnce, noTimeLeft: true,
		before: func(p *process) { p.cancel() },
	},
	{
		// Another heartbeat does all its work first.
		name: "overtaken", lasts: []lasting{once}, effect: atOnce,
		before: func(p *process) { p.rival() },
	},
	atServer("refused with 429", never, fakereltio.Throttled("2")),
	atServer("refused with 503", never, fakereltio.StatusRetryAfter(503, "2")),
	atServer("executed, then 408", atOnce, fakereltio.ExecutedThenStatus(408)),
	atServer("executed, then 500", atOnce, fakereltio.ExecutedThenStatus(500)),
	atServer("executed, then 502", atOnce, fakereltio.ExecutedThenStatus(502)),
	atServer("executed, then 504", atOnce, fakereltio.ExecutedThenStatus(504)),
	atServer("502, executed 1.5 s later", late, fakereltio.StatusThenExecuted(502, 1500*time.Millisecond)),
	atServer("504, executed 30 s later", late, fakereltio.StatusThenExecuted(504, 30*time.Second)),
}

// atServer is a fault of the token endpoint, with what the server does.
func atServer(name string, effect effect, f fakereltio.Fault) *fault {
	return &fault{name: name, only: tokenRequest, lasts: []lasting{once}, effect: effect, server: &f}
}

func (f *fault) String() string {
	if f == nil {
		return "no fault"
	}
	return f.name
}

// canMeet reports whether a call can have this fault.
func (f *fault) canMeet(c call) bool { return f.only == "" || f.only == c.Method }

// canLast reports whether a fault can continue for this time.
func (f *fault) canLast(l lasting) bool { return slices.Contains(f.lasts, l) }

// losesAnswer reports whether the call takes effect and the caller does not get
// the answer.
func (f *fault) losesAnswer() bool { return f.before == nil && f.effect != never }

// err is what the real store or token client would return.
func (f *fault) err(c call) error {
	switch {
	case c.Method != tokenRequest:
		return &awsstore.CallError{Operation: c.Method, Code: f.code}
	case f == refused:
		return &rotator.Error{Code: rotator.ServerError, Message: "the server is down."}
	}
	return &rotator.Error{Code: rotator.AnswerLost, Message: "the answer was lost.", TokenEnded: true}
}

// injection is a fault at one call of a run.
type injection struct {
	run   int // from 0; a later run is that of a later heartbeat
	at    int // the call's place in the run, from 0
	call  call
	fault *fault
	lasts lasting
}

func (i injection) String() string {
	text := fmt.Sprintf("%d %v %v %v", i.at, i.call, i.fault, i.lasts)
	if i.run > 0 {
		text = fmt.Sprintf("run %d %s", i.run, text)
	}
	return text
}

// meets reports whether the fault is injected into a call. since is how long after
// the first run this one began.
func (i injection) meets(run, place int, met call, since time.Duration) bool {
	switch {
	case run == i.run && place == i.at:
		return true
	case met != i.call || i.lasts == once:
		return false
	case run == i.run:
		return place > i.at
	}
	return i.lasts == fourMinutes && run > i.run && since < faultDuration
}
