package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

const (
	stackTemplate = "template.yaml"
	// maxStack leaves room for the stacks of connections: STACK-connection-NAME.
	maxStack = maxStackName - len("-connection-") - 32
)

// checkDeploy checks what can be checked before anything is built.
func (o *operator) checkDeploy() error {
	if len(o.stack) > maxStack {
		return fmt.Errorf("the stack's name has %d characters; use at most %d, so that the stacks of connections (%s-connection-NAME) fit CloudFormation's limit of %d", len(o.stack), maxStack, "STACK", maxStackName)
	}
	t, err := o.readTemplate(stackTemplate)
	if err != nil {
		return err
	}
	return t.check(o.parameters)
}

// deploy is rotatorctl deploy. It treats a stack as new only if AWS said that it
// does not exist, because an existing stack would lose its settings.
func (o *operator) deploy(ctx context.Context) error {
	s, err := o.describe(ctx, o.stack)
	if err != nil && !errors.Is(err, errNoStack) {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	create := errors.Is(err, errNoStack) || s.condition() == unmade
	if !create {
		switch s.condition() {
		case inProgress, stuck:
			return o.nextStep(s)
		case rolledBack:
			if err := o.deleteRemains(ctx); err != nil {
				return err
			}
			create, s = true, stack{}
		case ready:
			if s.parameters["TokenHosts"] == "" {
				return fmt.Errorf("nothing was changed: the stack %s exists and is not one of this project's. Choose another name", o.stack)
			}
		}
	}
	if create {
		s = stack{}
		if err := o.askEmail(ctx); err != nil {
			return err
		}
	}
	packaged, err := o.buildAndUpload(ctx)
	if err != nil {
		return err
	}
	t, err := parseTemplate(packaged)
	if err != nil {
		return err
	}
	p, err := o.propose(ctx, change{
		stack: o.stack, create: create, template: packaged,
		parameters: t.values(o.parameters, s.parameters), tags: tagsOf(s.tags, o.tags),
	})
	if errors.Is(err, errNoChange) {
		o.say("The stack %s is up to date.", o.stack)
		return nil
	}
	if err != nil {
		return err
	}
	if sure, err := o.approve(ctx, p); err != nil || !sure {
		o.withdraw(ctx, p)
		if err != nil {
			return err
		}
		return errors.New("nothing was changed")
	}
	if err := o.updated(ctx, defaultConnection, p); err != nil {
		return o.explain(err, create)
	}
	return o.deployedNow(ctx, create)
}

// askEmail asks the one question of a new stack.
func (o *operator) askEmail(ctx context.Context) error {
	_, given := o.parameters.get("AlarmEmail")
	if _, topic := o.parameters.get("ExistingAlarmTopicArn"); given || topic || o.yes {
		return nil
	}
	t, err := o.terminal()
	if err != nil {
		return fmt.Errorf("nothing was changed: this is a new stack and %w; give -yes (YES=true), and AlarmEmail where alarms should be mailed", err)
	}
	defer t.close()
	known, err := o.readTemplate(stackTemplate)
	if err != nil {
		return err
	}
	t.tell("A new stack. The other settings have defaults. To set them, press Ctrl-C and see %s:\n%s", deploying("parameters"), o.like("deploy", "parameter", "Name=Value"))
	for {
		email, err := t.ask(ctx, "E-mail address for alarms (Enter for none): ", false)
		if err != nil {
			return err
		}
		email = strings.TrimSpace(email)
		if known.parameters["AlarmEmail"].allows(email) {
			return o.parameters.add("AlarmEmail=" + email)
		}
		t.tell("AlarmEmail %s.", orText(known.parameters["AlarmEmail"].ConstraintDescription, "is not an e-mail address"))
	}
}

// deleteRemains deletes a stack whose first creation failed. Such a stack can only
// be deleted.
func (o *operator) deleteRemains(ctx context.Context) error {
	failures, err := o.whyFailed(ctx, o.stack)
	if err != nil {
		return err
	}
	o.say("The first creation of the stack %s failed, and it was rolled back:", o.stack)
	o.showFailures(failures)
	o.say("Nothing of it works, and it can only be deleted.")
	if !o.yes {
		sure, err := o.confirm(ctx, "Delete the remains and deploy the stack? [y/N] ", "y")
		if err != nil {
			return err
		}
		if !sure {
			return errors.New("nothing was changed")
		}
	}
	return o.deleteStack(ctx, o.stack)
}

func (o *operator) showFailures(failures []failedResource) {
	if len(failures) == 0 {
		o.indented("  ", "its events name no cause")
	}
	for _, f := range failures {
		o.trouble("  ", "%s", f)
		if help := advise(f); help != "" {
			o.indented("    ", "%s", help)
		}
	}
}

// advise says what to do about a known failure.
func advise(f failedResource) string {
	exists := strings.Contains(strings.ToLower(f.reason), "already exists")
	switch {
	case exists && f.kind == "AWS::Logs::LogGroup":
		return "A log group of that name is there already. See " + deploying("a-log-group-that-exists-already")
	case exists && f.kind == "AWS::SecretsManager::Secret":
		return "An earlier stack of this name kept its secrets. To use them again, deploy with CreateSecrets=false. See " + page("restore-a-stack")
	case exists && f.kind == "AWS::SSM::Parameter":
		return "A parameter of that name is there already. Delete it, then repeat this:\naws ssm delete-parameter --name PARAMETER"
	case strings.Contains(f.reason, "AccessDenied") || strings.Contains(f.reason, "not authorized"):
		return "Your own role lacks a permission. See " + deploying("permissions")
	}
	return ""
}

// explain adds what to do after a failed deployment.
func (o *operator) explain(err error, create bool) error {
	failure, ok := errors.AsType[*stackFailure](err)
	if !ok {
		return err
	}
	o.say("")
	o.trouble("", "The stack %s is %s.", failure.stack, failure.status)
	o.showFailures(failure.failures)
	if create {
		o.say("When the cause is removed, repeat this: it deletes the remains first.")
	} else {
		o.say("The stack is as it was before. When the cause is removed, repeat this.")
	}
	return errors.New("the deployment failed")
}

// buildAndUpload lets sam build the function and upload it, and returns the
// template that names what was uploaded.
func (o *operator) buildAndUpload(ctx context.Context) (string, error) {
	work, err := os.MkdirTemp("", "rotatorctl-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	built, packaged := work+"/build", work+"/packaged.yaml"
	o.say("Building the function ...")
	if err := o.sam(ctx, nil, "build", "--build-dir", built); err != nil {
		return "", err
	}
	o.say("Uploading it ...")
	if err := o.sam(ctx, o.session.environment(), "package", "--resolve-s3", "--template-file", built+"/template.yaml", "--output-template-file", packaged); err != nil {
		return "", err
	}
	text, err := os.ReadFile(packaged)
	return string(text), err
}

// approve shows the changes and asks.
func (o *operator) approve(ctx context.Context, p proposal) (bool, error) {
	o.say("Changes:")
	for _, c := range p.changes {
		if r := c.ResourceChange; r != nil {
			what := string(r.Action)
			if r.Replacement == types.ReplacementTrue {
				what = "Replace"
			}
			o.indented("  ", "%s %s (%s)", what, aws.ToString(r.LogicalResourceId), aws.ToString(r.ResourceType))
		}
	}
	if o.yes {
		return true, nil
	}
	return o.confirm(ctx, "Deploy these changes? [y/N] ", "y")
}

// deployedNow says what to do after the deployment.
func (o *operator) deployedNow(ctx context.Context, created bool) error {
	s, err := o.deployed(ctx)
	if err != nil {
		return err
	}
	o.say("")
	if !created {
		o.say("The stack %s is updated. To see that all is well:\n%s", o.stack, o.like("check"))
		return nil
	}
	o.say("The stack %s is deployed. Next:", o.stack)
	step := 0
	next := func(format string, args ...any) {
		step++
		text := wrap(apart(fmt.Sprintf(format, args...)), width, "     ")
		fmt.Fprintln(o.out, plain(fmt.Sprintf("  %d. %s", step, strings.TrimLeft(text, " "))))
	}
	if email := s.parameters["AlarmEmail"]; email != "" {
		next("Follow the link in the mail from AWS Notifications to %s; without it no alarm arrives.", email)
	} else if s.parameters["ExistingAlarmTopicArn"] == "" {
		next("No alarm is sent to anyone yet. Subscribe to the topic %s", s.outputs["AlarmTopicArn"])
	}
	next("Write the Reltio credentials: %s", o.like("seed"))
	next("Attach the policy to the roles of jobs that read the token: %s", s.outputs["ReaderPolicyArn"])
	next("See that all is well: %s", o.like("check"))
	return nil
}
