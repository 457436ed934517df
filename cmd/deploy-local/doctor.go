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

// diagnose runs make check; wrong holds what the checks say that are not ok, by
// "CONNECTION CHECK".
func (s stack) diagnose(ctx context.Context) (wrong map[string]string, checks int, err error) {
	text, failed := s.make(ctx, "check", "JSON=true")
	var report doctor.Report
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		return nil, 0, errors.Join(err, failed)
	}
	wrong = map[string]string{}
	for _, check := range report.Checks {
		if !check.OK {
			wrong[strings.TrimSpace(check.Connection+" "+string(check.Check))] = check.Message
		}
	}
	if (failed != nil) != (len(wrong) > 0) {
		return nil, 0, fmt.Errorf("make check ended with %v after %v", failed, wrong)
	}
	return wrong, len(report.Checks), nil
}

// healthy sees make check find nothing. It waits for the log line of a new
// stack's first heartbeat, which the emulator may deliver with the next one.
func (s stack) healthy(ctx context.Context) error {
	for end := time.Now().Add(patience); ; {
		wrong, checks, err := s.diagnose(ctx)
		switch {
		case err != nil:
			return err
		case len(wrong) == 0:
			s.console.Say("make check", "%d checks, all ok", checks)
			return nil
		case len(wrong) > 1 || wrong["heartbeat"] == "" || time.Now().After(end):
			return fmt.Errorf("make check finds fault with a stack that is well: %v", wrong)
		}
	}
}

// ailing breaks the stack in one way after another, sees make check find just
// that and touch nothing, and does what it says. That this was right shows at
// the next check, which finds the next ailment alone. Tokens live for an hour
// meanwhile, so that the heartbeats have nothing to do.
func (s stack) ailing(ctx context.Context) error {
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
	// The last heartbeat is recent also when a slow machine takes its time while
	// the schedule is off.
	if err := s.beat(ctx, function); err != nil {
		return err
	}
	for _, a := range ailments(s.auth, port) {
		if err := s.suffer(ctx, a, role); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return s.healthy(ctx)
}

func (s stack) suffer(ctx context.Context, a ailment, role string) error {
	if err := s.script(ctx, a.breaks, role, ""); err != nil {
		return err
	}
	wrong, err := s.found(ctx, a.finds)
	if err != nil {
		return err
	}
	s.console.Say("make check", "finds %s: %s", a.name, wrong[a.told])
	return s.script(ctx, a.mends, role, wrong[a.told])
}

// unharmed lets the doctor look, which must leave everything as it was.
func (s stack) unharmed(ctx context.Context, look func(context.Context) error) error {
	before, err := s.everything(ctx)
	if err != nil {
		return err
	}
	if err := look(ctx); err != nil {
		return err
	}
	after, err := s.everything(ctx)
	if err != nil {
		return err
	}
	if differ := differences(before, after); len(differ) > 0 {
		return fmt.Errorf("make check changed %s", strings.Join(differ, ", "))
	}
	return nil
}

// found runs make check, which must find what is expected and nothing else, and
// do no harm.
func (s stack) found(ctx context.Context, expected map[string]string) (wrong map[string]string, err error) {
	err = s.unharmed(ctx, func(ctx context.Context) (err error) {
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
		return nil, fmt.Errorf("make check finds more than is wrong: %q", wrong)
	}
	return wrong, nil
}

// no_credentials sees make check find that a connection has no credentials.
func (s stack) unseeded(ctx context.Context, connection string) error {
	const first = "correct the credentials first"
	wrong, err := s.found(ctx, map[string]string{
		connection + " credentials": "no value yet; write one: aws secretsmanager put-secret-value",
		connection + " grant":       first, connection + " refresh_token_age": first,
	})
	if err == nil {
		s.console.Say("make check", "finds no credentials: %s", wrong[connection+" credentials"])
	}
	return err
}

// command is what stands in a message to be typed: the rest of it, but for a
// remark in brackets.
var command = regexp.MustCompile(`: (aws .*?)( \([^()]*\))?$`)

// script runs what somebody types after make check has said message.
func (s stack) script(ctx context.Context, text, role, message string) error {
	told := ""
	if match := command.FindStringSubmatch(message); match != nil {
		told = match[1]
	} else if text == asTold {
		return fmt.Errorf("make check gives no command: %s", message)
	}
	run := s.command("STACK="+s.name, "PROJECT="+s.project, "CREDENTIALS="+s.credentials(), "CONFIG="+s.config(),
		"ROLE="+role, "MESSAGE="+message, "COMMAND="+told)
	run.Dir = s.work
	_, err := run.Run(ctx, "bash", "-euo", "pipefail", "-c", text)
	return err
}

// beside runs make check while heartbeats refresh one token after another. Both
// must come out well, and what changes must be the heartbeats' doing.
func (s stack) beside(ctx context.Context) error {
	function, err := s.resource(ctx, "RotateFunction")
	if err != nil {
		return err
	}
	s.live(3 * time.Second)
	s.reltio.SetOptions(func(o *reltio.Options) { o.Latency = 500 * time.Millisecond })
	if _, err := s.make(ctx, "refresh"); err != nil {
		return err
	}
	before, err := s.everything(ctx)
	if err != nil {
		return err
	}
	asked := len(s.reltio.Requests())
	stop, beats := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			select {
			case <-stop:
				beats <- nil
				return
			default:
				err = s.beat(ctx, function)
			}
		}
		beats <- err
	}()
	for range 2 {
		err = errors.Join(err, s.healthy(ctx))
	}
	close(stop)
	if err := errors.Join(err, <-beats); err != nil {
		return err
	}
	refreshes := len(s.reltio.Requests()) - asked
	s.live(long)
	s.reltio.SetOptions(func(o *reltio.Options) { o.Latency = 0 })
	if refreshes == 0 {
		return errors.New("no heartbeat refreshed anything beside make check")
	}
	s.console.Say("heartbeats", "refreshed the token %d times beside it", refreshes)
	after, err := s.everything(ctx)
	if err != nil {
		return err
	}
	if changed := s.foreign(before, after); len(changed) > 0 {
		return fmt.Errorf("make check beside heartbeats changed %s", strings.Join(changed, ", "))
	}
	return s.refresh(ctx)
}

// beat invokes the function as the schedule does.
func (s stack) beat(ctx context.Context, function string) error {
	invoke := s.command()
	invoke.Stdin = strings.NewReader("{}")
	text, err := invoke.Run(ctx, "aws", "lambda", "invoke", "--function-name", function,
		"--payload", "fileb:///dev/stdin", "/dev/stdout")
	if err == nil && strings.Contains(text, "FunctionError") {
		err = fmt.Errorf("the heartbeat failed: %s", text)
	}
	return err
}
