package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"reltio-token-rotator/cmd/internal/credentialsfile"
	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// checkSeed reads credentials from a file or standard input, before any call to AWS.
func (o *operator) checkSeed() error {
	if o.file == "" && isTerminal(os.Stdin) {
		return nil
	}
	document, err := readCredentials(o.file, o.errors)
	if err != nil {
		return err
	}
	if _, err := credentialsfile.Sets(document); err != nil {
		return fmt.Errorf("nothing was written: the credentials cannot be used: %w", err)
	}
	o.document = document
	return nil
}

// seed is rotatorctl seed. It writes credentials from the operator, a file or
// standard input to the credentials secret, and proves each changed set with a
// forced refresh. If Reltio rejects a set, the previous version becomes current
// again.
func (o *operator) seed(ctx context.Context) error {
	o.connection = orDefault(o.connection)
	document, given := o.document, !o.document.Empty()
	// This comes before the questions, so that secrets are typed only for a stack
	// that exists.
	s, err := o.deployed(ctx)
	if err != nil {
		return err
	}
	before, err := o.currentCredentials(ctx)
	if err != nil {
		return err
	}
	if !given {
		if document, err = o.askCredentials(ctx); err != nil {
			return err
		}
	}
	sets, err := credentialsfile.Sets(document)
	if err != nil {
		return fmt.Errorf("nothing was written: the credentials cannot be used: %w", err)
	}
	if given {
		for _, set := range sets {
			o.say("%s", grantsOf(set, len(sets) > 1))
		}
	}
	changed := before.changed(sets)
	if before.document.Reveal() == document.Reveal() {
		o.say("The secret %s holds these credentials already. Nothing was written, and nothing was requested from Reltio. A new token:\n%s", o.secret(o.connection, "credentials"), o.like("refresh", "connection", o.connection))
		return nil
	}
	written, err := o.put(ctx, document)
	if err != nil {
		return err
	}
	o.say("The credentials are in %s. They replace all fields that it had.", o.secret(o.connection, "credentials"))
	return o.prove(ctx, s.outputs["FunctionName"], before, written, changed, len(sets) > 1)
}

func orDefault(connection string) string {
	if connection == "" {
		return defaultConnection
	}
	return connection
}

// credentialsBefore has the credentials that were current before.
type credentialsBefore struct {
	version string // empty where there is none
	// sets are those of the current document. They are nil if the operator may not
	// read it. Then every set counts as changed.
	sets     []rotator.CredentialSet
	document secret.Value
	// good says that the function has refreshed with this version, and that there is
	// no error.
	good bool
}

// currentCredentials describes the credentials secret before it is written, and
// reads its value if the operator may. It is no error if the operator may not.
func (o *operator) currentCredentials(ctx context.Context) (credentialsBefore, error) {
	name := o.secret(o.connection, "credentials")
	out, err := o.aws.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return credentialsBefore{}, fmt.Errorf("nothing was written: there is no secret %s. To add a connection: %s", name, o.like("add-connection", "connection", o.connection))
	}
	if err != nil {
		return credentialsBefore{}, said(err)
	}
	if out.DeletedDate != nil {
		return credentialsBefore{}, fmt.Errorf("nothing was written: the secret %s waits to be deleted. To restore it:\naws secretsmanager restore-secret --secret-id %s", name, name)
	}
	var before credentialsBefore
	for version, labels := range out.VersionIdsToStages {
		for _, label := range labels {
			if label == "AWSCURRENT" {
				before.version = version
			}
		}
	}
	if before.version == "" {
		return before, nil
	}
	all, err := o.list(ctx, o.parameter(o.connection, ""))
	if err != nil {
		return before, said(err)
	}
	before.good = provenBy(o.remembered(all, o.connection).State, before.version)
	value, err := o.aws.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name, VersionId: &before.version})
	if err == nil {
		before.document = secret.New(aws.ToString(value.SecretString))
		before.sets, _ = credentialsfile.Sets(before.document) // not usable: all of it changed
	}
	return before, nil
}

// provenBy reports whether the state says that the sets of these credentials
// work: each that was tried was tried with this version, and has no error.
func provenBy(s rotator.State, version string) bool {
	if s.Error != "" || s.Published.IssuedAt.IsZero() || s.Primary.Version != version {
		return false
	}
	for _, set := range []rotator.SetState{s.Primary, s.Alternate} {
		if set.Version != "" && (set.Version != version || set.Error != "") {
			return false
		}
	}
	return true
}

// changed are the names of the sets whose fields are not as before.
func (b credentialsBefore) changed(sets []rotator.CredentialSet) []rotator.SetName {
	var names []rotator.SetName
	for _, set := range sets {
		same := false
		for _, earlier := range b.sets {
			same = same || equalSets(earlier, set)
		}
		if !same {
			names = append(names, set.Name)
		}
	}
	return names
}

// readCredentials reads a document that is not typed.
func readCredentials(file string, warnings io.Writer) (secret.Value, error) {
	document, shared, err := credentialsfile.Read(file)
	if shared {
		fmt.Fprintln(warnings, wrap("Other users of this machine may read that file (chmod 600). Delete it once this has worked.", width, ""))
	}
	return document, err
}

// put writes the credentials secret and returns the version that it made.
func (o *operator) put(ctx context.Context, document secret.Value) (version string, err error) {
	name := o.secret(o.connection, "credentials")
	out, err := o.aws.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &name, SecretString: aws.String(document.Reveal()),
	})
	if err != nil {
		return "", fmt.Errorf("nothing was written to %s: %w", name, said(err))
	}
	return aws.ToString(out.VersionId), nil
}

// equalSets reports whether two sets of the same name hold the same values.
func equalSets(a, b rotator.CredentialSet) bool {
	return a.Name == b.Name && a.ClientID == b.ClientID && a.ClientSecret.Equal(b.ClientSecret) &&
		a.RefreshToken.Equal(b.RefreshToken) && a.Username.Equal(b.Username) && a.Password.Equal(b.Password)
}

// grantsOf says which token requests the fields of a set lead to.
func grantsOf(s rotator.CredentialSet, named bool) string {
	who := "The function"
	if named {
		who = "For " + string(s.Name) + " the function"
	}
	switch {
	case !s.RefreshToken.Empty() && s.CanLogIn():
		return who + " uses the refresh token, and logs in with the user name and password when it has ended (grant types refresh_token and password)."
	case !s.RefreshToken.Empty():
		return who + " uses the refresh token (grant type refresh_token). Reltio ends it 28 days after its login; then new credentials are needed."
	case s.CanLogIn():
		return who + " logs in with the user name and password (grant types password and refresh_token)."
	}
	return who + " uses the client alone (grant type client_credentials): there is neither a refresh token nor a user name."
}
