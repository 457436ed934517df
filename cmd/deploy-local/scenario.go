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

// waitLimit is how long a step waits for the schedule, which fires every minute. A
// busy machine may need several minutes.
const waitLimit = 5 * time.Minute

// stackName is the stack of this run.
const stackName = "deploy-local"

// create deploys the stack of a function that is built.
func (s stack) create(ctx context.Context) (outputs map[string]string, err error) {
	if s.auth {
		if err := s.operatorRoles(ctx, s.name); err != nil {
			return nil, err
		}
		if err := s.makeDeploy(ctx, s.local()...); err != nil {
			return nil, err
		}
	} else if err := s.deploy(ctx, s.local()...); err != nil {
		return nil, err
	}
	if outputs, err = s.outputs(ctx); err != nil {
		return nil, err
	}
	s.console.Say("deployment", "created the stack %s with %s", s.name, outputs["FunctionName"])
	return outputs, nil
}

// local are the stack's parameters.
func (h *harness) local() []string {
	return []string{
		"AwsEndpointUrl=" + h.keys.web.URL, "TokenUrl=" + h.reltioWeb.URL + "/oauth/token", "TokenHosts=127.0.0.1",
		"RefreshBeforeSeconds=120", "AlarmEmail=operator@example.com",
	}
}

// scenario runs all steps, in order.
func (h *harness) scenario(ctx context.Context) error {
	if err := h.build(ctx); err != nil {
		return err
	}
	if err := h.release(ctx); err != nil {
		return err
	}
	s := stack{h, stackName}
	outputs, err := s.create(ctx)
	if err != nil {
		return err
	}
	job, reporter, err := h.jobs(ctx, s, outputs)
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
	if h.auth {
		// From now on each refresh also changes the refresh token, and the
		// function's role must allow to save it.
		h.reltio.SetOptions(func(o *reltio.Options) { o.RotateRefreshToken = true })
	}
	old, err := s.published(ctx)
	if err != nil {
		return err
	}
	if !h.auth {
		// So that no run is active when the stack is deleted.
		h.setLifetime(idleLifetime)
	}
	if _, err := s.refreshed(ctx, old); err != nil {
		return err
	}
	if h.reltio.Alive(first.AccessToken) {
		return errors.New("the first token is still live, so the new one is not a refresh")
	}
	if err := s.read(ctx, job); err != nil {
		return err
	}
	after, err := s.secret(ctx, s.credentials())
	if err != nil {
		return err
	}
	if changed := before != after; changed != h.auth {
		return fmt.Errorf("credentials secret changed: %t, refresh token changed: %t", changed, h.auth)
	}
	current, err := s.published(ctx)
	if err != nil {
		return err
	}
	if h.auth {
		h.console.Say("function", "saved the changed refresh token")
		if err := h.checkPermissions(ctx, s, job, reporter); err != nil {
			return err
		}
	} else if err := s.redeploy(ctx, h.local()); err != nil {
		return err
	}
	// With the refresh token that was saved, or in the new stack.
	if _, err := s.refreshed(ctx, current); err != nil {
		return err
	}
	if err := s.read(ctx, job); err != nil {
		return err
	}
	if err := s.report(ctx, reporter); err != nil {
		return err
	}
	if err := s.operate(ctx); err != nil {
		return err
	}
	attached := map[string]string{}
	if h.auth {
		attached["job"], attached["reporter"] = outputs["ReaderPolicyArn"], outputs["ReporterPolicyArn"]
	}
	return s.makeDelete(ctx, attached)
}

// seed writes the first credentials as the operator does.
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
	s.console.Say("operator", "wrote the credentials; from here on only the schedule invokes the function")
	return nil
}

// token is the value of the token secret.
type token struct {
	AccessToken string    `json:"access_token"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// published returns the published token, and the zero token if there is none.
func (s stack) published(ctx context.Context) (token, error) {
	text, err := s.secret(ctx, s.token())
	if err != nil || text == "" {
		return token{}, err
	}
	var now token
	if err := json.Unmarshal([]byte(text), &now); err != nil {
		return token{}, errors.New("the token secret does not hold JSON")
	}
	return now, nil
}

// refreshed waits until the schedule has replaced the token old.
func (s stack) refreshed(ctx context.Context, old token) (token, error) {
	ctx, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	asked := len(s.reltio.Requests())
	for ctx.Err() == nil {
		now, err := s.published(ctx)
		if err != nil {
			return token{}, err
		}
		if now.AccessToken != old.AccessToken {
			return now, s.verify(ctx, now, old, asked)
		}
		select {
		case <-ctx.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
	return token{}, fmt.Errorf("no new token in %s within %v", s.token(), waitLimit)
}

// verify checks a token that was just published.
func (s stack) verify(ctx context.Context, now, old token, asked int) error {
	left := time.Until(now.ExpiresAt).Round(time.Second)
	switch {
	case !s.reltio.Alive(now.AccessToken):
		return errors.New("the published token is not live")
	case left > s.lifetime:
		return fmt.Errorf("expires_at of the published token is in %v, which is more than its lifetime", left)
	case len(s.reltio.Requests()) > asked+1:
		return fmt.Errorf("%d token requests for one refresh", len(s.reltio.Requests())-asked)
	}
	action := "published the first token"
	if old.AccessToken != "" {
		action = fmt.Sprintf("refreshed it, %v before its expiry", time.Until(old.ExpiresAt).Round(time.Second))
	}
	s.console.Say("schedule", "%s; it expires in %v", action, left)
	return s.recorded(ctx, now)
}

// recorded waits until the state, which is written last, holds the token and no
// error.
func (s stack) recorded(ctx context.Context, now token) error {
	var text string
	for end := time.Now().Add(waitLimit); time.Now().Before(end); {
		var err error
		if text, err = s.shell(ctx, "watch.sh", s.name); err != nil {
			return err
		}
		var state struct {
			Published struct {
				ExpiresAt time.Time `json:"expires_at"`
			} `json:"published"`
			Primary struct {
				Error string `json:"error"`
			} `json:"primary"`
			Error string `json:"error"`
		}
		if err := json.Unmarshal([]byte(text), &state); err != nil {
			return fmt.Errorf("the state is not JSON: %s", text)
		}
		if state.Error == "" && state.Primary.Error == "" && !state.Published.ExpiresAt.Before(now.ExpiresAt) {
			s.console.Say("state", "%s", text)
			return nil
		}
		time.Sleep(500 * time.Millisecond)
	}
	return fmt.Errorf("the state does not show the refresh: %s", text)
}

// read is a job that reads the token and calls the API, as the README says.
func (s stack) read(ctx context.Context, job actor) error {
	answer, err := s.shell(ctx, "read.sh", s.name, job...)
	if err != nil {
		return err
	}
	if !strings.Contains(answer, "welcome") {
		return fmt.Errorf("the API answered the job with %q", answer)
	}
	s.console.Say("job", "read the token and called the API: %s", answer)
	return nil
}
