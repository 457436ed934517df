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

// actor is somebody's access keys, as environment variables. Empty is the
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

// actors prepares who acts in the story, and returns the job. Where IAM is not
// enforced, the job is the administrator.
func (w *harness) actors(ctx context.Context, s stack, outputs map[string]string) (actor, error) {
	if !w.auth {
		return nil, nil
	}
	role, err := s.resource(ctx, "RotateRole")
	if err != nil {
		return nil, err
	}
	// MiniStack authorises the listing on "*", AWS on the path: tests/template
	// asserts that the template names the path.
	if _, err := w.command().Run(ctx, "aws", "iam", "put-role-policy", "--role-name", role,
		"--policy-name", "emulator-only", "--policy-document",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ssm:GetParametersByPath","Resource":"*"}]}`); err != nil {
		return nil, err
	}
	// The trust of a job that runs wherever: here, whoever has the keys.
	if _, err := w.command().Run(ctx, "aws", "iam", "create-role", "--role-name", "job",
		"--assume-role-policy-document", `{"Version":"2012-10-17","Statement":[`+trustAll+`]}`); err != nil {
		return nil, err
	}
	if _, err := w.command().Run(ctx, "aws", "iam", "attach-role-policy", "--role-name", "job",
		"--policy-arn", outputs["ReaderPolicyArn"]); err != nil {
		return nil, err
	}
	w.console.Say("job", "has a role with the reader policy alone")
	return w.assume(ctx, "job")
}

const trustAll = `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}`

// assume returns the access keys of a role.
func (w *harness) assume(ctx context.Context, role string) (actor, error) {
	text, err := w.command().Run(ctx, "aws", "sts", "assume-role", "--role-session-name", "deploy-local",
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

// refusals tries what must not be possible, each beside what must be, so that a
// refusal for another reason does not pass for one.
func (w *harness) refusals(ctx context.Context, s stack, job actor) error {
	other := stack{w, "another-stack"}
	for _, name := range []string{other.credentials(), other.token()} {
		if _, err := w.command().Run(ctx, "aws", "secretsmanager", "create-secret", "--name", name,
			"--secret-string", "{}"); err != nil {
			return err
		}
	}
	role, err := s.resource(ctx, "RotateRole")
	if err != nil {
		return err
	}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"},` + trustAll + `]}`
	if _, err := w.command().Run(ctx, "aws", "iam", "update-assume-role-policy", "--role-name", role,
		"--policy-document", trust); err != nil {
		return err
	}
	function, err := w.assume(ctx, role)
	if err != nil {
		return err
	}
	w.keys.callAs(function)
	probe := filepath.Join(w.work, "probe.json")
	if err := os.WriteFile(probe, []byte("{}"), 0o600); err != nil {
		return err
	}
	get := []string{"secretsmanager", "get-secret-value", "--secret-id"}
	put := []string{"secretsmanager", "put-secret-value", "--secret-string", "file://" + probe, "--secret-id"}
	config := []string{"ssm", "put-parameter", "--overwrite", "--value", "{}", "--name"}
	for _, try := range []struct {
		who     string
		actor   actor
		may     bool
		command []string
		name    string
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
	} {
		_, err := w.command(try.actor...).Run(ctx, "aws", append(try.command, try.name)...)
		refused := err != nil && strings.Contains(err.Error(), "AccessDenied")
		what := try.command[1] + " " + try.name
		switch {
		case err != nil && !refused:
			return err
		case refused == try.may:
			return fmt.Errorf("%s: %s: refused: %t", try.who, what, refused)
		case refused:
			w.console.Say(try.who, "is refused %s", what)
		default:
			w.console.Say(try.who, "may %s", what)
		}
	}
	return nil
}
