package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reltio-token-rotator/rotator"
)

// prove forces a refresh with each set that changed.
func (o *operator) prove(ctx context.Context, function string, before credentialsBefore, written string, changed []rotator.SetName, two bool) error {
	if len(changed) == 0 {
		o.say("No set changed, so nothing was requested from Reltio.")
		return nil
	}
	well := true
	for _, name := range changed {
		e := event{Action: "refresh", Connections: []string{o.connection}, Force: true}
		if two {
			e.Set = name
			o.say("Requesting a token with %s ...", name)
		} else {
			o.say("Requesting a token with them ...")
		}
		all, err := o.refreshNow(ctx, function, e)
		if err != nil {
			return fmt.Errorf("the credentials are written and are not proven: %w", err)
		}
		o.show(all)
		well = well && all.well()
		if all.disproves() {
			return o.takeBack(ctx, before, written)
		}
		for _, r := range all.Connections {
			o.sayIfShort(r)
		}
	}
	return wrongIf(!well)
}

// disproves reports whether the refresh shows that the credentials are wrong. Other
// failures say nothing about them.
func (r report) disproves() bool {
	for _, c := range r.Connections {
		switch c.Error {
		case rotator.RefreshTokenRejected, rotator.ClientRejected, rotator.LoginRejected, rotator.CredentialsUnread:
			if c.Outcome == rotator.Failed || c.FailingSet != "" {
				return true
			}
		}
	}
	return false
}

// takeBack makes the previous version current again if it was good. It is a
// compare-and-set: if another version has become current meanwhile, for example
// because the function saved a refresh token, that one stays.
func (o *operator) takeBack(ctx context.Context, before credentialsBefore, written string) error {
	name := o.secret(o.connection, "credentials")
	switch {
	case o.keep:
		o.say("The new credentials stay current (-keep).")
		return errWrong
	case before.version == "":
		o.say("There is no earlier version to return to. Seed again with the right values:\n%s", o.like("seed", "connection", o.connection))
		return errWrong
	case !before.good:
		o.say("The new credentials stay current: the earlier ones were not known to work. Seed again with the right values:\n%s", o.like("seed", "connection", o.connection))
		return errWrong
	}
	_, err := o.aws.secrets.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &name, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &before.version, RemoveFromVersionId: &written,
	})
	if answered(err, "InvalidParameterException") {
		o.trouble("", "The earlier credentials worked, and are not made current again: the version just written is no longer current. Another operator wrote one, or the function saved a changed refresh token. See %s", page("restore-earlier-credentials"))
		return errWrong
	}
	if err != nil {
		o.trouble("", "The earlier credentials, which worked, could not be made current again: %v. By hand:", said(err))
		o.say("aws secretsmanager update-secret-version-stage --secret-id %s --version-stage AWSCURRENT --move-to-version-id %s --remove-from-version-id %s", name, before.version, written)
		return errWrong
	}
	o.say("The earlier credentials, which worked, are current again; the next heartbeat uses them. The rejected ones are the version %s (AWSPREVIOUS). -keep leaves new credentials current all the same.", written)
	return errWrong
}

// shortLife is the lifetime of tokens below which Secrets Manager does not accept
// all versions in the long run.
const shortLife = 30 * time.Minute

// sayIfShort prints the number of versions if tokens live too short for Secrets
// Manager, which keeps every version for 24 hours, and about 100 of them.
func (o *operator) sayIfShort(r result) {
	if r.Outcome != rotator.Refreshed || r.SecondsRemaining == nil {
		return
	}
	life := (time.Duration(*r.SecondsRemaining) * time.Second).Round(time.Minute)
	if life <= 0 || life >= shortLife {
		return
	}
	o.trouble("", "%s", shortLifeAdvice(life))
}

// shortLifeAdvice calculates the number with refreshes as late as the function makes
// them.
func shortLifeAdvice(life time.Duration) string {
	life = max(life.Round(time.Minute), time.Minute)
	every := max(life-max(min(life/2, life-15*time.Minute), 2*time.Minute), time.Minute)
	return fmt.Sprintf("This token lives %s. Where that is its whole life, and not the rest of one that was given again, the token secret takes a version every %s: %d in 24 hours. Secrets Manager keeps about 100 and deletes none within 24 hours; beyond that it may refuse to write. Have the client's access token lifetime set to 30 minutes or more in Reltio.",
		span(life), span(every), int(24*time.Hour/every))
}
