package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
)

// stack is one deployment of template.yaml.
type stack struct {
	*harness
	name string
}

func (s stack) prefix() string      { return "reltio-token-rotator/" + s.name }
func (s stack) credentials() string { return s.prefix() + "/default/credentials" }
func (s stack) token() string       { return s.prefix() + "/default/token" }
func (s stack) state() string       { return "/" + s.prefix() + "/default/state" }
func (s stack) lease() string       { return "/" + s.prefix() + "/default/lease" }
func (s stack) config() string      { return "/" + s.prefix() + "/default/config" }

// build runs the real sam build with a folder of this run's own.
func (h *harness) build(ctx context.Context) error {
	_, err := h.command().Run(ctx, "sam", "build", "--build-dir", h.built())
	if err == nil {
		h.console.Say("sam build", "built the function")
	}
	return err
}

func (h *harness) built() string { return filepath.Join(h.work, "build") }

// deploy runs the real sam deploy with samconfig.toml and parameters NAME=VALUE.
// Other parameters keep their values, or have their defaults in a new stack.
func (s stack) deploy(ctx context.Context, parameters ...string) error {
	_, err := s.command().Run(ctx, "sam", append([]string{
		"deploy", "--config-file", filepath.Join(s.project, "samconfig.toml"),
		"--template-file", filepath.Join(s.built(), "template.yaml"),
		"--stack-name", s.name, "--no-confirm-changeset", "--no-progressbar",
		"--parameter-overrides",
	}, parameters...)...)
	return err
}

// outputs returns the stack's outputs.
func (s stack) outputs(ctx context.Context) (map[string]string, error) {
	text, err := s.command().Run(ctx, "aws", "cloudformation", "describe-stacks", "--stack-name", s.name,
		"--query", "Stacks[0].Outputs", "--output", "json")
	if err != nil {
		return nil, err
	}
	var rows []struct{ OutputKey, OutputValue string }
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	outputs := map[string]string{}
	for _, row := range rows {
		outputs[row.OutputKey] = row.OutputValue
	}
	return outputs, nil
}

// resource returns the name of a resource of the template.
func (s stack) resource(ctx context.Context, logicalID string) (string, error) {
	text, err := s.command().Run(ctx, "aws", "cloudformation", "describe-stack-resource", "--stack-name", s.name,
		"--logical-resource-id", logicalID, "--query", "StackResourceDetail.PhysicalResourceId", "--output", "text")
	return strings.TrimSpace(text), err
}

// log returns the last lines of the function's log.
func (s stack) log(ctx context.Context) string {
	text, err := s.command().Run(ctx, "aws", "logs", "filter-log-events", "--log-group-name",
		"/aws/lambda/"+s.prefix(), "--query", "events[].[message]", "--output", "text")
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
