package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// sam runs the SAM CLI in the project's folder. Its output is shown only when it
// fails.
func (o *operator) sam(ctx context.Context, environment []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "sam", args...)
	cmd.Dir = o.source
	cmd.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0")
	if environment != nil {
		// sam gets the session's own keys, because it may not be able to read the
		// profile, or would ask for an MFA code again.
		cmd.Env = append(slices.DeleteFunc(cmd.Env, func(entry string) bool {
			return strings.HasPrefix(entry, "AWS_PROFILE=") || strings.HasPrefix(entry, "AWS_SESSION_TOKEN=")
		}), environment...)
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("nothing was changed: sam is not installed. In the project's folder: make tools; or see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html")
	}
	fmt.Fprintln(o.errors, plain(strings.TrimSpace(output.String())))
	return fmt.Errorf("nothing was changed: sam %s failed: %w", args[0], err)
}

// environment returns the session's keys and region as variables for a program.
func (s session) environment() []string {
	environment := []string{
		"AWS_ACCESS_KEY_ID=" + s.accessKey, "AWS_SECRET_ACCESS_KEY=" + s.secretKey,
		"AWS_REGION=" + s.region, "AWS_DEFAULT_REGION=" + s.region,
	}
	if s.bearer != "" {
		environment = append(environment, "AWS_SESSION_TOKEN="+s.bearer)
	}
	return environment
}
