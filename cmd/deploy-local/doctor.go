package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"reltio-token-rotator/rotator/doctor"
	"reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/machine"
)

// diagnose runs make check. failed holds the messages of the checks that are not
// ok, by "CONNECTION CHECK".
func (s stack) diagnose(ctx context.Context) (failed map[string]string, checks int, err error) {
	text, exit := s.make(ctx, "check", "JSON=true")
	var report doctor.Report
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		return nil, 0, errors.Join(err, exit)
	}
	failed = map[string]string{}
	for _, check := range report.Checks {
		if !check.OK {
			failed[strings.TrimSpace(check.Connection+" "+string(check.Check))] = check.Message
		}
	}
	if (exit != nil) != (len(failed) > 0) {
		return nil, 0, fmt.Errorf("make check ended with %v after %v", exit, failed)
	}
	return failed, len(report.Checks), nil
}

// healthy expects that make check finds nothing. It waits for the log line of a
// new stack's first heartbeat, which the emulator may deliver with the next one.
func (s stack) healthy(ctx context.Context) error {
	for end := time.Now().Add(waitLimit); ; {
		wrong, checks, err := s.diagnose(ctx)
		switch {
		case err != nil:
			return err
		case len(wrong) == 0:
			s.console.Say("make check", "%d checks, all ok", checks)
			return nil
		case len(wrong) > 1 || wrong["heartbeat"] == "" || time.Now().After(end):
			return fmt.Errorf("make check reports problems of a healthy stack: %v", wrong)
		}
	}
}

// findFailures causes one failure after another. make check must find exactly that
// failure and change nothing. Then it is fixed as the message says. The next
// check shows that the fix was right, because it finds only the next failure.
// Tokens live for an hour, so that no heartbeat refreshes one meanwhile.
func (s stack) findFailures(ctx context.Context) error {
	port, err := machine.FreePort()
	if err != nil {
		return err
	}
	right, err := s.secret(ctx, s.credentials())
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.work, "credentials.json"), []byte(right), 0o600); err != nil {
		return err
	}
	role, err := s.resource(ctx, "RotateRole")
	if err != nil {
		return err
	}
	function, err := s.resource(ctx, "RotateFunction")
	if err != nil {
		return err
	}
	// So that the last heartbeat is recent while the schedule is disabled.
	if err := s.heartbeat(ctx, function); err != nil {
		return err
	}
	for _, c := range failureCases(s.auth, port) {
		if err := s.findFailure(ctx, c, role); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return s.healthy(ctx)
}

func (s stack) findFailure(ctx context.Context, c failureCase, role string) error {
	if err := s.script(ctx, c.cause, role, ""); err != nil {
		return err
	}
	wrong, err := s.check(ctx, c.findings)
	if err != nil {
		return err
	}
	s.console.Say("make check", "finds %s: %s", c.name, wrong[c.check])
	return s.script(ctx, c.fix, role, wrong[c.check])
}

// unchanged calls look, which runs the doctor and must not change anything.
func (s stack) unchanged(ctx context.Context, look func(context.Context) error) error {
	before, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	if err := look(ctx); err != nil {
		return err
	}
	after, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	if differ := differences(before, after); len(differ) > 0 {
		return fmt.Errorf("make check changed %s", strings.Join(differ, ", "))
	}
	return nil
}

// check runs make check, which must find what is expected, nothing else, and
// change nothing.
func (s stack) check(ctx context.Context, expected map[string]string) (wrong map[string]string, err error) {
	err = s.unchanged(ctx, func(ctx context.Context) (err error) {
		wrong, _, err = s.diagnose(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	for check, says := range expected {
		if !strings.Contains(wrong[check], says) {
			return nil, fmt.Errorf("make check does not find %s: %q; it found %q", check, says, wrong)
		}
	}
	if len(wrong) != len(expected) {
		return nil, fmt.Errorf("make check reports more than is wrong: %q", wrong)
	}
	return wrong, nil
}

// withoutCredentials expects that make check finds a connection without
// credentials.
func (s stack) withoutCredentials(ctx context.Context, connection string) error {
	const first = "correct the credentials first"
	wrong, err := s.check(ctx, map[string]string{
		connection + " credentials": "no value yet; write one: aws secretsmanager put-secret-value",
		connection + " grant":       first, connection + " refresh_token_age": first,
	})
	if err == nil {
		s.console.Say("make check", "finds no credentials: %s", wrong[connection+" credentials"])
	}
	return err
}

// command matches the command at the end of a message, before a remark in
// parentheses.
var command = regexp.MustCompile(`: (aws .*?)( \([^()]*\))?$`)

// script runs what the operator types after reading message.
func (s stack) script(ctx context.Context, text, role, message string) error {
	given := ""
	if match := command.FindStringSubmatch(message); match != nil {
		given = match[1]
	} else if text == givenCommand {
		return fmt.Errorf("the message has no command: %s", message)
	}
	run := s.command("STACK="+s.name, "PROJECT="+s.project, "CREDENTIALS="+s.credentials(), "CONFIG="+s.config(),
		"ROLE="+role, "MESSAGE="+message, "COMMAND="+given)
	run.Dir = s.work
	_, err := run.Run(ctx, "bash", "-euo", "pipefail", "-c", text)
	return err
}

// checkDuringRefreshes runs make check while heartbeats refresh tokens. Both must
// succeed, and only the heartbeats may change anything.
func (s stack) checkDuringRefreshes(ctx context.Context) error {
	function, err := s.resource(ctx, "RotateFunction")
	if err != nil {
		return err
	}
	s.setLifetime(3 * time.Second)
	s.reltio.SetOptions(func(o *reltio.Options) { o.Latency = 500 * time.Millisecond })
	if _, err := s.make(ctx, "refresh"); err != nil {
		return err
	}
	before, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	asked := len(s.reltio.Requests())
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			select {
			case <-stop:
				ended <- nil
				return
			default:
				err = s.heartbeat(ctx, function)
			}
		}
		ended <- err
	}()
	for range 2 {
		failed, _, checkErr := s.diagnose(ctx)
		if checkErr == nil && (len(failed) != 1 || failed["default token_lifetime"] == "") {
			checkErr = fmt.Errorf("make check reports more than the lifetime of 3 s: %v", failed)
		}
		err = errors.Join(err, checkErr)
	}
	close(stop)
	if err := errors.Join(err, <-ended); err != nil {
		return err
	}
	refreshes := len(s.reltio.Requests()) - asked
	s.setLifetime(idleLifetime)
	s.reltio.SetOptions(func(o *reltio.Options) { o.Latency = 0 })
	if refreshes == 0 {
		return errors.New("no heartbeat refreshed a token during make check")
	}
	s.console.Say("heartbeats", "refreshed the token %d times during make check", refreshes)
	after, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	if changed := s.unexpected(before, after); len(changed) > 0 {
		return fmt.Errorf("make check during refreshes changed %s", strings.Join(changed, ", "))
	}
	return s.refresh(ctx)
}

// heartbeat invokes the function as the schedule does.
func (s stack) heartbeat(ctx context.Context, function string) error {
	invoke := s.command()
	invoke.Stdin = strings.NewReader("{}")
	text, err := invoke.Run(ctx, "aws", "lambda", "invoke", "--function-name", function,
		"--payload", "fileb:///dev/stdin", "/dev/stdout")
	if err == nil && strings.Contains(text, "FunctionError") {
		err = fmt.Errorf("the heartbeat failed: %s", text)
	}
	return err
}
