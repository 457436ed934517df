package doctor

import (
	"errors"
	"fmt"
	"strings"

	"reltio-token-rotator/rotator"
)

// This file has the commands and permissions that the doctor's messages name.
// The operator fills in PARTITION, REGION and ACCOUNT: the function knows only its names.

func secretARN(name string) string {
	return "arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:" + name + "-??????"
}

func parameterARN(name string) string { return "arn:PARTITION:ssm:REGION:ACCOUNT:parameter" + name }

func putConfig(name string) string {
	return "aws ssm put-parameter --overwrite --name " + name + " --value '{}'"
}

func deleteParameter(name string) string { return "aws ssm delete-parameter --name " + name }

func putCredentials(name string) string {
	return "aws secretsmanager put-secret-value --secret-id " + name + " --secret-string file://credentials.json"
}

func deletionScheduled(name string) string {
	return "the secret's deletion is scheduled; restore it: aws secretsmanager restore-secret --secret-id " + name
}

func noSecret(name string) string {
	return "there is no such secret; deploy the stack with CreateSecrets=true, or create it: aws secretsmanager create-secret --name " + name
}

// keyPermission is what a denied call may need beside a permission on the secret:
// an AWS managed key needs none. The error is that of the description.
func keyPermission(description rotator.SecretDescription, described error, actions string) string {
	switch {
	case described != nil:
		return ", and " + actions + " on the secret's key if it is a customer key, in the key's policy too"
	case description.Key == "":
		return ""
	}
	return ", and " + actions + " on its key " + description.Key + ", in the key's policy too"
}

// enableKey is the most frequent remedy for a key that failed. A canceled
// deletion leaves the key disabled too.
func enableKey(description rotator.SecretDescription, err error) string {
	if description.Key == "" || !errors.Is(err, rotator.ErrKey) {
		return ""
	}
	return ": aws kms enable-key --key-id " + description.Key
}

// whyFailed says why a call failed and what to do.
func whyFailed(err error, permission string) string {
	switch {
	case errors.Is(err, rotator.ErrDenied):
		return fmt.Sprintf("access was denied (%v); allow the function's role %s; the stack's template allows it, but deploying again does not undo a manual change; a permissions boundary or an organization's policy may deny it too", err, permission)
	case errors.Is(err, rotator.ErrKey):
		return fmt.Sprintf("its key could not be used (%v); enable the key, cancel its deletion, or let its policy allow the function's role kms:Decrypt and kms:GenerateDataKey", err)
	}
	return fmt.Sprintf("the call failed (%v); run the check again in a minute; if it fails again, check the function's network path to AWS (in a VPC: endpoints or NAT) and the AWS status page", err)
}

// whySecretFailed is whyFailed of a secret. A permission that depends on the end
// of the secret's ARN also denies access to a secret that does not exist.
func whySecretFailed(err error, name, action, key string) string {
	why := whyFailed(err, action+" on "+secretARN(name)+key)
	if errors.Is(err, rotator.ErrDenied) {
		why += "; access is also denied when the secret does not exist, so check that it does: aws secretsmanager describe-secret --secret-id " + name
	}
	return why
}

func list(items []string) string {
	return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
}
