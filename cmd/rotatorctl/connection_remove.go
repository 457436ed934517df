package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// removeConnection is rotatorctl remove-connection. It deletes the connection's
// secrets too, unless -keep-secrets is given. It may be repeated after any
// interruption.
func (o *operator) removeConnection(ctx context.Context) error {
	if err := o.further("remove-connection"); err != nil {
		return err
	}
	s, err := o.connectionDescribed(ctx, o.connection)
	absent := errors.Is(err, errNoStack)
	if err != nil && !absent {
		return err
	}
	if absent {
		left, err := o.leftovers(ctx, o.connection)
		switch {
		case err != nil:
			return err
		case left.foreign():
			return fmt.Errorf("nothing was changed: the connection %s has no stack %s, so something else made it", o.connection, o.connectionStack(o.connection))
		case len(left.parameters) == 0 && len(left.secrets) == 0:
			return fmt.Errorf("there is no connection %s: no stack %s, no parameters, no secrets", o.connection, o.connectionStack(o.connection))
		}
	}
	replicas := map[string][]string{}
	if !o.keepSecrets {
		if replicas, err = o.replicas(ctx, o.connection); err != nil {
			return err
		}
	}
	if !absent {
		if s, err = o.settled(ctx, s); err != nil && !errors.Is(err, errNoStack) {
			return err
		}
		if err := o.unused(ctx, s.outputs["ReaderPolicyArn"]); err != nil {
			return err
		}
	}
	if err := o.confirmRemoval(ctx, replicas); err != nil {
		return err
	}
	if err := o.removeReplicas(ctx, o.connection, replicas); err != nil {
		return err
	}
	if err := o.removeOne(ctx, o.connection, !o.keepSecrets); err != nil {
		return fmt.Errorf("%w\nRepeat this when the cause is removed: %s", err, o.like("remove-connection", "connection", o.connection))
	}
	if o.keepSecrets {
		o.say("The connection %s is removed. Its secrets are kept; a new connection of this name uses them again.", o.connection)
		return nil
	}
	o.say("The connection %s is removed, with its secrets, parameters and policy.", o.connection)
	return nil
}

// confirmRemoval asks if secrets would be lost.
func (o *operator) confirmRemoval(ctx context.Context, replicas map[string][]string) error {
	if o.yes || o.keepSecrets {
		return nil
	}
	o.say("This deletes %s and %s. They cannot be restored.", o.secret(o.connection, "credentials"), o.secret(o.connection, "token"))
	for kind, regions := range replicas {
		o.say("The %s secret is replicated to %s; the replicas are deleted first.", kind, strings.Join(regions, ", "))
	}
	sure, err := o.confirm(ctx, "Type the connection's name to go on: ", o.connection)
	if err != nil {
		return err
	}
	if !sure {
		return errors.New("nothing was changed. -keep-secrets (KEEP_SECRETS=true) leaves the secrets")
	}
	return nil
}

// removeOne removes everything that exists of a connection.
func (o *operator) removeOne(ctx context.Context, connection string, withSecrets bool) error {
	if err := o.rest(ctx, connection); err != nil {
		return err
	}
	o.say("Deleting the stack %s ...", o.connectionStack(connection))
	if err := o.deleteStack(ctx, o.connectionStack(connection)); err != nil {
		return err
	}
	if err := o.removeParameters(ctx, connection, !withSecrets); err != nil {
		return err
	}
	if !withSecrets {
		return nil
	}
	return o.deleteSecrets(ctx, connection)
}
