package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
)

// errNoStack means that AWS said that the stack does not exist. Another error never
// means this.
var errNoStack = errors.New("there is no such stack")

// stack is what CloudFormation says about a stack.
type stack struct {
	name, id            string
	status              types.StackStatus
	created             time.Time
	outputs, parameters map[string]string
	tags                pairs
}

// describe returns errNoStack when AWS said that there is none.
func (o *operator) describe(ctx context.Context, name string) (stack, error) {
	out, err := o.aws.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if api, ok := errors.AsType[smithy.APIError](err); ok &&
		api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist") {
		return stack{}, errNoStack
	}
	if err != nil {
		return stack{}, said(err)
	}
	if len(out.Stacks) != 1 {
		return stack{}, fmt.Errorf("CloudFormation DescribeStacks answered with %d stacks named %s", len(out.Stacks), name)
	}
	found := out.Stacks[0]
	s := stack{
		name: name, id: aws.ToString(found.StackId), status: found.StackStatus, created: aws.ToTime(found.CreationTime),
		outputs: map[string]string{}, parameters: map[string]string{},
	}
	for _, output := range found.Outputs {
		s.outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
	}
	for _, parameter := range found.Parameters {
		s.parameters[aws.ToString(parameter.ParameterKey)] = aws.ToString(parameter.ParameterValue)
	}
	for _, tag := range found.Tags {
		s.tags.list = append(s.tags.list, pair{aws.ToString(tag.Key), aws.ToString(tag.Value)})
	}
	return s, nil
}

// deployed is describe for the stack itself, with an error message for the operator.
func (o *operator) deployed(ctx context.Context) (stack, error) {
	s, err := o.describe(ctx, o.stack)
	switch {
	case errors.Is(err, errNoStack):
		return s, o.notHere()
	case err != nil:
		return s, err
	case s.outputs["FunctionName"] == "":
		return s, fmt.Errorf("the stack %s is %s and has no output FunctionName: either it is not one of this project's, or its deployment has not finished", o.stack, s.status)
	}
	return s, nil
}

// notHere is the error for a stack that does not exist. The wrong region is a more
// likely cause than a forgotten deployment.
func (o *operator) notHere() error {
	return fmt.Errorf("there is no stack %s in account %s and region %s. If it is elsewhere, name the region (-region, AWS_REGION) or the profile (-profile, AWS_PROFILE). A new stack: %s",
		o.stack, o.session.account, o.session.region, o.like("deploy"))
}

// condition is what can be done with a stack.
type condition int

const (
	ready      condition = iota // it can be updated
	unmade                      // there is none, or only a change set that was never executed
	rolledBack                  // its first creation failed; only deleting it is possible
	inProgress                  // CloudFormation is at work on it
	stuck                       // CloudFormation gave up half-way
)

func (s stack) condition() condition {
	switch s.status {
	case types.StackStatusReviewInProgress:
		return unmade
	case types.StackStatusRollbackComplete:
		return rolledBack
	case types.StackStatusRollbackFailed, types.StackStatusDeleteFailed, types.StackStatusUpdateRollbackFailed,
		types.StackStatusCreateFailed, types.StackStatusUpdateFailed, types.StackStatusImportRollbackFailed:
		return stuck
	}
	if strings.HasSuffix(string(s.status), "_IN_PROGRESS") {
		return inProgress
	}
	return ready
}

// nextStep says what to do about a stack whose change failed or is in progress.
func (o *operator) nextStep(s stack) error {
	var step string
	switch s.status {
	case types.StackStatusUpdateRollbackFailed:
		step = "remove the cause that its events name, then have the rollback continued:\naws cloudformation continue-update-rollback --stack-name " + s.name
	case types.StackStatusDeleteFailed:
		step = "remove the cause that its events name, then delete it again:\naws cloudformation delete-stack --stack-name " + s.name
	case types.StackStatusRollbackFailed, types.StackStatusCreateFailed:
		step = "remove the cause that its events name, then delete it:\naws cloudformation delete-stack --stack-name " + s.name
	case types.StackStatusUpdateFailed:
		step = "roll it back:\naws cloudformation rollback-stack --stack-name " + s.name
	default:
		step = "wait until it has finished, then repeat this. To watch it:\naws cloudformation describe-stacks --stack-name " + s.name
	}
	return fmt.Errorf("nothing was changed: the stack %s is %s. %s", s.name, s.status, strings.ToUpper(step[:1])+step[1:])
}

// resources returns the resources of the stack.
func (o *operator) resources(ctx context.Context) ([]types.StackResource, error) {
	out, err := o.aws.stacks.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: &o.stack})
	if err != nil {
		return nil, said(err)
	}
	return out.StackResources, nil
}

// ofType are the resources of a type that exist.
func ofType(resources []types.StackResource, kind string) []types.StackResource {
	var found []types.StackResource
	for _, r := range resources {
		if aws.ToString(r.ResourceType) == kind && aws.ToString(r.PhysicalResourceId) != "" && r.ResourceStatus != types.ResourceStatusDeleteComplete {
			found = append(found, r)
		}
	}
	return found
}

// stackNames are the names of existing stacks that begin with a prefix.
func (o *operator) stackNames(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	pages := cloudformation.NewListStacksPaginator(o.aws.stacks, &cloudformation.ListStacksInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, said(err)
		}
		for _, s := range page.StackSummaries {
			name := aws.ToString(s.StackName)
			if strings.HasPrefix(name, prefix) && s.StackStatus != types.StackStatusDeleteComplete && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}
