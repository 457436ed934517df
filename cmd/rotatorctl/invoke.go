package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
)

// event is what the function is asked.
type event struct {
	Action      string   `json:"action"`
	Connections []string `json:"connections,omitempty"`
	Force       bool     `json:"force,omitempty"`
}

// errFunction is what the function itself answered to a call that failed.
type errFunction struct {
	ErrorType    string `json:"errorType"`
	ErrorMessage string `json:"errorMessage"`
}

func (e *errFunction) Error() string {
	return "the function failed: " + strings.TrimSpace(e.ErrorType+" "+e.ErrorMessage)
}

// invoke sends an event to the function and reads its answer.
func (o *operator) invoke(ctx context.Context, function string, e event, answer any) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return err
	}
	// A run may take two minutes. The answer comes first, then what the CLI
	// says about the call.
	text, err := o.cli.run(ctx, payload, "lambda", "invoke", "--function-name", function,
		"--cli-read-timeout", "150", "--payload", "fileb:///dev/stdin", "/dev/stdout")
	if err != nil {
		return err
	}
	documents := json.NewDecoder(bytes.NewReader(text))
	var body json.RawMessage
	var call struct{ FunctionError string }
	if err := errors.Join(documents.Decode(&body), documents.Decode(&call)); err != nil {
		return fmt.Errorf("the function's answer is not what was expected: %w", err)
	}
	if call.FunctionError != "" {
		failure := &errFunction{}
		_ = json.Unmarshal(body, failure) // whatever it holds, the call failed
		return failure
	}
	return json.Unmarshal(body, answer)
}

const (
	// patience is how long a connection that another run holds is asked again:
	// longer than a lease lasts.
	patience = 70 * time.Second
	// askAgain is how long to wait in between.
	askAgain = 5 * time.Second
)

// refreshNow refreshes connections, all when none is named, and shows what came
// of it.
func (o *operator) refreshNow(ctx context.Context, function string, connections ...string) error {
	var wrong error // of those that are done
	for began := o.now(); ; {
		var report rotator.Report
		if err := o.invoke(ctx, function, event{"refresh", connections, true}, &report); err != nil {
			return err
		}
		var busy []string
		done := report
		done.Connections = nil
		for _, result := range report.Connections {
			if result.Outcome == rotator.Busy || result.Outcome == rotator.Deferred {
				busy = append(busy, result.Name)
			} else {
				done.Connections = append(done.Connections, result)
			}
		}
		if len(busy) == 0 || o.now().Sub(began) > patience {
			return cmp.Or(wrong, o.show(report))
		}
		if len(done.Connections) > 0 {
			wrong = cmp.Or(wrong, o.show(done))
		}
		connections = busy
		o.say("%s: another run is at it; asking again in %s", strings.Join(busy, ", "), span(askAgain))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askAgain):
		}
	}
}

// show prints a report; errWrong when a connection has no fresh token by it.
func (o *operator) show(report rotator.Report) error {
	if report.Error != "" {
		o.say("%s: %s\n  see %s", report.Error, report.Message, page(string(report.Error)))
		return errWrong
	}
	if len(report.Connections) == 0 {
		o.say("the stack has no connection: make add-connection STACK=%s CONNECTION=name", o.stack)
		return errWrong
	}
	var err error
	for _, result := range report.Connections {
		text, well := o.outcome(result)
		o.say("%s: %s", result.Name, text)
		if !well {
			err = errWrong
		}
	}
	return err
}

// outcome says in words what became of a connection, and whether that is well.
func (o *operator) outcome(r rotator.Result) (text string, well bool) {
	left := ""
	if r.SecondsRemaining != nil {
		left = ", it lives " + span(time.Duration(*r.SecondsRemaining)*time.Second)
	}
	switch r.Outcome {
	case rotator.Refreshed:
		return "a new token is published" + left + "; jobs read it from " + o.secret(r.Name, "token"), true
	case rotator.Unchanged:
		return "Reltio gave the token that is out already" + left + "; it is replaced as soon as it ends", true
	case rotator.Restored:
		return "the refresh token that waited pending is saved", true
	case rotator.NotDue:
		return "the token is fresh" + left, true
	case rotator.Disabled:
		return `its config says "enabled": false`, false
	case rotator.NoCredentials:
		return "nobody has put credentials yet: make seed STACK=" + o.stack + " CONNECTION=" + r.Name, false
	case rotator.Busy, rotator.Deferred:
		return "another run is still at it; look again in a minute: make status STACK=" + o.stack, false
	}
	text = fmt.Sprintf("%s %s", r.Outcome, r.Error)
	if r.Message != "" {
		text += "\n  " + r.Message
	}
	if !r.RetryAt.IsZero() {
		text += "\n  tried again from " + r.RetryAt.UTC().Format(time.RFC3339)
	}
	if r.Error != "" {
		text += "\n  see " + page(string(r.Error))
	}
	return text, false
}

// page is where the runbook speaks of an error code or an alarm.
func page(name string) string { return "docs/runbook.md#" + strings.ToLower(name) }

// refresh is make refresh.
func (o *operator) refresh(ctx context.Context, opts options) error {
	stack, err := o.deployed(ctx)
	if err != nil {
		return err
	}
	var connections []string
	if opts.connection != "" {
		connections = []string{opts.connection}
	}
	return o.refreshNow(ctx, stack.outputs["FunctionName"], connections...)
}
