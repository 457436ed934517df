package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// connectionTemplate is deployed once for each connection but the first.
const connectionTemplate = "connection.yaml"

// ownParameters are those that the function writes, beside what CloudFormation
// makes, and so outlive a stack that was deleted while a run was under way.
func ownParameters() []string { return []string{"state", "lease", "pending", "check"} }

// connectionStack is the name of a connection's own stack.
func (o *operator) connectionStack(connection string) string {
	return o.stack + "-connection-" + connection
}

// further reports whether the options name a connection that has a stack of its
// own.
func (o *operator) further(opts options, command string) error {
	switch opts.connection {
	case "":
		return fmt.Errorf("say which connection: make %s STACK=%s CONNECTION=emea", command, o.stack)
	case defaultConnection:
		return fmt.Errorf("the connection default belongs to the stack %s itself", o.stack)
	}
	return nil
}

// connectionDescribed describes the connection's stack and refuses one of the
// same name that is something else: an update would rename its secrets.
func (o *operator) connectionDescribed(ctx context.Context, connection string) (described, error) {
	name := o.connectionStack(connection)
	d, err := o.describe(ctx, name)
	if err == nil && (d.parameters["Stack"] != o.stack || d.parameters["Connection"] != connection) {
		return d, fmt.Errorf("the stack %s exists and is not the connection %s of %s; nothing was changed", name, connection, o.stack)
	}
	return d, err
}

// addConnection is make add-connection. The function is not touched: its next
// heartbeat finds the connection.
func (o *operator) addConnection(ctx context.Context, opts options) error {
	if err := o.further(opts, "add-connection"); err != nil {
		return err
	}
	stack, err := o.deployed(ctx)
	if err != nil {
		return err
	}
	parameters := []string{"Stack=" + o.stack, "Connection=" + opts.connection}
	_, err = o.connectionDescribed(ctx, opts.connection)
	switch {
	case answered(err, "ValidationError"):
		kept, err := o.keptSecrets(ctx, opts.connection)
		if err != nil {
			return err
		}
		if err := o.removeLeftovers(ctx, opts.connection, kept); err != nil {
			return err
		}
		if kept {
			o.say("The secrets of an earlier connection %s are still there and are used again, with what they hold.", opts.connection)
			parameters = append(parameters, "CreateSecrets=false")
		}
	case err != nil:
		return err
	}
	if key := stack.parameters["KmsKeyArn"]; key != "" {
		parameters = append(parameters, "KmsKeyArn="+key)
	}
	parameters = append(parameters, strings.Fields(opts.parameters)...)
	name := o.connectionStack(opts.connection)
	o.say("Making the stack %s …", name)
	if _, err := o.cli.run(ctx, nil, append([]string{
		"cloudformation", "deploy", "--template-file", connectionTemplate,
		"--stack-name", name, "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset", "--parameter-overrides",
	}, parameters...)...); err != nil {
		return err
	}
	if opts.tokenURL != "" {
		if err := o.setTokenURL(ctx, opts.connection, opts.tokenURL); err != nil {
			return err
		}
	}
	made, err := o.describe(ctx, name)
	if err != nil {
		return err
	}
	o.say("The connection %s exists. Put its credentials: make seed STACK=%s CONNECTION=%s", opts.connection, o.stack, opts.connection)
	o.say("Jobs read %s with the policy %s", o.secret(opts.connection, "token"), made.outputs["ReaderPolicyArn"])
	return nil
}

