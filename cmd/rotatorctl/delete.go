package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// delete is rotatorctl delete: the stacks of added connections first, then the
// stack. It may be repeated after any interruption.
func (o *operator) delete(ctx context.Context) error {
	s, err := o.describe(ctx, o.stack)
	if errors.Is(err, errNoStack) {
		return o.notHere()
	}
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if s.condition() == inProgress {
		return o.nextStep(s)
	}
	connections, err := o.connectionStacks(ctx)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	policies := []string{s.outputs["ReaderPolicyArn"], s.outputs["ReporterPolicyArn"]}
	for _, connection := range connections {
		c, err := o.describe(ctx, o.connectionStack(connection))
		if err != nil {
			return err
		}
		policies = append(policies, c.outputs["ReaderPolicyArn"])
	}
	if err := o.unused(ctx, policies...); err != nil {
		return err
	}
	if err := o.confirmDelete(ctx, connections); err != nil {
		return err
	}
	for _, connection := range connections {
		if err := o.removeOne(ctx, connection, false); err != nil {
			return fmt.Errorf("%w\nRepeat this when the cause is removed: %s", err, o.like("delete"))
		}
	}
	o.say("Deleting the stack %s ...", o.stack)
	if err := o.deleteStack(ctx, o.stack); err != nil {
		return fmt.Errorf("%w\nRepeat this when the cause is removed: %s", err, o.like("delete"))
	}
	if err := o.removeParameters(ctx, defaultConnection, true); err != nil {
		return err
	}
	o.say("")
	o.say("The stack %s is deleted. These secrets are kept, and cost $0.40 a month each:", o.stack)
	for _, connection := range append([]string{defaultConnection}, connections...) {
		for _, kind := range secretKinds() {
			o.indented("  ", "%s", o.secret(connection, kind))
		}
	}
	o.say("To use them again:\n%s", o.like("deploy", "parameter", "CreateSecrets=false"))
	o.say("To delete one for good:\naws secretsmanager delete-secret --secret-id SECRET")
	return nil
}

// confirmDelete says what is removed and what is kept, and asks.
func (o *operator) confirmDelete(ctx context.Context, connections []string) error {
	o.say("This removes:")
	for _, connection := range connections {
		o.indented("  ", "the stack %s: the connection's parameters and policy", o.connectionStack(connection))
	}
	o.indented("  ", "the stack %s: the function and its schedule, alarms, dashboard, log, roles and policies, and the parameters of the connection default", o.stack)
	o.say("It keeps the secrets of %s: the credentials, and the published tokens, which are no longer refreshed.", strings.Join(append([]string{defaultConnection}, connections...), ", "))
	if o.yes {
		return nil
	}
	sure, err := o.confirm(ctx, "Type the stack's name to go on: ", o.stack)
	if err != nil {
		return err
	}
	if !sure {
		return errors.New("nothing was changed")
	}
	return nil
}
