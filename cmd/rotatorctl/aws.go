package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// cli runs the AWS CLI. Nothing secret passes through it.
type cli interface {
	// run returns what the command wrote to standard output. An answer of AWS
	// that is an error is an *awsError.
	run(ctx context.Context, stdin []byte, args ...string) ([]byte, error)
}

// awsError is an error that AWS answered.
type awsError struct{ code, operation, text string }

func (e *awsError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.operation, e.code, e.text)
}

// answered reports whether AWS answered with one of the codes.
func answered(err error, codes ...string) bool {
	e, ok := errors.AsType[*awsError](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if e.code == code {
			return true
		}
	}
	return false
}

// awsCLI is the program aws on PATH. make puts the project's own first.
type awsCLI struct{}

var errorAnswer = regexp.MustCompile(`An error occurred \(([^)]+)\) when calling the (\w+) operation[^:]*: (.*)`)

func (awsCLI) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "aws", append(args, "--output", "json")...)
	// No pager in the way; and a command that does something is not done twice.
	cmd.Env = append(os.Environ(), "AWS_PAGER=", "AWS_MAX_ATTEMPTS=2")
	if args[0] == "lambda" {
		cmd.Env = append(cmd.Env, "AWS_MAX_ATTEMPTS=1")
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return stdout.Bytes(), nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("the AWS CLI is not installed: run make tools")
	}
	if match := errorAnswer.FindStringSubmatch(stderr.String()); match != nil {
		return nil, &awsError{code: match[1], operation: match[2], text: strings.TrimSpace(match[3])}
	}
	said := strings.TrimSpace(stderr.String())
	if said == "" {
		said = strings.TrimSpace(stdout.String())
	}
	return nil, fmt.Errorf("aws %s %s: %w\n%s", args[0], args[1], err, said)
}

// ask runs a command of the AWS CLI and reads its JSON into answer.
func (o *operator) ask(ctx context.Context, answer any, args ...string) error {
	text, err := o.cli.run(ctx, nil, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("aws %s %s: the answer is not what was expected: %w", args[0], args[1], err)
	}
	return nil
}
