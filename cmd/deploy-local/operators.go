package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// policyBlock is a policy in docs/deploying.md, after a line that begins with the
// name of its command.
var policyBlock = regexp.MustCompile("(?s)\n`([a-z-]+)`[^\n]*\n\n```json\n(.*?)\n```")

// operatorRoles creates a role for each command of the operator's program, with
// the policy that docs/deploying.md has for it and no other, and keeps its keys:
// the make target of that name runs with them.
func (h *harness) operatorRoles(ctx context.Context, stack string) error {
	text, err := os.ReadFile(filepath.Join(h.project, "docs", "deploying.md"))
	if err != nil {
		return err
	}
	h.operators = map[string]actor{}
	fill := strings.NewReplacer("PARTITION", "aws", "REGION", "us-east-1", "ACCOUNT", "000000000000", "STACK", stack)
	for _, match := range policyBlock.FindAllStringSubmatch(string(text), -1) {
		command, policy := match[1], fill.Replace(match[2])
		var document struct {
			Version   string
			Statement []map[string]any
		}
		if err := json.Unmarshal([]byte(policy), &document); err != nil {
			return fmt.Errorf("docs/deploying.md: the policy of %s: %w", command, err)
		}
		// MiniStack authorizes these on other resources than AWS: the listing and
		// the alarms on "*", a log group without the ":*" at its end.
		for _, action := range []string{"ssm:GetParametersByPath", "cloudwatch:DescribeAlarms", "logs:FilterLogEvents"} {
			if strings.Contains(policy, action) {
				document.Statement = append(document.Statement, map[string]any{"Effect": "Allow", "Action": action, "Resource": "*"})
			}
		}
		body, err := json.Marshal(document)
		if err != nil {
			return err
		}
		if h.operators[command], err = h.operatorRole(ctx, "operator-"+command, string(body)); err != nil {
			return err
		}
	}
	if err := h.openBucket(ctx); err != nil {
		return err
	}
	if len(h.operators) < 9 {
		return fmt.Errorf("docs/deploying.md has policies for %d commands only", len(h.operators))
	}
	h.console.Say("operator", "has a role for each of %d commands, with the policies of docs/deploying.md", len(h.operators))
	return nil
}

func (h *harness) operatorRole(ctx context.Context, name, policy string) (actor, error) {
	if _, err := h.command().Run(ctx, "aws", "iam", "create-role", "--role-name", name,
		"--assume-role-policy-document", `{"Version":"2012-10-17","Statement":[`+trustAll+`]}`); err != nil {
		return nil, err
	}
	if _, err := h.command().Run(ctx, "aws", "iam", "put-role-policy", "--role-name", name,
		"--policy-name", "documented", "--policy-document", policy); err != nil {
		return nil, err
	}
	return h.assume(ctx, name)
}

// openBucket makes the bucket of sam and takes off its policy, which denies http.
// The emulator has nothing else.
func (h *harness) openBucket(ctx context.Context) error {
	if _, err := h.command().Run(ctx, "sam", "package", "--resolve-s3",
		"--template-file", filepath.Join(h.built(), "template.yaml"), "--output-template-file", filepath.Join(h.work, "packaged.yaml")); err != nil {
		return err
	}
	bucket, err := h.command().Run(ctx, "aws", "cloudformation", "describe-stack-resource", "--stack-name", "aws-sam-cli-managed-default",
		"--logical-resource-id", "SamCliSourceBucket", "--query", "StackResourceDetail.PhysicalResourceId", "--output", "text")
	if err != nil {
		return err
	}
	_, err = h.command().Run(ctx, "aws", "s3api", "delete-bucket-policy", "--bucket", strings.TrimSpace(bucket))
	return err
}

// makeDeploy deploys with the operator's program.
func (s stack) makeDeploy(ctx context.Context, parameters ...string) error {
	text, err := s.make(ctx, "deploy", "YES=true", "PARAMETERS="+strings.Join(parameters, " "))
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	s.console.Say("make deploy", "%s", lines[len(lines)-1])
	return nil
}

// makeDelete deletes the stack with the operator's program, which first refuses
// while the policies are attached to roles.
func (s stack) makeDelete(ctx context.Context, roles map[string]string) error {
	if len(roles) > 0 {
		text, err := s.make(ctx, "delete", "YES=true")
		if err == nil || !strings.Contains(err.Error(), "--role-name job") {
			return fmt.Errorf("make delete does not name the role that has a policy: %w\n%s", err, text)
		}
		for role, policy := range roles {
			if _, err := s.command().Run(ctx, "aws", "iam", "detach-role-policy", "--role-name", role, "--policy-arn", policy); err != nil {
				return err
			}
		}
		s.console.Say("make delete", "names the role job, which has a policy of the stack, and deletes nothing")
	}
	kept, err := s.values(ctx)
	if err != nil {
		return err
	}
	if _, err := s.make(ctx, "delete", "YES=true"); err != nil {
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
		return errors.New("the deletion of the stack did not delete its parameters")
	}
	s.console.Say("make delete", "deleted the stack; the secrets are retained")
	return nil
}
