package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// defaultConnection is the one that the stack itself makes.
const defaultConnection = "default"

// operator is a person with AWS credentials, and one stack.
type operator struct {
	stack string
	cli   cli
	in    io.Reader
	out   io.Writer
	now   func() time.Time
}

// prefix begins the names of the stack's secrets and, after a slash, of its
// parameters.
func (o *operator) prefix() string { return "reltio-token-rotator/" + o.stack }

func (o *operator) secret(connection, kind string) string {
	return o.prefix() + "/" + connection + "/" + kind
}

func (o *operator) parameter(connection, kind string) string {
	return "/" + o.secret(connection, kind)
}

func (o *operator) logGroup() string { return "/aws/lambda/" + o.prefix() }

// say prints a line.
func (o *operator) say(format string, args ...any) {
	fmt.Fprintln(o.out, plain(fmt.Sprintf(format, args...)))
}

// plain is text without control characters: what is in parameters and logs
// must not be able to act on the terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if (r < ' ' && r != '\n' && r != '\t') || (r >= 0x7f && r < 0xa0) {
			return '?'
		}
		return r
	}, text)
}

// described is what CloudFormation says of a stack.
type described struct {
	outputs, parameters map[string]string
	status              string
}

// describe returns the answer of CloudFormation about a stack; no stack of this
// name is an *awsError with the code ValidationError.
func (o *operator) describe(ctx context.Context, stack string) (described, error) {
	var answer struct {
		Stacks []struct {
			StackStatus string
			Outputs     []struct{ OutputKey, OutputValue string }
			Parameters  []struct{ ParameterKey, ParameterValue string }
		}
	}
	if err := o.ask(ctx, &answer, "cloudformation", "describe-stacks", "--stack-name", stack); err != nil {
		return described{}, err
	}
	if len(answer.Stacks) == 0 {
		return described{}, &awsError{"ValidationError", "DescribeStacks", "no such stack"}
	}
	d := described{outputs: map[string]string{}, parameters: map[string]string{}, status: answer.Stacks[0].StackStatus}
	for _, output := range answer.Stacks[0].Outputs {
		d.outputs[output.OutputKey] = output.OutputValue
	}
	for _, parameter := range answer.Stacks[0].Parameters {
		d.parameters[parameter.ParameterKey] = parameter.ParameterValue
	}
	return d, nil
}

// deployed is describe for the stack itself, with words for a person.
func (o *operator) deployed(ctx context.Context) (described, error) {
	d, err := o.describe(ctx, o.stack)
	switch {
	case answered(err, "ValidationError"):
		return d, fmt.Errorf("there is no stack %s in this account and region (aws sts get-caller-identity; aws configure get region); deploy it: make deploy STACK=%s", o.stack, o.stack)
	case err != nil:
		return d, err
	case d.outputs["FunctionName"] == "":
		return d, fmt.Errorf("the stack %s has no output FunctionName (its status is %s): is it one of this project's?", o.stack, d.status)
	}
	return d, nil
}
