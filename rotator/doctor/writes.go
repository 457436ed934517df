package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"reltio-token-rotator/rotator"
)

// This file has the checks that write. None of them changes a current value:
//   - A secret gets a version under a label of its own, and the label is removed.
//   - A parameter that nothing else uses is written and deleted. Config, state,
//     lease and pending refresh token are not written: a doctor's write between a
//     lease's versions would look like another run's.

// checkLabel is the staging label of the versions that the doctor writes.
const checkLabel = "ROTATOR_CHECK"

// checkValue is what those versions hold: JSON, as readers expect, that no reader
// can take for a token or for credentials.
const checkValue = `{"rotator_check":"This version proves that the secret can be written. It is neither a token nor credentials and is not current."}`

// checkVersion is the id of the version that the doctor writes on a day. A
// second check on that day writes nothing more, since Secrets Manager keeps all
// versions of the last 24 hours, 100 at most, and the rotator may need 96. The
// engine's own versions have another prefix: this one holds no refresh token.
func checkVersion(now time.Time) string {
	return "check-by-the-rotator-on-" + now.UTC().Format(time.DateOnly)
}

// checkSecretWrite tries to write a secret without changing what is current. The
// description and its error are the secret's.
func (c *connectionChecker) checkSecretWrite(ctx, cleanup context.Context, kind rotator.SecretKind, description rotator.SecretDescription, described error) Check {
	check := CheckCredentialsWrite
	if kind == rotator.SecretToken {
		check = CheckTokenWrite
	}
	name := c.Secrets.SecretName(c.Name, kind)
	switch {
	case errors.Is(described, rotator.ErrNotFound):
		return failed(check, "%s", noSecret(name))
	case described != nil:
		return failed(check, "not checked, because a first value would become current and the doctor could not see whether there is one: %s",
			whySecretFailed(described, name, "secretsmanager:DescribeSecret", ""))
	case description.Deleted:
		return failed(check, "%s", deletionScheduled(name))
	case !c.writes:
		return notInSample(check)
	case description.Current == "":
		return passed(check, "not checked before seeding: the secret has no value yet, and a first value would become current")
	}
	id := checkVersion(c.now)
	current, err := c.putLabelled(ctx, kind, id)
	if errors.Is(err, rotator.ErrDenied) {
		return failed(check, "the secret could not be written: %s",
			whySecretFailed(err, name, "secretsmanager:PutSecretValue", keyPermission(description, nil, "kms:GenerateDataKey and kms:Decrypt")))
	}
	// A write that seemed to fail may have happened.
	removed := c.removeLabel(cleanup, kind, versionsToClean(description, id))
	switch {
	case current:
		return failed(check, "the secret lost its value during the check, and the test version became current; %s", c.replaceValue(kind, name))
	case err != nil:
		return failed(check, "the secret could not be written: %s%s", whyFailed(err, ""), enableKey(description, err))
	case removed != nil:
		return failed(check, "the secret was written, and the label %s of the test version could not be removed, which does no harm: %s", checkLabel,
			whySecretFailed(removed, name, "secretsmanager:UpdateSecretVersionStage", ""))
	}
	return passed(check, "verified with a test version; its label was removed")
}

func (c *connectionChecker) putLabelled(ctx context.Context, kind rotator.SecretKind, id string) (current bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.Secrets.PutLabelled(ctx, c.Name, kind, id, checkLabel, checkValue)
}

// versionsToClean are the versions that may have the label after a write of id:
// an earlier check may have left it on another one.
func versionsToClean(description rotator.SecretDescription, id string) []string {
	versions := []string{id}
	for version, labels := range description.Labels {
		if version != id && slices.Contains(labels, checkLabel) {
			versions = append(versions, version)
		}
	}
	return versions
}

// removeLabel tries all versions and returns the first error.
func (c *connectionChecker) removeLabel(ctx context.Context, kind rotator.SecretKind, versions []string) (first error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for _, version := range versions {
		if err := c.Secrets.RemoveLabel(ctx, c.Name, kind, version, checkLabel); first == nil {
			first = err
		}
	}
	return first
}

// replaceValue says how the secret gets a value of its own again.
func (c *connectionChecker) replaceValue(kind rotator.SecretKind, name string) string {
	if kind == rotator.SecretCredentials {
		return "write the credentials again: " + putCredentials(name)
	}
	return fmt.Sprintf(`invoke the function with {"action":"refresh","connections":[%q],"force":true}`, c.Name)
}

const (
	// recreateTimeout is a little longer than the 30 s for which AWS may refuse
	// the name of a deleted parameter; recreatePause is the time between tries.
	recreateTimeout = 35 * time.Second
	recreatePause   = 5 * time.Second
)

// checkParameterWrite writes and deletes the check parameter.
func (c *connectionChecker) checkParameterWrite(ctx, cleanup context.Context) Check {
	if !c.writes {
		return notInSample(CheckParameters)
	}
	name := c.Parameters.ParameterName(c.Name, rotator.KindCheck)
	err := c.putCheck(ctx)
	if errors.Is(err, errNoSlot) {
		return passed(CheckParameters, "not checked: the rotator's own writes took all the time, because Parameter Store takes 3 a second; check again when fewer refreshes run")
	}
	if errors.Is(err, rotator.ErrDenied) {
		var all []string
		for _, kind := range []rotator.Kind{rotator.KindState, rotator.KindLease, rotator.KindPending, rotator.KindCheck} {
			all = append(all, parameterARN(c.Parameters.ParameterName(c.Name, kind)))
		}
		return failed(CheckParameters, "%s could not be written: %s", name, whyFailed(err, "ssm:PutParameter on "+list(all)))
	}
	// A write that seemed to fail may have happened.
	cleanup, cancel := context.WithTimeout(cleanup, callTimeout)
	defer cancel()
	deleted := c.Parameters.DeleteCheck(cleanup, c.Name)
	switch {
	case err != nil:
		return failed(CheckParameters, "%s could not be written: %s; a parameter that was deleted less than 30 s ago cannot be created again yet", name, whyFailed(err, ""))
	case deleted != nil:
		pending := parameterARN(c.Parameters.ParameterName(c.Name, rotator.KindPending))
		return failed(CheckParameters, "%s was written and could not be deleted: %s; then delete it: %s", name,
			whyFailed(deleted, "ssm:DeleteParameter on "+parameterARN(name)+" and, for the pending refresh token, "+pending), deleteParameter(name))
	}
	return passed(CheckParameters, "%s was written encrypted, as a pending refresh token would be, and deleted", name)
}

// errNoSlot means that the parameter was not written, because every other write goes
// first.
var errNoSlot = errors.New("no time for a write")

// putCheck tries again for a while, since an earlier check may have deleted the
// parameter a moment ago. Every other write goes before the doctor's.
func (c *connectionChecker) putCheck(ctx context.Context) error {
	waiting := ctx
	ctx, cancel := context.WithTimeout(ctx, recreateTimeout+callTimeout)
	defer cancel()
	last := errNoSlot
	for tried := time.Duration(0); ; tried += recreatePause {
		if c.Parameters.WaitToWrite(waiting, rotator.PriorityCheck) != nil {
			return last
		}
		last = c.Parameters.PutCheck(ctx, c.Name)
		if last == nil || errors.Is(last, rotator.ErrDenied) || tried >= recreateTimeout {
			return last
		}
		select {
		case <-time.After(recreatePause):
		case <-ctx.Done():
			return last
		}
	}
}
