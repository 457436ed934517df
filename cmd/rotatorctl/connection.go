package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	secretstypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reltio-token-rotator/rotator"
)

const (
	// connectionTemplate is deployed once for each connection but the first.
	connectionTemplate = "connection.yaml"
	// maxStackName is CloudFormation's limit.
	maxStackName = 128
	// switchedOff is the config that remove-connection writes first. Without a
	// stack it is what an interrupted removal left.
	switchedOff = `{"enabled":false}`
)

// ownParameters are those that the function writes, beside what CloudFormation
// makes, and so outlive a stack that was deleted while a run was under way.
func ownParameters() []rotator.Kind {
	return []rotator.Kind{rotator.KindState, rotator.KindLease, rotator.KindPending, rotator.KindCheck}
}

func secretKinds() []string { return []string{"credentials", "token"} }

// connectionStack is the name of a connection's own stack.
func (o *operator) connectionStack(connection string) string {
	return o.stack + "-connection-" + connection
}

// further reports whether the options name a connection that has a stack of its
// own, and one whose name fits.
func (o *operator) further(command string) error {
	switch o.connection {
	case "":
		return fmt.Errorf("name the connection: %s", o.like(command, "connection", "emea"))
	case defaultConnection:
		return fmt.Errorf("the connection default belongs to the stack %s itself. To change its settings, see %s", o.stack, deploying("settings-of-one-connection"))
	}
	if name := o.connectionStack(o.connection); len(name) > maxStackName {
		return fmt.Errorf("the connection's stack would be %s, which has %d characters; CloudFormation takes %d. Choose a shorter name", name, len(name), maxStackName)
	}
	return nil
}

// connectionDescribed describes the connection's stack and refuses one of the
// same name that is something else: an update would rename its secrets.
func (o *operator) connectionDescribed(ctx context.Context, connection string) (stack, error) {
	name := o.connectionStack(connection)
	s, err := o.describe(ctx, name)
	if err == nil && s.condition() != unmade && (s.parameters["Stack"] != o.stack || s.parameters["Connection"] != connection) {
		return s, fmt.Errorf("nothing was changed: the stack %s exists and is not the connection %s of %s", name, connection, o.stack)
	}
	return s, err
}

// leftovers are what is there of a connection that has no stack.
type leftovers struct {
	parameters map[rotator.Kind]rotator.Parameter
	secrets    []string // kinds
}

func (o *operator) leftovers(ctx context.Context, connection string) (leftovers, error) {
	all, err := o.list(ctx, o.parameter(connection, ""))
	if err != nil {
		return leftovers{}, said(err)
	}
	left := leftovers{parameters: all[connection]}
	for _, kind := range secretKinds() {
		_, err := o.describeSecret(ctx, connection, kind)
		switch {
		case isNoSecret(err):
		case err != nil:
			return left, err
		default:
			left.secrets = append(left.secrets, kind)
		}
	}
	return left, nil
}

func isNoSecret(err error) bool {
	_, missing := errors.AsType[*secretstypes.ResourceNotFoundException](err)
	return missing
}

// describeSecret refuses a secret that waits to be deleted.
func (o *operator) describeSecret(ctx context.Context, connection, kind string) (*secretsmanager.DescribeSecretOutput, error) {
	name := o.secret(connection, kind)
	out, err := o.aws.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
	switch {
	case isNoSecret(err):
		return nil, err
	case err != nil:
		return nil, said(err)
	case out.DeletedDate != nil:
		return nil, fmt.Errorf("nothing was changed: the secret %s waits to be deleted. Either restore it or delete it at once, then repeat this:\naws secretsmanager restore-secret --secret-id %s\naws secretsmanager delete-secret --force-delete-without-recovery --secret-id %s", name, name, name)
	}
	return out, nil
}

// foreign reports whether the connection exists without this project's stack. A
// config that only switches it off is what an interrupted removal left.
func (l leftovers) foreign() bool {
	config, exists := l.parameters[rotator.KindConfig]
	return exists && config.Value.Reveal() != switchedOff
}

// removeParameters deletes parameters that a run wrote after the connection was
// removed; CloudFormation could not make them again otherwise. A pending refresh
// token stays with secrets that are kept, since it can be the only one that
// works.
func (o *operator) removeParameters(ctx context.Context, connection string, secretsKept bool) error {
	all, err := o.list(ctx, o.parameter(connection, ""))
	if err != nil {
		return said(err)
	}
	left := leftovers{parameters: all[connection]}
	if left.foreign() {
		return fmt.Errorf("the connection %s exists without the stack %s: something else made it; nothing was changed", connection, o.connectionStack(connection))
	}
	for _, kind := range append(ownParameters(), rotator.KindConfig) {
		if _, present := left.parameters[kind]; !present || kind == rotator.KindPending && secretsKept {
			continue
		}
		name := o.parameter(connection, string(kind))
		_, err := o.aws.parameters.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &name})
		if _, gone := errors.AsType[*ssmtypes.ParameterNotFound](err); err != nil && !gone {
			return said(err)
		}
	}
	return nil
}

