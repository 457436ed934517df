package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// operate runs the make targets that the README and the runbook name.
func (s stack) operate(ctx context.Context) error {
	status, err := s.make(ctx, "status")
	if err != nil {
		return err
	}
	s.console.Say("make status", "%s", status)
	// So that no refresh is due while the doctor runs.
	s.setLifetime(idleLifetime)
	if err := s.refresh(ctx); err != nil {
		return err
	}
	log, err := s.logged(ctx, "default refreshed (forced)")
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	s.console.Say("make logs", "%d lines, the last: %s", len(lines), lines[len(lines)-1])
	if err := s.unchanged(ctx, s.healthy); err != nil {
		return err
	}
	if err := s.findFailures(ctx); err != nil {
		return err
	}
	if err := s.checkDuringRefreshes(ctx); err != nil {
		return err
	}
	return s.addAndRemove(ctx)
}

// report is a job that reports the published token through the alias "report". The
// emulator does not tell the function through which alias it is invoked, so that
// other tests check that the function then accepts nothing else.
func (s stack) report(ctx context.Context, reporter actor) error {
	now, err := s.published(ctx)
	if err != nil {
		return err
	}
	function, err := s.resource(ctx, "RotateFunction")
	if err != nil {
		return err
	}
	event, err := json.Marshal(map[string]any{
		"action": "refresh", "connections": []string{"default"},
		"dead_token": fmt.Sprintf("%x", sha256.Sum256([]byte(now.AccessToken)))[:16],
	})
	if err != nil {
		return err
	}
	invoke := s.command(reporter...)
	invoke.Stdin = bytes.NewReader(event)
	answer, err := invoke.Run(ctx, "aws", "lambda", "invoke", "--function-name", function+":report", "--payload", "fileb:///dev/stdin", "/dev/stdout")
	if err != nil {
		return err
	}
	if !strings.Contains(answer, `"outcome":`) {
		return fmt.Errorf("the function answered the report with %s", answer)
	}
	s.console.Say("reporter", "reported the token: %s", answer)
	return nil
}

// refresh runs make refresh.
func (s stack) refresh(ctx context.Context) error {
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
	return nil
}

// logged waits until make logs shows text. The emulator may deliver a log line with
// the next heartbeat.
func (s stack) logged(ctx context.Context, text string) (string, error) {
	var log string
	for end := time.Now().Add(waitLimit); time.Now().Before(end); time.Sleep(time.Second) {
		var err error
		if log, err = s.make(ctx, "logs"); err != nil {
			return "", err
		}
		if strings.Contains(log, text) {
			return log, nil
		}
	}
	return "", fmt.Errorf("%s\nmake logs does not show %q", log, text)
}

// make runs a make target for this stack.
func (s stack) make(ctx context.Context, target string, variables ...string) (string, error) {
	return s.command(s.operators[target]...).Run(ctx, "make", append([]string{"--no-print-directory", target, "STACK=" + s.name}, variables...)...)
}

// addAndRemove adds a connection, removes it, and adds it again, which shows that
// the removal is complete.
func (s stack) addAndRemove(ctx context.Context) error {
	const connection = "CONNECTION=emea"
	for round := range 2 {
		endpoint := s.reltioWeb.URL + "/oauth/token"
		if _, err := s.make(ctx, "add-connection", connection, "TOKEN_URL="+endpoint); err != nil {
			return err
		}
		config, err := s.parameter(ctx, "/"+s.prefix()+"/emea/config")
		if err != nil {
			return err
		}
		if want := `{"token_url":"` + endpoint + `"}`; config != want {
			return fmt.Errorf("the config of the added connection is %s, want %s", config, want)
		}
		if round == 0 {
			if err := s.withoutCredentials(ctx, "emea"); err != nil {
				return err
			}
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
			return errors.New("the added connection has no live token")
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
			return fmt.Errorf("make remove-connection did not delete %s", left)
		}
		s.console.Say("make", "added the connection emea and removed it completely")
	}
	return nil
}
