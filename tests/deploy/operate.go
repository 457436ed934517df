package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
)

// operate does with the running stack what a person does with it, by the make
// targets that the README and the runbook name.
func (s stack) operate(ctx context.Context) error {
	status, err := s.make(ctx, "status")
	if err != nil {
		return err
	}
	s.console.Say("make status", "%s", status)
	if err := s.healthy(ctx); err != nil {
		return err
	}
	if err := s.resting(ctx); err != nil {
		return err
	}
	before, err := s.published(ctx)
	if err != nil {
		return err
	}
	text, err := s.make(ctx, "refresh")
	if err != nil {
		return err
	}
	after, err := s.published(ctx)
	if err != nil {
		return err
	}
	if after.AccessToken == before.AccessToken || !s.reltio.Alive(after.AccessToken) {
		return fmt.Errorf("make refresh published no new token: %s", text)
	}
	s.console.Say("make refresh", "%s", text)
	log, err := s.logged(ctx, "default  refreshed (forced)")
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	s.console.Say("make logs", "%d lines, the last: %s", len(lines), lines[len(lines)-1])
	return s.further(ctx)
}

// logged waits until make logs shows what. A line that comes a few milliseconds
// after the one before it reaches the emulator's log with the next heartbeat.
func (s stack) logged(ctx context.Context, what string) (string, error) {
	var log string
	for patience := time.Now().Add(firing); time.Now().Before(patience); time.Sleep(time.Second) {
		var err error
		if log, err = s.make(ctx, "logs"); err != nil {
			return "", err
		}
		if strings.Contains(log, what) {
			return log, nil
		}
	}
	return "", fmt.Errorf("make logs does not show %q:\n%s", what, log)
}

// make runs a make target for this stack.
func (s stack) make(ctx context.Context, target string, variables ...string) (string, error) {
	return s.command().Run(ctx, "make", append([]string{"--no-print-directory", target, "STACK=" + s.name}, variables...)...)
}

// diagnose runs make check; wrong are the checks that are not ok.
func (s stack) diagnose(ctx context.Context) (wrong map[rotator.CheckName]string, checks int, err error) {
	text, failed := s.make(ctx, "check", "JSON=true")
	var report rotator.CheckReport
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		return nil, 0, errors.Join(err, failed)
	}
	wrong = map[rotator.CheckName]string{}
	for _, check := range report.Checks {
		if !check.OK {
			wrong[check.Check] = check.Message
		}
	}
	if (failed != nil) != (len(wrong) > 0) {
		return nil, 0, fmt.Errorf("make check ended with %v after %v", failed, wrong)
	}
	return wrong, len(report.Checks), nil
}

func (s stack) healthy(ctx context.Context) error {
	wrong, checks, err := s.diagnose(ctx)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return fmt.Errorf("make check finds fault with a stack that is well: %v", wrong)
	}
	s.console.Say("make check", "%d checks, all ok", checks)
	return nil
}

// resting switches the schedule off, sees make check find it, and does what it
// says.
func (s stack) resting(ctx context.Context) error {
	const schedules = `aws scheduler list-schedules --query 'Schedules[].Name' --output text`
	name, err := s.command().Run(ctx, "bash", "-c", schedules)
	if err != nil {
		return err
	}
	off := fmt.Sprintf(`aws scheduler update-schedule --state DISABLED --cli-input-json "$(aws scheduler get-schedule --name %s --output json \
		--query '{Name:Name,ScheduleExpression:ScheduleExpression,FlexibleTimeWindow:FlexibleTimeWindow,Target:Target}')"`, strings.TrimSpace(name))
	if _, err := s.command().Run(ctx, "bash", "-euo", "pipefail", "-c", off); err != nil {
		return err
	}
	wrong, _, err := s.diagnose(ctx)
	if err != nil {
		return err
	}
	_, mend, found := strings.Cut(wrong["schedule"], ": aws ")
	if !found || len(wrong) != 1 {
		return fmt.Errorf("make check does not say how to switch on the schedule: %v", wrong)
	}
	s.console.Say("make check", "finds that the schedule is switched off")
	if _, err := s.command().Run(ctx, "bash", "-euo", "pipefail", "-c", "aws "+mend); err != nil {
		return err
	}
	return s.healthy(ctx)
}

// further adds a connection, removes it, and adds it again: nothing of the
// first is in the way of the second.
func (s stack) further(ctx context.Context) error {
	const connection = "CONNECTION=emea"
	for range 2 {
		if _, err := s.make(ctx, "add-connection", connection); err != nil {
			return err
		}
		_, refreshToken := s.reltio.Login()
		document, err := json.Marshal(map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": refreshToken})
		if err != nil {
			return err
		}
		file := filepath.Join(s.work, "emea.json")
		if err := os.WriteFile(file, document, 0o600); err != nil {
			return err
		}
		text, err := s.make(ctx, "seed", connection, "FILE="+file)
		if err != nil {
			return err
		}
		s.console.Say("make seed", "%s", text)
		published, err := s.secret(ctx, s.prefix()+"/emea/token")
		if err != nil {
			return err
		}
		var now token
		if err := json.Unmarshal([]byte(published), &now); err != nil || !s.reltio.Alive(now.AccessToken) {
			return errors.New("the added connection has no living token")
		}
		if _, err := s.make(ctx, "remove-connection", connection, "YES=true"); err != nil {
			return err
		}
		left, err := s.command().Run(ctx, "bash", "-euo", "pipefail", "-c", fmt.Sprintf(
			`aws ssm get-parameters-by-path --recursive --path /%[1]s/emea --query 'Parameters[].Name' --output text
			aws secretsmanager list-secrets --query "SecretList[?starts_with(Name, '%[1]s/emea/')].Name" --output text`, s.prefix()))
		if err != nil {
			return err
		}
		if strings.TrimSpace(left) != "" {
			return fmt.Errorf("make remove-connection left %s", left)
		}
		s.console.Say("make", "added the connection emea and removed it, nothing is left")
	}
	return nil
}
