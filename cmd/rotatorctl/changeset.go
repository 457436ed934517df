package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// pollInterval is how often CloudFormation is asked about a change that is in
// progress.
const pollInterval = 2 * time.Second

// change is an update or a creation of a stack.
type change struct {
	stack      string
	create     bool
	template   string
	parameters []types.Parameter
	tags       []types.Tag
}

// errNoChange means that the stack already has the requested content.
var errNoChange = errors.New("the stack is up to date")

// proposal is a change set that can be executed.
type proposal struct {
	id      string
	change  change
	changes []types.Change
}

// propose makes a change set, which changes nothing yet.
func (o *operator) propose(ctx context.Context, c change) (proposal, error) {
	kind := types.ChangeSetTypeUpdate
	if c.create {
		kind = types.ChangeSetTypeCreate
	}
	out, err := o.aws.stacks.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{
		StackName: &c.stack, ChangeSetName: aws.String(fmt.Sprintf("rotatorctl-%d", o.now().UnixMilli())), ChangeSetType: kind,
		TemplateBody: &c.template, Parameters: c.parameters, Tags: c.tags,
		Capabilities: []types.Capability{types.CapabilityCapabilityIam},
	})
	if err != nil {
		return proposal{}, said(err)
	}
	p := proposal{id: aws.ToString(out.Id), change: c}
	for {
		set, err := o.aws.stacks.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: &p.id, StackName: &c.stack})
		if err != nil {
			return p, said(err)
		}
		switch set.Status {
		case types.ChangeSetStatusCreateComplete:
			p.changes = append(p.changes, set.Changes...)
			for set.NextToken != nil {
				if set, err = o.aws.stacks.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: &p.id, StackName: &c.stack, NextToken: set.NextToken}); err != nil {
					return p, said(err)
				}
				p.changes = append(p.changes, set.Changes...)
			}
			return p, nil
		case types.ChangeSetStatusFailed:
			reason := aws.ToString(set.StatusReason)
			o.withdraw(ctx, p)
			if strings.Contains(reason, "didn't contain changes") || strings.Contains(reason, "No updates are to be performed") {
				return p, errNoChange
			}
			return p, fmt.Errorf("nothing was changed: CloudFormation refuses the change: %s", reason)
		}
		if err := sleep(ctx, pollInterval/4); err != nil {
			return p, err
		}
	}
}

// withdraw deletes a change set that is not executed, and the empty stack that was
// made for it.
func (o *operator) withdraw(ctx context.Context, p proposal) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	_, err := o.aws.stacks.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: &p.id, StackName: &p.change.stack})
	if err == nil && p.change.create {
		_, err = o.aws.stacks.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &p.change.stack})
	}
	if err != nil {
		// An error here does no harm: a stack that has only a change set counts as
		// new.
		fmt.Fprintln(o.errors, plain(wrap("The change set "+p.id+" could not be deleted: "+said(err).Error(), width, "")))
	}
}

// execute executes a change set and follows it to its end.
func (o *operator) execute(ctx context.Context, p proposal) error {
	seen, err := o.events(ctx, p.change.stack)
	if err != nil {
		return err
	}
	if _, err := o.aws.stacks.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: &p.id, StackName: &p.change.stack}); err != nil {
		return said(err)
	}
	s, failures, err := o.followed(ctx, p.change.stack, seen)
	if err != nil {
		return fmt.Errorf("%w\nCloudFormation continues; to see the result: aws cloudformation describe-stacks --stack-name %s", err, p.change.stack)
	}
	if s.status == types.StackStatusCreateComplete || s.status == types.StackStatusUpdateComplete {
		return nil
	}
	return &stackFailure{stack: s.name, status: s.status, failures: failures}
}

// stackFailure is a change that CloudFormation rolled back or ended with an error.
type stackFailure struct {
	stack    string
	status   types.StackStatus
	failures []failedResource
}

// failedResource is a resource that failed, and why.
type failedResource struct{ id, kind, reason string }

func (e *stackFailure) Error() string {
	text := fmt.Sprintf("the stack %s is %s.", e.stack, e.status)
	for _, f := range e.failures {
		text += "\n" + f.String()
	}
	return text
}

func (f failedResource) String() string { return f.id + " (" + f.kind + "): " + f.reason }