// setTokenURL writes token_url into the connection's config and keeps its other
// fields. The stack's template has no value but {}, since CloudFormation would
// write it over what the operator wrote.
func (o *operator) setTokenURL(ctx context.Context, connection, tokenURL string) error {
	name := o.parameter(connection, "config")
	var answer struct{ Parameter struct{ Value string } }
	if err := o.ask(ctx, &answer, "ssm", "get-parameter", "--name", name); err != nil {
		return err
	}
	config := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(answer.Parameter.Value))
	decoder.UseNumber() // numbers stay as they were written
	if err := decoder.Decode(&config); err != nil {
		return fmt.Errorf("the parameter %s is not a JSON object; correct it, then add the connection again", name)
	}
	if config == nil {
		config = map[string]any{} // the document was null
	}
	config["token_url"] = tokenURL
	value, err := json.Marshal(config)
	if err != nil {
		return err
	}
	_, err = o.cli.run(ctx, nil, "ssm", "put-parameter", "--overwrite", "--type", "String", "--name", name, "--value", string(value))
	return err
}

// removeLeftovers deletes parameters that a run wrote after the connection was
// removed; CloudFormation could not make them again otherwise. A config means
// that the connection exists, whoever made it. A pending refresh token stays with secrets that
// are kept, since it can hold the only refresh token that works; a later run
// brings it home or gives it up.
func (o *operator) removeLeftovers(ctx context.Context, connection string, secretsKept bool) error {
	all, err := o.parameters(ctx, o.parameter(connection, ""))
	if err != nil {
		return err
	}
	left := all[connection]
	if left == nil {
		return nil
	}
	if left.exists {
		return fmt.Errorf("the connection %s exists already, made by something else than the stack %s; nothing was changed", connection, o.connectionStack(connection))
	}
	for _, kind := range ownParameters() {
		if !slices.Contains(left.present, kind) || kind == "pending" && secretsKept {
			continue
		}
		_, err := o.cli.run(ctx, nil, "ssm", "delete-parameter", "--name", o.parameter(connection, kind))
		if err != nil && !answered(err, "ParameterNotFound") {
			return err
		}
	}
	return nil
}

// keptSecrets reports whether an earlier connection of this name left its secrets.
func (o *operator) keptSecrets(ctx context.Context, connection string) (bool, error) {
	kept := 0
	for _, kind := range secretKinds() {
		name := o.secret(connection, kind)
		var answer struct{ DeletedDate any }
		err := o.ask(ctx, &answer, "secretsmanager", "describe-secret", "--secret-id", name)
		switch {
		case answered(err, "ResourceNotFoundException"):
		case err != nil:
			return false, err
		case answer.DeletedDate != nil:
			return false, fmt.Errorf("nothing was changed: the secret %s waits to be deleted. Either have it back or end it, then add the connection:\n  aws secretsmanager restore-secret --secret-id %s\n  aws secretsmanager delete-secret --force-delete-without-recovery --secret-id %s", name, name, name)
		default:
			kept++
		}
	}
	if kept == 1 {
		return false, fmt.Errorf("nothing was changed: only one of the secrets %s and %s exists; delete it or make the other, then add the connection", o.secret(connection, "credentials"), o.secret(connection, "token"))
	}
	return kept > 0, nil
}

func secretKinds() []string { return []string{"credentials", "token"} }

// deleteSecrets deletes what the connection's stack keeps, so that a later
// connection of the same name begins anew.
func (o *operator) deleteSecrets(ctx context.Context, connection string) error {
	for _, kind := range secretKinds() {
		_, err := o.cli.run(ctx, nil, "secretsmanager", "delete-secret", "--force-delete-without-recovery", "--secret-id", o.secret(connection, kind))
		if err != nil && !answered(err, "ResourceNotFoundException") {
			return err
		}
	}
	return nil
}

