package aws_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/tests/fake/aws"
)

func TestFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault aws.Fault
		want  []string // of three writes of /p/state
		left  int64    // version afterwards, from 1
	}{
		{"before, once", aws.Fault{Operation: "PutParameter", Code: "AccessDeniedException"}, []string{"AccessDeniedException", "ok", "ok"}, 3},
		{"before, twice", aws.Fault{Code: "InternalServerError", Times: 2}, []string{"InternalServerError", "InternalServerError", "ok"}, 2},
		{"before, always", aws.Fault{Code: "TooManyUpdates", Times: -1}, []string{"TooManyUpdates", "TooManyUpdates", "TooManyUpdates"}, 1},
		{"before, cut", aws.Fault{Name: "/state"}, []string{"cut", "ok", "ok"}, 3},
		{"after, answer lost", aws.Fault{When: aws.After}, []string{"cut", "ok", "ok"}, 4},
		{"after, answer replaced", aws.Fault{When: aws.After, Code: "ThrottlingException"}, []string{"ThrottlingException", "ok", "ok"}, 4},
		{"of another name", aws.Fault{Name: "/lease"}, []string{"ok", "ok", "ok"}, 4},
		{"of another operation", aws.Fault{Operation: "GetParameter"}, []string{"ok", "ok", "ok"}, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := aws.New(aws.Options{})
			server.PutParameter("/p/state", "0")
			server.Inject(test.fault)
			c := connect(server)
			var got []string
			for range 3 {
				got = append(got, code(c.put(t.Context(), "/p/state", "x")))
			}
			equal(t, "answers", got, test.want)
			_, version, _ := server.Parameter("/p/state")
			equal(t, "version", version, test.left)
			equal(t, "calls", server.Calls()["PutParameter"], 3)
			server.ClearFaults()
			equal(t, "cleared", code(c.put(t.Context(), "/p/state", "x")), "ok")
		})
	}
}

// The function is called if no injected fault matches.
func TestSetFaults(t *testing.T) {
	server := aws.New(aws.Options{})
	var asked []aws.Call
	server.SetFaults(func(c aws.Call) (aws.Fault, bool) {
		asked = append(asked, c)
		return aws.Fault{Code: "AccessDeniedException"}, len(asked) == 1
	})
	server.Inject(aws.Fault{Code: "TooManyUpdates"})
	c := connect(server)
	for _, want := range []string{"TooManyUpdates", "AccessDeniedException", "ok"} {
		equal(t, "answer", code(c.put(t.Context(), "/p/state", "x")), want)
	}
	call := aws.Call{Operation: "PutParameter", Name: "/p/state"}
	equal(t, "asked", asked, []aws.Call{call, call})
}

func TestAListingThatLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := aws.New(aws.Options{})
		server.PutParameter("/p/a", "1")
		time.Sleep(2 * time.Second)
		server.PutParameter("/p/a", "2")
		server.PutParameter("/p/b", "3")
		c := connect(server)
		for lag, want := range map[time.Duration]string{time.Second: "1", 3 * time.Second: "", 0: "23"} {
			server.Inject(aws.Fault{When: aws.Slow, Lag: lag})
			pages, err := c.list(t.Context(), "/p")
			equal(t, fmt.Sprint("pages ", lag, " ago"), pages, []string{want})
			equal(t, "error", code(err), "ok")
		}
	})
}

func TestFaultStatus(t *testing.T) {
	tests := []struct {
		fault aws.Fault
		want  int
	}{
		{aws.Fault{Code: "AccessDeniedException"}, 400},
		{aws.Fault{Code: "InternalServiceError"}, 500},
		{aws.Fault{Code: "ServiceUnavailable", Status: 503}, 503},
	}
	for _, test := range tests {
		server := aws.New(aws.Options{})
		server.Inject(test.fault)
		err := connect(server).putSecret(t.Context(), "x")
		answer, ok := errors.AsType[interface {
			error
			HTTPStatusCode() int
		}](err)
		if !ok || answer.HTTPStatusCode() != test.want {
			t.Errorf("%+v: %v, want status %d", test.fault, err, test.want)
		}
	}
}

func TestSlowAndHangingCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := aws.New(aws.Options{Latency: time.Second})
		c := connect(server)
		begin := time.Now()
		equal(t, "put", code(c.put(t.Context(), "/p", "1")), "ok")
		equal(t, "latency", time.Since(begin), time.Second)

		server.Inject(aws.Fault{When: aws.Slow, Latency: 4 * time.Second})
		begin = time.Now()
		equal(t, "slow put", code(c.put(t.Context(), "/p", "2")), "ok")
		equal(t, "slow latency", time.Since(begin), 5*time.Second)

		// A server does not notice that its client has given up.
		server.Inject(aws.Fault{When: aws.Slow, Latency: 4 * time.Second})
		short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		equal(t, "given up", code(c.put(short, "/p", "3")), "cut")
		_, version, _ := server.Parameter("/p")
		equal(t, "no effect yet", version, 2)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		_, version, _ = server.Parameter("/p")
		equal(t, "late effect", version, 3)

		for when, want := range map[aws.When]int64{aws.Before: 0, aws.After: 1} {
			_, before, _ := server.Parameter("/p")
			server.Inject(aws.Fault{When: when, Hang: true})
			patient, cancel := context.WithTimeout(t.Context(), time.Hour)
			begin = time.Now()
			equal(t, "hang", code(c.put(patient, "/p", "x")), "cut")
			equal(t, "hang until given up", time.Since(begin), time.Hour)
			cancel()
			_, after, _ := server.Parameter("/p")
			equal(t, fmt.Sprint("effect of a hang ", when), after-before, want)
		}
	})
}

func TestOnCall(t *testing.T) {
	server := aws.New(aws.Options{})
	c := connect(server)
	server.PutSecret("s", "1")
	var heard []string
	server.OnCall(func(operation, name string, before bool) {
		value, _ := server.Secret("s")
		heard = append(heard, fmt.Sprint(operation, " ", name, " ", before, " ", value))
		if before {
			server.PutSecret("s", "an operator's") // an interleaved write
		}
	})
	equal(t, "put", code(c.putSecret(t.Context(), "2")), "ok")
	server.OnCall(nil)
	c.get(t.Context(), "/p:1")
	equal(t, "heard", strings.Join(heard, ", "), "PutSecretValue s true 1, PutSecretValue s false 2")

	var previous string
	for _, v := range server.SecretVersions("s") {
		if slices.Contains(v.Labels, "AWSPREVIOUS") {
			previous = v.Value
		}
	}
	equal(t, "the call came after the operator's", previous, "an operator's")
}