// events are the ids of a stack's events so far.
func (o *operator) events(ctx context.Context, name string) (map[string]bool, error) {
	seen := map[string]bool{}
	all, err := o.stackEvents(ctx, name)
	for _, e := range all {
		seen[aws.ToString(e.EventId)] = true
	}
	return seen, err
}

// stackEvents returns a stack's events, the newest first, or none if the stack no
// longer exists.
func (o *operator) stackEvents(ctx context.Context, name string) ([]types.StackEvent, error) {
	var all []types.StackEvent
	pages := cloudformation.NewDescribeStackEventsPaginator(o.aws.stacks, &cloudformation.DescribeStackEventsInput{StackName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if answered(err, "ValidationError") {
			return all, nil
		}
		if err != nil {
			return nil, said(err)
		}
		all = append(all, page.StackEvents...)
	}
	return all, nil
}

// followed prints the progress of CloudFormation until it has finished.
func (o *operator) followed(ctx context.Context, name string, seen map[string]bool) (stack, []failedResource, error) {
	var failures []failedResource
	for {
		s, err := o.describe(ctx, name)
		if err != nil {
			return s, failures, err
		}
		events, err := o.stackEvents(ctx, name)
		if err != nil {
			return s, failures, err
		}
		for i := len(events) - 1; i >= 0; i-- {
			e := events[i]
			if seen[aws.ToString(e.EventId)] {
				continue
			}
			seen[aws.ToString(e.EventId)] = true
			o.showEvent(e)
			if f, failed := failure(e); failed {
				failures = append(failures, f)
			}
		}
		if s.condition() != inProgress {
			return s, failures, nil
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return s, failures, err
		}
	}
}

// showEvent prints operations that have ended. It leaves out those that have only
// begun.
func (o *operator) showEvent(e types.StackEvent) {
	status := string(e.ResourceStatus)
	if strings.HasSuffix(status, "_IN_PROGRESS") {
		return
	}
	line := fmt.Sprintf("  %-24s %s", status, aws.ToString(e.LogicalResourceId))
	if strings.HasSuffix(status, "_FAILED") {
		o.trouble("  ", "%s %s: %s", status, aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceStatusReason))
		return
	}
	fmt.Fprintln(o.out, plain(line))
}

// failure returns an event's own failure. An operation that was cancelled because of
// another one has none.
func failure(e types.StackEvent) (failedResource, bool) {
	reason := aws.ToString(e.ResourceStatusReason)
	if !strings.HasSuffix(string(e.ResourceStatus), "_FAILED") || strings.Contains(strings.ToLower(reason), "cancelled") {
		return failedResource{}, false
	}
	return failedResource{aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType), orText(reason, "no reason given")}, true
}

// whyFailed returns the failed resources in the events of an existing stack.
func (o *operator) whyFailed(ctx context.Context, name string) ([]failedResource, error) {
	events, err := o.stackEvents(ctx, name)
	var failures []failedResource
	for i := len(events) - 1; i >= 0; i-- {
		if f, failed := failure(events[i]); failed && aws.ToString(events[i].LogicalResourceId) != name {
			failures = append(failures, f)
		}
	}
	return failures, err
}

// deleteStack deletes a stack and waits until it is gone. It is no error if the
// stack does not exist.
func (o *operator) deleteStack(ctx context.Context, name string) error {
	s, err := o.describe(ctx, name)
	if errors.Is(err, errNoStack) {
		return nil
	}
	if err != nil {
		return err
	}
	seen, err := o.events(ctx, name)
	if err != nil {
		return err
	}
	if s.status != types.StackStatusDeleteInProgress {
		if _, err := o.aws.stacks.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &name}); err != nil {
			return said(err)
		}
	}
	for {
		s, failures, err := o.followed(ctx, name, seen)
		switch {
		case errors.Is(err, errNoStack) || s.status == types.StackStatusDeleteComplete:
			return nil
		case err != nil:
			return err
		case s.status == types.StackStatusDeleteFailed:
			return &stackFailure{stack: name, status: s.status, failures: failures}
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// settled waits while CloudFormation changes a stack, for example after an
// interruption.
func (o *operator) settled(ctx context.Context, s stack) (stack, error) {
	for s.condition() == inProgress {
		o.say("The stack %s is %s; waiting ...", s.name, s.status)
		if err := sleep(ctx, 2*pollInterval); err != nil {
			return s, err
		}
		var err error
		if s, err = o.describe(ctx, s.name); err != nil {
			return s, err
		}
	}
	return s, nil
}
