package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// actor is a principal's access keys as environment variables. Empty is the
// administrator.
type actor []string

// credentials are the actor's keys.
func (a actor) credentials() aws.Credentials {
	keys := root()
	for _, entry := range a {
		switch name, value, _ := strings.Cut(entry, "="); name {
		case "AWS_ACCESS_KEY_ID":
			keys.AccessKeyID = value
		case "AWS_SECRET_ACCESS_KEY":
			keys.SecretAccessKey = value
		case "AWS_SESSION_TOKEN":
			keys.SessionToken = value
		}
	}
	return keys
}

// jobs creates a role with the reader policy and one with the reporter policy, and
// returns their keys. If IAM is not enforced, both are the administrator.
func (h *harness) jobs(ctx context.Context, s stack, outputs map[string]string) (reader, reporter actor, err error) {
	if !h.auth {
		return nil, nil, nil
	}
	role, err := s.resource(ctx, "RotateRole")
	if err != nil {
		return nil, nil, err
	}
	// MiniStack authorizes the listing on "*", AWS on the path. tests/template
	// checks that the template names the path.
	if _, err := h.command().Run(ctx, "aws", "iam", "put-role-policy", "--role-name", role,
		"--policy-name", "emulator-only", "--policy-document",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ssm:GetParametersByPath","Resource":"*"}]}`); err != nil {
		return nil, nil, err
	}
	if reader, err = h.roleWith(ctx, "job", outputs["ReaderPolicyArn"]); err != nil {
		return nil, nil, err
	}
	reporter, err = h.roleWith(ctx, "reporter", outputs["ReporterPolicyArn"])
	return reader, reporter, err
}

// roleWith creates a role with one policy, which every principal may assume, and
// returns its keys.
func (h *harness) roleWith(ctx context.Context, name, policy string) (actor, error) {
	if _, err := h.command().Run(ctx, "aws", "iam", "create-role", "--role-name", name,
		"--assume-role-policy-document", `{"Version":"2012-10-17","Statement":[`+trustAll+`]}`); err != nil {
		return nil, err
	}
	if _, err := h.command().Run(ctx, "aws", "iam", "attach-role-policy", "--role-name", name, "--policy-arn", policy); err != nil {
		return nil, err
	}
	h.console.Say(name, "has a role with only %s", policy)
	return h.assume(ctx, name)
}

const trustAll = `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}`

// assume returns the access keys of a role.
func (h *harness) assume(ctx context.Context, role string) (actor, error) {
	text, err := h.command().Run(ctx, "aws", "sts", "assume-role", "--role-session-name", "deploy-local",
		"--role-arn", "arn:aws:iam::000000000000:role/"+role, "--query", "Credentials", "--output", "json")
	if err != nil {
		return nil, err
	}
	var keys struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	if err := json.Unmarshal([]byte(text), &keys); err != nil {
		return nil, fmt.Errorf("assume-role: %w", err)
	}
	return actor{
		"AWS_ACCESS_KEY_ID=" + keys.AccessKeyId,
		"AWS_SECRET_ACCESS_KEY=" + keys.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + keys.SessionToken,
	}, nil
}

// checkPermissions calls AWS as the function and as the job. It expects some calls
// to be denied and others to be allowed, so that a call that is denied for
// another reason does not go unnoticed.
func (h *harness) checkPermissions(ctx context.Context, s stack, job, reporter actor) error {
	other := stack{h, "another-stack"}
	for _, name := range []string{other.credentials(), other.token()} {
		if _, err := h.command().Run(ctx, "aws", "secretsmanager", "create-secret", "--name", name,
			"--secret-string", "{}"); err != nil {
			return err
		}
	}
	role, err := s.resource(ctx, "RotateRole")
	if err != nil {
		return err
	}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"},` + trustAll + `]}`
	if _, err := h.command().Run(ctx, "aws", "iam", "update-assume-role-policy", "--role-name", role,
		"--policy-document", trust); err != nil {
		return err
	}
	function, err := h.assume(ctx, role)
	if err != nil {
		return err
	}
	h.keys.callAs(function)
	name, err := s.resource(ctx, "RotateFunction")
	if err != nil {
		return err
	}
	probe := filepath.Join(h.work, "probe.json")
	if err := os.WriteFile(probe, []byte("{}"), 0o600); err != nil {
		return err
	}
	get := []string{"secretsmanager", "get-secret-value", "--secret-id"}
	put := []string{"secretsmanager", "put-secret-value", "--secret-string", "file://" + probe, "--secret-id"}
	invoke := []string{"lambda", "invoke", "--payload", "fileb://" + probe, os.DevNull, "--function-name"}
	config := []string{"ssm", "put-parameter", "--overwrite", "--value", "{}", "--name"}
	for _, call := range []struct {
		name    string
		actor   actor
		allowed bool
		command []string
		target  string
	}{
		{"function", function, true, get, s.credentials()},
		{"function", function, false, get, s.token()},
		{"function", function, false, get, other.credentials()},
		{"function", function, false, put, other.token()},
		{"function", function, true, config, s.state()},
		{"function", function, false, config, s.config()},
		{"function", function, false, config, other.state()},
		{"job", job, true, get, s.token()},
		{"job", job, false, get, s.credentials()},
		{"job", job, false, get, other.token()},
		{"job", job, false, put, s.token()},
		{"job", job, false, invoke, name + ":report"},
		{"reporter", reporter, true, invoke, name + ":report"},
		{"reporter", reporter, false, invoke, name},
		{"reporter", reporter, false, invoke, name + ":$LATEST"},
		{"reporter", reporter, false, get, s.token()},
	} {
		_, err := h.command(call.actor...).Run(ctx, "aws", append(call.command, call.target)...)
		denied := err != nil && strings.Contains(err.Error(), "AccessDenied")
		operation := call.command[1] + " " + call.target
		switch {
		case err != nil && !denied:
			return err
		case denied == call.allowed:
			return fmt.Errorf("%s: %s: denied is %t", call.name, operation, denied)
		case denied:
			h.console.Say(call.name, "denied: %s", operation)
		default:
			h.console.Say(call.name, "allowed: %s", operation)
		}
	}
	return nil
}
