package simulation_test

import (
	"strconv"
	"strings"
	"time"

	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// tokenFault is what happens to a token request at an instant.
func (s *scenario) tokenFault(at time.Duration) fakereltio.Fault {
	delay := 50*time.Millisecond + s.lasting("request", at, 300*time.Millisecond)
	after := func(fault fakereltio.Fault) fakereltio.Fault {
		fault.Delay, fault.AnswerDelay = delay, 20*time.Millisecond
		return fault
	}
	if down, ok := s.at(endpointDown, at); ok {
		switch down.form % 5 {
		case 0:
			return fakereltio.Unreachable()
		case 1:
			return after(fakereltio.Status(500))
		case 2:
			return after(fakereltio.Status(502))
		case 3:
			return after(fakereltio.StatusRetryAfter(503, seconds(down.retryAfter)))
		default: // takes the request, may execute it, and does not answer in time
			return fakereltio.Fault{Status: 504, AnswerDelay: time.Minute, Executed: s.luck("gateway", at) < 0.5}
		}
	}
	if limited, ok := s.at(throttled, at); ok {
		return after(fakereltio.Throttled(seconds(limited.retryAfter)))
	}
	if overloaded, ok := s.at(slow, at); ok {
		delay += s.lasting("slow", at, time.Duration(overloaded.level*float64(30*time.Second)))
	}
	luck := s.luck("answer", at)
	if _, ok := s.at(flaky, at); ok {
		switch {
		case luck < 0.3:
			return after(fakereltio.AnswerLost())
		case luck > 0.85:
			return after(fakereltio.ExecutedThenStatus(504))
		case luck > 0.7:
			return after(fakereltio.Status(502))
		}
	}
	if luck < 0.0005 {
		return after(fakereltio.AnswerLost())
	}
	return after(fakereltio.Pass())
}

// seconds is a Retry-After header; empty is none.
func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.Itoa(int(d / time.Second))
}

// awsFault is what happens to one attempt at a call of AWS at an instant.
func (s *scenario) awsFault(at time.Duration, call fakeaws.Call) fakeaws.Fault {
	name, _ := strings.CutPrefix(strings.TrimPrefix(call.Name, "/"), harness.Prefix)
	about := call.Operation + strings.ReplaceAll(name, "/", "")
	fault := fakeaws.Fault{When: fakeaws.Slow, Latency: 8*time.Millisecond + s.lasting(about, at, 40*time.Millisecond)}
	refused := func(code string) fakeaws.Fault {
		return fakeaws.Fault{When: fakeaws.Before, Latency: fault.Latency, Code: code}
	}
	down, busy := secretsDown, secretsBusy
	if strings.Contains(call.Operation, "Parameter") {
		down, busy = parameterDown, parameterBusy
	}
	if outage, ok := s.at(down, at); ok {
		if outage.form%2 == 0 {
			return refused("InternalServiceError")
		}
		return fakeaws.Fault{When: fakeaws.Before, Hang: true}
	}
	if trouble, ok := s.at(busy, at); ok && s.luck("busy"+about, at) < trouble.level/2 {
		return refused("ThrottlingException")
	}
	if call.Operation == "PutSecretValue" {
		denied := savingDenied
		if strings.HasSuffix(name, "/token") {
			denied = tokenDenied
		}
		if _, ok := s.at(denied, at); ok {
			return refused("AccessDeniedException")
		}
	}
	switch luck := s.luck("call"+about, at); {
	case call.Operation == "GetParametersByPath" && luck < 0.01:
		fault.Lag = time.Second // reads may lag behind writes
	case luck < 0.0005:
		fault.When = fakeaws.After // and the connection is cut
	case luck < 0.001:
		fault.When = fakeaws.Before
	}
	return fault
}

// heartbeats returns how late the heartbeats of a minute come. Most come within the
// minute that the schedule promises, some come minutes late, some twice, and some
// never.
func (s *scenario) heartbeats(minute int) []time.Duration {
	at := time.Duration(minute) * time.Minute
	if _, ok := s.at(silence, at); ok {
		return nil
	}
	late := s.lasting("late", at, 30*time.Second)
	switch luck := s.luck("beat", at); {
	case luck < 0.01:
		return nil
	case luck < 0.02:
		return []time.Duration{late, late + s.lasting("second", at, 30*time.Second)}
	case luck < 0.03:
		return []time.Duration{late + s.lasting("very late", at, 5*time.Minute)}
	}
	return []time.Duration{late}
}
