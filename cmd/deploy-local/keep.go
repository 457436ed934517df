package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"reltio-token-rotator/tests/harness/machine"
)

// deployed creates the stack, seeds it, and waits until the schedule has published
// the first token.
func (h *harness) deployed(ctx context.Context) error {
	if err := h.build(ctx); err != nil {
		return err
	}
	s := stack{h, stackName}
	if _, err := s.create(ctx); err != nil {
		return err
	}
	if err := s.seed(ctx); err != nil {
		return err
	}
	_, err := s.refreshed(ctx, token{})
	return err
}

// sayHowToUse prints what an operator enters in another terminal.
func (h *harness) sayHowToUse() {
	fmt.Printf(`
The stack runs until you press Ctrl-C here. In another terminal:

  unset AWS_PROFILE AWS_SESSION_TOKEN
  export AWS_ENDPOINT_URL=%s AWS_DEFAULT_REGION=%s
  export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s
  export PATH="%s:$PATH" STACK=%s
  make status
  aws secretsmanager get-secret-value --secret-id %s

For make seed: client id "client", client secret %q, user name "user",
password "password". For a new stack:

  make deploy STACK=second PARAMETERS="%s"
`, h.endpoint, machine.Region, root().AccessKeyID, root().SecretAccessKey, filepath.Join(h.project, ".tools", "bin"),
		stackName, stack{h, stackName}.token(), clientSecret, strings.Join(h.local(), " "))
}
