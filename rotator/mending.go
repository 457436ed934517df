package rotator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// checkLabel is the staging label of the versions that the doctor writes.
const checkLabel = "ROTATOR_CHECK"

// checkValue is in those versions: JSON, as readers expect, that no reader can
// take for a token or for credentials.
const checkValue = `{"rotator_check":"This version proves that the secret can be written. It is neither a token nor credentials and is not current."}`

// checkVersion is the id of the version that the doctor writes on a day. A
// second check of the day writes nothing more, since Secrets Manager keeps all
// versions of the last 24 hours, 100 at most, and the rotator alone may need 96.
// It does not begin with ownVersion: it holds no refresh token.
func checkVersion(now time.Time) string {
	return "check-by-the-rotator-on-" + now.UTC().Format(time.DateOnly)
}

// checkWrite tries to write a secret without changing what is current. The
// description and its error are the secret's.
func (e *examination) checkWrite(ctx, cleanup context.Context, kind SecretKind, about SecretDescription, described error) Check {
	check := CheckedCredentialsWrite
	if kind == SecretToken {
		check = CheckedTokenWrite
	}
	name := e.Secrets.SecretName(e.Name, kind)
	switch {
	case errors.Is(described, ErrNotFound):
		return wrong(check, "%s", noSecret(name))
	case described != nil:
		return wrong(check, "not tried, since a first value would become current, and whether there is one could not be seen: %s",
			whyNoSecret(described, name, "secretsmanager:DescribeSecret", ""))
	case about.Deleted:
		return wrong(check, "deletion of the secret is scheduled: %s", restoreSecret(name))
	case about.Current == "":
		return fine(check, "not provable before seeding: the secret has no value yet, and a first one would become current")
	}
	id := checkVersion(e.now)
	current, err := e.putLabelled(ctx, kind, id)
	if errors.Is(err, ErrDenied) {
		return wrong(check, "the secret could not be written: %s", whyNoSecret(err, name, "secretsmanager:PutSecretValue", keyAdvice(about, nil, "kms:GenerateDataKey and kms:Decrypt")))
	}
	removed := e.removeLabel(cleanup, kind, about.labelled(id))
	switch {
	case current:
		return wrong(check, "the secret lost its value at this moment and the check's own became current: %s", e.replace(kind, name))
	case err != nil:
		return wrong(check, "the secret could not be written: %s%s", whyNot(err, ""), about.enableKey(err))
	case removed != nil:
		return wrong(check, "the secret was written, and the label %s could not be taken off again, where it does no harm: %s", checkLabel,
			whyNoSecret(removed, name, "secretsmanager:UpdateSecretVersionStage", ""))
	}
	return fine(check, "writable: shown by the day's version under the label %s, which is off it again", checkLabel)
}

func (e *examination) putLabelled(ctx context.Context, kind SecretKind, id string) (current bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return e.Secrets.PutLabelled(ctx, e.Name, kind, id, checkLabel, checkValue)
}

// labelled are the versions that may bear the label after a write of id: an
// earlier check may have left it.
func (s SecretDescription) labelled(id string) []string {
	versions := []string{id}
	for version, labels := range s.Labels {
		if version != id && slices.Contains(labels, checkLabel) {
			versions = append(versions, version)
		}
	}
	return versions
}

func (e *examination) removeLabel(ctx context.Context, kind SecretKind, versions []string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var errs []error
	for _, version := range versions {
		errs = append(errs, e.Secrets.RemoveLabel(ctx, e.Name, kind, version, checkLabel))
	}
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i] // one line is enough
	}
	return nil
}

// replace says how the secret gets a value of its own again.
func (e *examination) replace(kind SecretKind, name string) string {
	if kind == SecretCredentials {
		return putCredentials(name)
	}
	return fmt.Sprintf(`invoke the function with {"action":"refresh","connections":[%q],"force":true}`, e.Name)
}

// What follows are the commands and policies that mend things. REGION and
// ACCOUNT are for the reader to fill in: the function knows only its names.

func secretARN(name string) string {
	return "arn:aws:secretsmanager:REGION:ACCOUNT:secret:" + name + "-??????"
}

func parameterARN(name string) string { return "arn:aws:ssm:REGION:ACCOUNT:parameter" + name }

func putCredentials(name string) string {
	return "aws secretsmanager put-secret-value --secret-id " + name + " --secret-string file://credentials.json"
}

func restoreSecret(name string) string {
	return "aws secretsmanager restore-secret --secret-id " + name
}

func noSecret(name string) string {
	return "there is no such secret: deploy the stack with CreateSecrets=true, or: aws secretsmanager create-secret --name " + name
}

// keyAdvice is what a denial may mean beside a missing permission on the
// secret: an AWS managed key asks for none.
func keyAdvice(about SecretDescription, described error, actions string) string {
	switch {
	case described != nil:
		return ", and " + actions + " on the secret's key where it has one of yours, in the key's policy too"
	case about.Key == "":
		return ""
	}
	return ", and " + actions + " on its key " + about.Key + ", in the key's policy too"
}

// enableKey is what most often mends a key that failed. A deletion that was
// canceled leaves the key disabled, too.
func (s SecretDescription) enableKey(err error) string {
	if s.Key == "" || !errors.Is(err, ErrKey) {
		return ""
	}
	return ": aws kms enable-key --key-id " + s.Key
}

// whyNot says why a call failed and what mends it.
func whyNot(err error, permission string) string {
	switch {
	case errors.Is(err, ErrDenied):
		return fmt.Sprintf("denied (%v); allow the function's role %s; the stack's template does, but deploying it again does not undo what was changed by hand; a permissions boundary or an organization's policy may deny as well", err, permission)
	case errors.Is(err, ErrKey):
		return fmt.Sprintf("its key could not be used (%v); enable the key, cancel its deletion, or let its policy allow the function's role kms:Decrypt and kms:GenerateDataKey", err)
	}
	return fmt.Sprintf("failed (%v); check again in a minute; where it stays, look at the function's way to AWS (in a VPC: endpoints or NAT) and at AWS's status", err)
}

// whyNoSecret is whyNot of a secret. Whose permissions go by the ARN's random
// end is denied what does not exist as well.
func whyNoSecret(err error, name, action, key string) string {
	why := whyNot(err, action+" on "+secretARN(name)+key)
	if errors.Is(err, ErrDenied) {
		why += "; a secret that does not exist is denied too: aws secretsmanager describe-secret --secret-id " + name
	}
	return why
}

func list(items []string) string {
	return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
}