// deleteSecrets deletes what the connection's stack keeps, so that a later
// connection of the same name begins without it.
func (o *operator) deleteSecrets(ctx context.Context, connection string) error {
	for _, kind := range secretKinds() {
		name := o.secret(connection, kind)
		_, err := o.aws.secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{
			SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true),
		})
		if err != nil && !isNoSecret(err) {
			return said(err)
		}
	}
	return nil
}

// replicas are the regions that a connection's secrets are replicated to.
func (o *operator) replicas(ctx context.Context, connection string) (map[string][]string, error) {
	found := map[string][]string{}
	for _, kind := range secretKinds() {
		out, err := o.describeSecret(ctx, connection, kind)
		if isNoSecret(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, replica := range out.ReplicationStatus {
			found[kind] = append(found[kind], aws.ToString(replica.Region))
		}
	}
	return found, nil
}

// removeReplicas ends the replication of secrets, which cannot be deleted before.
func (o *operator) removeReplicas(ctx context.Context, connection string, replicas map[string][]string) error {
	for kind, regions := range replicas {
		name := o.secret(connection, kind)
		if _, err := o.aws.secrets.RemoveRegionsFromReplication(ctx, &secretsmanager.RemoveRegionsFromReplicationInput{
			SecretId: &name, RemoveReplicaRegions: regions,
		}); err != nil {
			return fmt.Errorf("nothing was removed: the secret %s is replicated to %s, and that cannot be ended: %w", name, strings.Join(regions, ", "), said(err))
		}
	}
	return nil
}

// attached are the commands that detach a policy from whatever has it.
// CloudFormation would stop half-way.
func (o *operator) attached(ctx context.Context, policy string) ([]string, error) {
	if policy == "" {
		return nil, nil
	}
	var commands []string
	pages := iam.NewListEntitiesForPolicyPaginator(o.aws.policies, &iam.ListEntitiesForPolicyInput{PolicyArn: &policy})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if answered(err, "NoSuchEntity") {
			return nil, nil
		}
		if err != nil {
			return nil, said(err)
		}
		for _, role := range page.PolicyRoles {
			commands = append(commands, "aws iam detach-role-policy --role-name "+aws.ToString(role.RoleName)+" --policy-arn "+policy)
		}
		for _, user := range page.PolicyUsers {
			commands = append(commands, "aws iam detach-user-policy --user-name "+aws.ToString(user.UserName)+" --policy-arn "+policy)
		}
		for _, group := range page.PolicyGroups {
			commands = append(commands, "aws iam detach-group-policy --group-name "+aws.ToString(group.GroupName)+" --policy-arn "+policy)
		}
	}
	return commands, nil
}

// unused refuses to go on while one of the policies is attached.
func (o *operator) unused(ctx context.Context, policies ...string) error {
	var commands []string
	for _, policy := range policies {
		more, err := o.attached(ctx, policy)
		if err != nil {
			return err
		}
		commands = append(commands, more...)
	}
	if len(commands) == 0 {
		return nil
	}
	return fmt.Errorf("nothing was changed: policies of it are still attached, so jobs may still use it. When they no longer do:\n%s", strings.Join(commands, "\n"))
}

// rest switches the connection off and waits until no run is at work on it, so
// that none writes parameters which are just being deleted. Where there is no
// config, there is nothing to switch off.
func (o *operator) rest(ctx context.Context, connection string) error {
	all, err := o.list(ctx, o.parameter(connection, ""))
	if err != nil {
		return said(err)
	}
	if !all.has(connection, rotator.KindConfig) {
		return nil
	}
	name := o.parameter(connection, "config")
	// A heartbeat understands it, and a removal that stops half-way leaves it
	// visible in status.
	if _, err := o.aws.parameters.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true), Value: aws.String(switchedOff),
	}); err != nil {
		return said(err)
	}
	for {
		all, err := o.list(ctx, o.parameter(connection, ""))
		if err != nil {
			return said(err)
		}
		c := o.remembered(all, connection)
		if !c.LeaseHeld(o.now()) {
			return nil
		}
		o.say("A run is refreshing it until %s at the latest; waiting ...", o.clock(c.Lease.Until))
		if err := sleep(ctx, askAgain); err != nil {
			return err
		}
	}
}

// connectionStacks are the names of the connections that have stacks of their
// own, in whatever condition.
func (o *operator) connectionStacks(ctx context.Context) ([]string, error) {
	names, err := o.stackNames(ctx, o.stack+"-connection-")
	if err != nil {
		return nil, err
	}
	var connections []string
	for _, name := range names {
		connection := strings.TrimPrefix(name, o.stack+"-connection-")
		if !connectionName.MatchString(connection) {
			continue
		}
		s, err := o.describe(ctx, name)
		if errors.Is(err, errNoStack) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if s.parameters["Stack"] == o.stack && s.parameters["Connection"] == connection {
			connections = append(connections, connection)
		}
	}
	slices.Sort(connections)
	return connections, nil
}
