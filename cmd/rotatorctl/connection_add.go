package main

import (
	"context"
	"errors"
	"fmt"
)

// checkAdd checks what can be checked without AWS, and separates settings of the
// connection's config from parameters of its template.
func (o *operator) checkAdd() error {
	if err := o.further("add-connection"); err != nil {
		return err
	}
	if o.tokenURL != "" {
		if err := o.parameters.add("TokenUrl=" + o.tokenURL); err != nil {
			return err
		}
	}
	var parameters pairs
	for _, p := range o.parameters.list {
		switch field := configField(p.name); {
		case p.name == "Stack" || p.name == "Connection":
			return fmt.Errorf("the parameter %s is set by -stack and -connection", p.name)
		case field != "":
			value, err := configValue(field, p.value)
			if err != nil {
				return err
			}
			o.settings[field] = value
		default:
			parameters.list = append(parameters.list, p)
		}
	}
	o.parameters = parameters
	t, err := o.readTemplate(connectionTemplate)
	if err != nil {
		return err
	}
	return t.check(o.parameters)
}

// addConnection is rotatorctl add-connection. The function is not touched: its
// next heartbeat finds the connection. It may be repeated after any interruption.
func (o *operator) addConnection(ctx context.Context) error {
	t, err := o.readTemplate(connectionTemplate)
	if err != nil {
		return err
	}
	main, err := o.deployed(ctx)
	if err != nil {
		return err
	}
	config, err := o.newConfig(ctx, main)
	if err != nil {
		return err
	}
	s, err := o.cleared(ctx, o.connection)
	exists := err == nil && s.condition() == ready
	if err != nil && !errors.Is(err, errNoStack) {
		return err
	}
	values := o.parameters
	for _, own := range []pair{{"Stack", o.stack}, {"Connection", o.connection}} {
		_ = values.add(own.name + "=" + own.value)
	}
	if !exists {
		kept, err := o.readyForConnection(ctx)
		if err != nil {
			return err
		}
		if _, given := values.get("CreateSecrets"); kept && !given {
			o.say("The secrets of an earlier connection %s are still there and are used again, with what they hold.", o.connection)
			_ = values.add("CreateSecrets=false")
		}
	}
	if _, given := values.get("KmsKeyArn"); !given && main.parameters["KmsKeyArn"] != "" {
		_ = values.add("KmsKeyArn=" + main.parameters["KmsKeyArn"])
	}
	name := o.connectionStack(o.connection)
	existing := s
	if !exists {
		existing = stack{}
	}
	o.say("Stack %s ...", name)
	p, err := o.propose(ctx, change{
		stack: name, create: !exists, template: t.body, parameters: t.values(values, existing.parameters), tags: tagsOf(existing.tags, o.tags),
	})
	switch {
	case errors.Is(err, errNoChange):
		o.say("The connection %s is up to date.", o.connection)
	case err != nil:
		return err
	default:
		if err := o.updated(ctx, o.connection, p); err != nil {
			return fmt.Errorf("%w\nRepeat this when the cause is removed: %s", err, o.like("add-connection", "connection", o.connection))
		}
	}
	if err := o.writeConfig(ctx, config); err != nil {
		return err
	}
	made, err := o.describe(ctx, name)
	if err != nil {
		return err
	}
	if !exists {
		o.say("The connection %s exists. Next:\n%s", o.connection, o.like("seed", "connection", o.connection))
	}
	o.say("Jobs read the secret %s with the policy %s", o.secret(o.connection, "token"), made.outputs["ReaderPolicyArn"])
	return nil
}

// cleared returns the connection's stack, after the remains of a failed creation
// have been deleted and CloudFormation has finished.
func (o *operator) cleared(ctx context.Context, connection string) (stack, error) {
	s, err := o.connectionDescribed(ctx, connection)
	if err != nil {
		return s, err
	}
	if s, err = o.settled(ctx, s); err != nil {
		return s, err
	}
	switch s.condition() {
	case rolledBack:
		failures, err := o.whyFailed(ctx, s.name)
		if err != nil {
			return s, err
		}
		o.say("An earlier creation of it failed; its remains are deleted.")
		for _, f := range failures {
			o.indented("  ", "%s", f)
		}
		if err := o.deleteStack(ctx, s.name); err != nil {
			return s, err
		}
		return stack{}, errNoStack
	case stuck:
		return s, o.nextStep(s)
	}
	return s, nil
}

// readyForConnection removes what an earlier connection with the name left behind,
// and reports whether its secrets still exist.
func (o *operator) readyForConnection(ctx context.Context) (kept bool, err error) {
	left, err := o.leftovers(ctx, o.connection)
	switch {
	case err != nil:
		return false, err
	case left.foreign():
		return false, fmt.Errorf("nothing was changed: the connection %s exists without the stack %s, so something else made it", o.connection, o.connectionStack(o.connection))
	case len(left.secrets) == 1:
		return false, fmt.Errorf("nothing was changed: of the secrets %s and %s only the %s secret exists; delete it, or create the other", o.secret(o.connection, "credentials"), o.secret(o.connection, "token"), left.secrets[0])
	}
	kept = len(left.secrets) > 0
	return kept, o.removeParameters(ctx, o.connection, kept)
}
