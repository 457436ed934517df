package simulation_test

import (
	"strings"
	"time"

	"reltio-token-rotator/tests/fake/memory"
)

// tokenWeather is what becomes of a token request.
func (t *trace) tokenWeather(at time.Duration) memory.TokenFault {
	quick := memory.TokenFault{Before: 50*time.Millisecond + t.lasting("request", at, 300*time.Millisecond), After: 20 * time.Millisecond}
	if down, ok := t.at(endpointDown, at); ok {
		switch down.form % 5 {
		case 0:
			return memory.TokenFault{Unreachable: true}
		case 1:
			quick.Status = 500
		case 2:
			quick.Status = 502
		case 3:
			quick.Status, quick.RetryAfter = 503, down.retryAfter
		case 4: // takes the request and says nothing
			return memory.TokenFault{Status: 504, After: time.Minute}
		}
		return quick
	}
	if storm, ok := t.at(throttled, at); ok {
		quick.Status, quick.RetryAfter = 429, storm.retryAfter
		return quick
	}
	if tired, ok := t.at(slow, at); ok {
		quick.Before += t.lasting("slow", at, time.Duration(tired.level*float64(30*time.Second)))
	}
	luck := t.luck("answer", at)
	if _, ok := t.at(flaky, at); ok {
		quick.Cut = luck < 0.3
		if luck > 0.7 {
			quick.Status = 502
		}
	}
	quick.Cut = quick.Cut || luck < 0.0005
	return quick
}

// awsWeather is what becomes of one attempt at a call.
func (t *trace) awsWeather(at time.Duration, c memory.Call) memory.Fault {
	about := c.Operation + c.Connection + c.Kind
	fault := memory.Fault{Latency: 8*time.Millisecond + t.lasting(about, at, 40*time.Millisecond)}
	down, busy := secretsDown, secretsBusy
	if strings.Contains(c.Operation, "Parameter") {
		down, busy = parameterDown, parameterBusy
	}
	if trouble, ok := t.at(down, at); ok {
		if trouble.form%2 == 0 {
			fault.Code = "InternalServiceError"
		} else {
			fault.Latency = time.Minute
		}
		return fault
	}
	if trouble, ok := t.at(busy, at); ok && t.luck("busy"+about, at) < trouble.level/2 {
		fault.Code = "ThrottlingException"
		return fault
	}
	if c.Operation == "PutSecretValue" {
		denied := savingDenied
		if c.Kind == string(memory.Token) {
			denied = tokenDenied
		}
		if _, ok := t.at(denied, at); ok {
			fault.Code = "AccessDeniedException"
			return fault
		}
	}
	switch luck := t.luck("call"+about, at); {
	case c.Operation == "GetParametersByPath" && luck < 0.01:
		fault.Lag = time.Second // as reads may
	case luck < 0.0005:
		fault.Code, fault.Lost = "connection failed", true
	case luck < 0.001:
		fault.Code = "connection failed"
	}
	return fault
}

// beats returns how late the heartbeats of a minute come: most within the
// minute that the schedule promises, some minutes late, some twice, some never.
func (t *trace) beats(minute int) []time.Duration {
	at := time.Duration(minute) * time.Minute
	if _, ok := t.at(silence, at); ok {
		return nil
	}
	late := t.lasting("late", at, 30*time.Second)
	switch luck := t.luck("beat", at); {
	case luck < 0.01:
		return nil
	case luck < 0.02:
		return []time.Duration{late, late + t.lasting("second", at, 30*time.Second)}
	case luck < 0.03:
		return []time.Duration{late + t.lasting("very late", at, 5*time.Minute)}
	}
	return []time.Duration{late}
}