// removeConnection is make remove-connection. Its secrets go with it, unless
// they are to be kept.
func (o *operator) removeConnection(ctx context.Context, opts options) error {
	if err := o.further(opts, "remove-connection"); err != nil {
		return err
	}
	connection, name := opts.connection, o.connectionStack(opts.connection)
	made, err := o.connectionDescribed(ctx, connection)
	if answered(err, "ValidationError") {
		return fmt.Errorf("there is no stack %s: the connection was removed already, or made in another way", name)
	}
	if err != nil {
		return err
	}
	if err := o.unused(ctx, made.outputs["ReaderPolicyArn"]); err != nil {
		return err
	}
	if !opts.yes && !opts.keepSecrets && !o.confirmed(ctx, connection) {
		return errors.New("nothing was changed (YES=true does it without asking, KEEP_SECRETS=true leaves the secrets)")
	}
	if err := o.rest(ctx, connection); err != nil {
		return err
	}
	if _, err := o.cli.run(ctx, nil, "cloudformation", "delete-stack", "--stack-name", name); err != nil {
		return err
	}
	o.say("Deleting the stack %s …", name)
	if _, err := o.cli.run(ctx, nil, "cloudformation", "wait", "stack-delete-complete", "--stack-name", name); err != nil {
		return fmt.Errorf("the stack %s was not deleted; see why: aws cloudformation describe-stack-events --stack-name %s", name, name)
	}
	if err := o.removeLeftovers(ctx, connection, opts.keepSecrets); err != nil {
		return err
	}
	if opts.keepSecrets {
		o.say("The connection %s is gone. Its secrets are kept; a new connection of this name uses them again.", connection)
		return nil
	}
	if err := o.deleteSecrets(ctx, connection); err != nil {
		return err
	}
	o.say("The connection %s is gone, with its secrets, parameters and policy.", connection)
	return nil
}

// unused refuses to go on while a job's role has the connection's policy:
// CloudFormation would stop half-way.
func (o *operator) unused(ctx context.Context, policy string) error {
	if policy == "" {
		return nil
	}
	var answer struct {
		PolicyRoles  []struct{ RoleName string }
		PolicyUsers  []struct{ UserName string }
		PolicyGroups []struct{ GroupName string }
	}
	if err := o.ask(ctx, &answer, "iam", "list-entities-for-policy", "--policy-arn", policy); err != nil {
		return err
	}
	var users []string
	for _, role := range answer.PolicyRoles {
		users = append(users, "aws iam detach-role-policy --policy-arn "+policy+" --role-name "+role.RoleName)
	}
	for _, user := range answer.PolicyUsers {
		users = append(users, "aws iam detach-user-policy --policy-arn "+policy+" --user-name "+user.UserName)
	}
	for _, group := range answer.PolicyGroups {
		users = append(users, "aws iam detach-group-policy --policy-arn "+policy+" --group-name "+group.GroupName)
	}
	if len(users) > 0 {
		return fmt.Errorf("nothing was changed: jobs still may read this connection's token. When they need it no more:\n  %s", strings.Join(users, "\n  "))
	}
	return nil
}

// confirmed asks the person at the terminal.
func (o *operator) confirmed(ctx context.Context, connection string) bool {
	fmt.Fprintf(o.out, "This deletes %s and %s for good, without a way back.\nType the connection's name to go on: ",
		o.secret(connection, "credentials"), o.secret(connection, "token"))
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(o.in).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case text := <-answer:
		return text == connection
	case <-ctx.Done():
		return false
	}
}

// rest switches the connection off and waits until no run is at work on it, so
// that none writes parameters which are just being deleted.
func (o *operator) rest(ctx context.Context, connection string) error {
	// The switch is one that a heartbeat understands, and a removal that stops
	// half-way leaves it visible in make status.
	if _, err := o.cli.run(ctx, nil, "ssm", "put-parameter", "--overwrite", "--type", "String",
		"--name", o.parameter(connection, "config"), "--value", `{"enabled":false}`); err != nil {
		return err
	}
	for {
		all, err := o.parameters(ctx, o.parameter(connection, ""))
		if err != nil {
			return err
		}
		c := all[connection]
		if c == nil || c.lease.From+1 <= c.state.LeaseVersion || !o.now().Before(c.lease.Until) {
			return nil
		}
		o.say("A run is at work on it until %s at the latest; waiting …", c.lease.Until.UTC().Format(time.TimeOnly))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askAgain):
		}
	}
}
