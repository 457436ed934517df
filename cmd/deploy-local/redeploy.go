package main

import (
	"context"
	"errors"
	"fmt"
)

// redeploy updates the stack, deletes it, and deploys it again with the retained
// secrets. The secrets must keep their values.
func (s stack) redeploy(ctx context.Context, local []string) error {
	initial, err := s.values(ctx)
	if err != nil {
		return err
	}
	state, err := s.parameter(ctx, s.state())
	if err != nil {
		return err
	}
	if err := s.makeDeploy(ctx, "LogRetentionDays=14"); err != nil {
		return err
	}
	updated, err := s.parameter(ctx, s.state())
	if err != nil {
		return err
	}
	// The schedule still runs, so token and state may be newer.
	now, err := s.values(ctx)
	if err != nil {
		return err
	}
	if now.credentials != initial.credentials || now.token == "" {
		return errors.New("the update of the stack changed the secrets")
	}
	if updated == "{}" || (now.token == initial.token && updated != state) {
		return fmt.Errorf("the update of the stack reset the state to %s", updated)
	}
	s.console.Say("make deploy", "changed a parameter; secrets and state are unchanged")

	if err := s.makeDelete(ctx, nil); err != nil {
		return err
	}
	if err := s.makeDeploy(ctx, append(local, "CreateSecrets=false")...); err != nil {
		return err
	}
	s.console.Say("make deploy", "created a new stack of the same name with CreateSecrets=false")
	return nil
}

// values are the values of a stack's secrets.
type values struct{ credentials, token string }

func (s stack) values(ctx context.Context) (values, error) {
	credentials, err := s.secret(ctx, s.credentials())
	if err != nil {
		return values{}, fmt.Errorf("credentials secret: %w", err)
	}
	token, err := s.secret(ctx, s.token())
	if err != nil {
		return values{}, fmt.Errorf("token secret: %w", err)
	}
	return values{credentials, token}, nil
}
