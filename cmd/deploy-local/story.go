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

	"reltio-token-rotator/tests/fake/reltio"
)

// patience is how long is waited for what the schedule does every minute. So
// much passes only on a machine that is busy with other things.
const patience = 5 * time.Minute

// stackName is the stack of this run.
const stackName = "deploy-local"

// story is the life of a stack, in order.
func (w *harness) story(ctx context.Context) error {
	if err := w.build(ctx); err != nil {
		return err
	}
	w.console.Say("sam build", "built the function")
	if err := w.release(ctx); err != nil {
		return err
	}
	s := stack{w, stackName}
	local := []string{
		"AwsEndpointUrl=" + w.keys.web.URL, "TokenUrl=" + w.reltioWeb.URL + "/oauth/token", "TokenHosts=127.0.0.1",
		"RefreshBeforeSeconds=120", "AlarmEmail=operator@example.com",
	}
	if err := s.deploy(ctx, local...); err != nil {
		return err
	}
	outputs, err := s.outputs(ctx)
	if err != nil {
		return err
	}
	w.console.Say("sam deploy", "made the stack %s with %s", s.name, outputs["FunctionName"])

	job, err := w.actors(ctx, s, outputs)
	if err != nil {
		return err
	}
	if err := s.seed(ctx); err != nil {
		return err
	}
	first, err := s.refreshed(ctx, token{})
	if err != nil {
		return err
	}
	if err := s.read(ctx, job); err != nil {
		return err
	}

	before, err := s.secret(ctx, s.credentials())
	if err != nil {
		return err
	}
	if w.auth {
		// From now on each refresh also changes the refresh token, which the
		// function's role has to be able to save.
		w.reltio.SetOptions(func(o *reltio.Options) { o.RotateRefreshToken = true })
	}
	old, err := s.published(ctx)
	if err != nil {
		return err
	}
	if !w.auth {
		// So that no run is under way when the stack is deleted.
		w.live(long)
	}
	if _, err := s.refreshed(ctx, old); err != nil {
		return err
	}
	if w.reltio.Alive(first.AccessToken) {
		return errors.New("the first token still lives: what was published is no refresh")
	}
	if err := s.read(ctx, job); err != nil {
		return err
	}
	after, err := s.secret(ctx, s.credentials())
	if err != nil {
		return err
	}
	if changed := before != after; changed != w.auth {
		return fmt.Errorf("credentials secret changed: %t, while the refresh token changed: %t", changed, w.auth)
	}
	current, err := s.published(ctx)
	if err != nil {
		return err
	}
	if w.auth {
		w.console.Say("function", "saved the changed refresh token")
		if err := w.refusals(ctx, s, job); err != nil {
			return err
		}
	} else if err := s.outlive(ctx, local); err != nil {
		return err
	}
	// With the refresh token that was saved, or in the new stack.
	if _, err := s.refreshed(ctx, current); err != nil {
		return err
	}
	if err := s.read(ctx, job); err != nil {
		return err
	}
	return s.operate(ctx)
}

// seed writes the first credentials as a person would.
func (s stack) seed(ctx context.Context) error {
	_, refresh := s.reltio.Login()
	document, err := json.Marshal(map[string]string{
		"client_id": "client", "client_secret": clientSecret, "refresh_token": refresh,
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.work, "credentials.json"), document, 0o600); err != nil {
		return err
	}
	if _, err := s.shell(ctx, "seed.sh", s.name); err != nil {
		return err
	}
	stored, err := s.secret(ctx, s.credentials())
	if err != nil {
		return err
	}
	if stored != string(document) {
		return errors.New("the credentials secret does not hold what was written")
	}
	s.console.Say("person", "wrote the credentials; from here on nobody invokes the function")
	return nil
}

// token is what a job finds in the token secret.
type token struct {
	AccessToken string    `json:"access_token"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// published returns what is in the token secret now, the zero token where
// there is none yet.
func (s stack) published(ctx context.Context) (token, error) {
	text, err := s.secret(ctx, s.token())
	if err != nil || text == "" {
		return token{}, err
	}
	var now token
	if err := json.Unmarshal([]byte(text), &now); err != nil {
		return token{}, errors.New("the token secret holds no JSON")
	}
	return now, nil
}

// refreshed waits until the schedule has replaced the token old.
func (s stack) refreshed(ctx context.Context, old token) (token, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asked := len(s.reltio.Requests())
	for ctx.Err() == nil {
		now, err := s.published(ctx)
		if err != nil {
			return token{}, err
		}
		if now.AccessToken != old.AccessToken {
			return now, s.judge(ctx, now, old, asked)
		}
		select {
		case <-ctx.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
	return token{}, fmt.Errorf("no new token in %s within %v", s.token(), patience)
}

// judge reports whether a token that has just appeared is the one it should be.
func (s stack) judge(ctx context.Context, now, old token, asked int) error {
	left := time.Until(now.ExpiresAt).Round(time.Second)
	switch {
	case !s.reltio.Alive(now.AccessToken):
		return errors.New("the published token is dead")
	case left > s.lives:
		return fmt.Errorf("the published token is said to live %v, longer than it does", left)
	case len(s.reltio.Requests()) > asked+1:
		return fmt.Errorf("%d token requests for one refresh", len(s.reltio.Requests())-asked)
	}
	word := "filled the token secret"
	if old.AccessToken != "" {
		word = fmt.Sprintf("refreshed it, %v before its end", time.Until(old.ExpiresAt).Round(time.Second))
	}
	s.console.Say("schedule", "%s: lives %v", word, left)
	return s.recorded(ctx, now)
}

// recorded waits until the state, which is written last, tells of the token and
// of no error.
func (s stack) recorded(ctx context.Context, now token) error {
	var text string
	for end := time.Now().Add(patience); time.Now().Before(end); {
		var err error
		if text, err = s.shell(ctx, "watch.sh", s.name); err != nil {
			return err
		}
		var state struct {
			ExpiresAt time.Time `json:"expires_at"`
			Error     string    `json:"error"`
		}
		if err := json.Unmarshal([]byte(text), &state); err != nil {
			return fmt.Errorf("the state is no JSON: %s", text)
		}
		if state.Error == "" && !state.ExpiresAt.Before(now.ExpiresAt) {
			s.console.Say("state", "%s", text)
			return nil
		}
		time.Sleep(500 * time.Millisecond)
	}
	return fmt.Errorf("the refresh was not recorded as a good one: %s", text)
}

// read lets a job read the token and use it, as the README says.
func (s stack) read(ctx context.Context, job actor) error {
	answer, err := s.shell(ctx, "read.sh", s.name, job...)
	if err != nil {
		return err
	}
	if !strings.Contains(answer, "welcome") {
		return fmt.Errorf("the job was answered %q", answer)
	}
	s.console.Say("job", "read the token and was let in: %s", answer)
	return nil
}
