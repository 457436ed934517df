package main

import (
	"context"
	"errors"
	"fmt"
)

// outlive updates the stack, deletes it, and deploys it anew over the secrets
// that it left: none of it may lose what they hold.
func (s stack) outlive(ctx context.Context, local []string) error {
	kept, err := s.values(ctx)
	if err != nil {
		return err
	}
	state, err := s.parameter(ctx, s.state())
	if err != nil {
		return err
	}
	if err := s.deploy(ctx, "LogRetentionDays=14"); err != nil {
		return err
	}
	updated, err := s.parameter(ctx, s.state())
	if err != nil {
		return err
	}
	// The schedule goes on meanwhile, so token and state may be newer ones; the
	// credentials are the same, and nothing is empty.
	now, err := s.values(ctx)
	if err != nil {
		return err
	}
	if now.credentials != kept.credentials || now.token == "" {
		return errors.New("the update of the stack changed the secrets")
	}
	if updated == "{}" || (now.token == kept.token && updated != state) {
		return fmt.Errorf("the update of the stack reset the state to %s", updated)
	}
	s.console.Say("sam deploy", "changed a parameter; secrets and state are as they were")

	if err := s.delete(ctx); err != nil {
		return err
	}
	last, err := s.values(ctx)
	if err != nil {
		return fmt.Errorf("after the deletion: %w", err)
	}
	if last.credentials != kept.credentials || last.token == "" {
		return errors.New("the deletion of the stack changed the secrets")
	}
	if _, err := s.parameter(ctx, s.state()); err == nil {
		return errors.New("the deletion of the stack left its parameters")
	}
	s.console.Say("sam delete", "the stack is gone, the secrets are kept")

	if err := s.deploy(ctx, append(local, "CreateSecrets=false")...); err != nil {
		return err
	}
	s.console.Say("sam deploy", "a new stack of the same name, with CreateSecrets=false")
	return nil
}

// values are what a stack's secrets hold.
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
