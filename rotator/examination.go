package rotator

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"
)

// examination is the doctor's look at one connection.
type examination struct {
	*Doctor
	Connection
	now time.Time
}

// examine makes all checks but that of the token host. tidy lasts longer than
// ctx, for taking away what was written.
func (e *examination) examine(ctx, cleanup context.Context) []Check {
	config := e.checkConfig()
	if !isConnectionName(e.Name) {
		return []Check{config} // nothing is called so
	}
	var (
		credentials, token, parameters []Check
		running                        sync.WaitGroup
	)
	running.Go(func() {
		credentials = safely(CheckedCredentials, func() []Check {
			about, err := e.describe(ctx, SecretCredentials)
			return append(e.checkCredentials(ctx, about, err), e.checkWrite(ctx, cleanup, SecretCredentials, about, err))
		})
	})
	running.Go(func() {
		token = safely(CheckedTokenWrite, func() []Check {
			about, err := e.describe(ctx, SecretToken)
			return []Check{e.checkWrite(ctx, cleanup, SecretToken, about, err)}
		})
	})
	running.Go(func() {
		parameters = safely(CheckedParameters, func() []Check { return []Check{e.checkParameters(ctx, cleanup)} })
	})
	running.Wait()
	return slices.Concat([]Check{config}, credentials, token, parameters)
}

func (e *examination) checkConfig() Check {
	switch failure := firstOf(e.ConfigError); {
	case failure != nil && !isConnectionName(e.Name):
		return wrong(CheckedConfig, "%s", failure.Message)
	case failure != nil:
		return wrong(CheckedConfig, "%s: aws ssm put-parameter --overwrite --name %s --value '{}' (or what it is to say)", failure.Message, e.Parameters.ParameterName(e.Name, KindConfig))
	case !e.Config.Enabled:
		return fine(CheckedConfig, "valid, and disabled: nothing is refreshed until enabled is true")
	}
	return fine(CheckedConfig, "valid")
}

func (e *examination) describe(ctx context.Context, kind SecretKind) (SecretDescription, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return e.Secrets.Describe(ctx, e.Name, kind)
}

// checkCredentials reads the credentials and tells what would be done with
// them. The description and its error are the credentials secret's.
func (e *examination) checkCredentials(ctx context.Context, about SecretDescription, described error) []Check {
	creds, failure := e.readCredentials(ctx, about, described)
	if failure != "" {
		const first = "not known: mend the credentials first"
		return []Check{wrong(CheckedCredentials, "%s", failure), wrong(CheckedGrant, first), wrong(CheckedRefreshTokenAge, first)}
	}
	seen := creds.CreatedAt
	stillPending := e.Pending != nil && (creds.Version == e.Pending.RotatedFrom || ownBefore(creds.Version, e.Pending.SavedAt))
	if stillPending {
		creds.RefreshToken, seen = e.Pending.RefreshToken, e.Pending.SavedAt
	}
	return []Check{
		fine(CheckedCredentials, "readable and complete, version %s", creds.Version),
		e.checkGrant(creds, stillPending),
		e.checkAge(creds, seen),
	}
}

// readCredentials returns the credentials, or what is wrong and what mends it.
func (e *examination) readCredentials(ctx context.Context, about SecretDescription, described error) (Credentials, string) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	version, err := e.Credentials.Read(ctx, e.Name)
	var creds Credentials
	if err == nil {
		creds, err = parseCredentials(version)
	}
	name := e.Secrets.SecretName(e.Name, SecretCredentials)
	switch failure := firstOf(err); {
	case err == nil:
		return creds, ""
	case about.Deleted:
		return creds, "deletion of the secret is scheduled: " + restoreSecret(name)
	case errors.Is(described, ErrNotFound):
		return creds, noSecret(name)
	case errors.Is(err, ErrNotFound):
		return creds, "no credentials yet: " + putCredentials(name)
	case failure != nil:
		return creds, failure.Message + ": " + putCredentials(name)
	}
	return creds, "the credentials secret could not be read: " +
		whyNoSecret(err, name, "secretsmanager:GetSecretValue", keyAdvice(about, described, "kms:Decrypt")) + about.enableKey(err)
}

// checkGrant tells which grant the next refresh would use, and whether the
// token endpoint has refused these very credentials already.
func (e *examination) checkGrant(creds Credentials, stillPending bool) Check {
	if refused := e.State.Error; refused.WaitsForNewCredentials() && e.State.CredentialsVersion == creds.Version && !stillPending {
		return wrong(CheckedGrant, "refused by the token endpoint at the last try (%s): %s: %s", refused, refused.Advice(), putCredentials(e.Secrets.SecretName(e.Name, SecretCredentials)))
	}
	from := "would be used"
	if stillPending {
		from = "would be used, with the refresh token that waits pending"
	}
	switch {
	case creds.RefreshToken.Empty() && creds.canLogIn():
		return fine(CheckedGrant, "%s would be used: one login, then its refresh token", GrantTypePassword)
	case creds.RefreshToken.Empty():
		return fine(CheckedGrant, "%s would be used", GrantTypeClientCredentials)
	case creds.canLogIn():
		return fine(CheckedGrant, "%s %s; a login when that is refused", GrantTypeRefreshToken, from)
	}
	return fine(CheckedGrant, "%s %s", GrantTypeRefreshToken, from)
}

const (
	// refreshTokenLife is Reltio's, counted from the login and not extended by
	// use; refreshTokenNotice is when an alarm and the doctor begin to speak.
	refreshTokenLife   = 28 * 24 * time.Hour
	refreshTokenNotice = 21 * 24 * time.Hour
)

func (e *examination) checkAge(creds Credentials, seen time.Time) Check {
	if creds.RefreshToken.Empty() {
		return fine(CheckedRefreshTokenAge, "no refresh token is in use")
	}
	if seen.IsZero() || seen.After(e.now) {
		seen = e.now
	}
	since := e.State.since(creds.RefreshToken.Fingerprint(), seen)
	age, end := e.now.Sub(since), since.Add(refreshTokenLife).Format(time.DateOnly)
	days := int(age.Hours() / 24)
	newLogin := "log in again and " + putCredentials(e.Secrets.SecretName(e.Name, SecretCredentials)) + "; with username and password in it the rotator logs in by itself"
	switch {
	case creds.canLogIn():
		return fine(CheckedRefreshTokenAge, "%d days; when it dies, a login replaces it", days)
	case age >= refreshTokenLife:
		return wrong(CheckedRefreshTokenAge, "%d days, and Reltio's refresh tokens live 28: %s", days, newLogin)
	case age >= refreshTokenNotice:
		return wrong(CheckedRefreshTokenAge, "%d days, it ends on %s: %s", days, end, newLogin)
	}
	return fine(CheckedRefreshTokenAge, "%d days, it ends on %s", days, end)
}

// recreateTimeout is how long the name of a deleted parameter may be refused,
// which AWS gives as 30 s, and a little more; recreatePause lies between tries.
const (
	recreateTimeout = 35 * time.Second
	recreatePause   = 5 * time.Second
)

// checkParameters writes and deletes the check parameter. Config, state, lease
// and pending refresh token are left alone: a write of the doctor's in a lease's history
// would look like another run's.
func (e *examination) checkParameters(ctx, cleanup context.Context) Check {
	name := e.Parameters.ParameterName(e.Name, KindCheck)
	err := e.putCheck(ctx)
	if errors.Is(err, ErrDenied) {
		all := make([]string, 0, 4)
		for _, kind := range []Kind{KindState, KindLease, KindPending, KindCheck} {
			all = append(all, parameterARN(e.Parameters.ParameterName(e.Name, kind)))
		}
		return wrong(CheckedParameters, "%s could not be written: %s", name, whyNot(err, "ssm:PutParameter on "+list(all)))
	}
	// A write that seemed to fail may have happened all the same.
	cleanup, cancel := context.WithTimeout(cleanup, callTimeout)
	defer cancel()
	deleted := e.Parameters.DeleteCheck(cleanup, e.Name)
	switch {
	case err != nil:
		return wrong(CheckedParameters, "%s could not be written: %s; a parameter deleted less than 30 s ago cannot be made again", name, whyNot(err, ""))
	case deleted != nil:
		return wrong(CheckedParameters, "%s was written and could not be deleted: %s; then: aws ssm delete-parameter --name %s", name, whyNot(deleted, "ssm:DeleteParameter on "+parameterARN(name)+" and, for the pending refresh token, "+parameterARN(e.Parameters.ParameterName(e.Name, KindPending))), name)
	}
	return fine(CheckedParameters, "%s was written encrypted, as a pending refresh token would be, and deleted", name)
}

// putCheck tries again for a while, since an earlier check may have deleted the
// parameter a moment ago. The doctor's writes come after everybody else's.
func (e *examination) putCheck(ctx context.Context) error {
	waiting := ctx
	ctx, cancel := context.WithTimeout(ctx, recreateTimeout+callTimeout)
	defer cancel()
	for tried := time.Duration(0); ; tried += recreatePause {
		if err := e.Parameters.WaitToWrite(waiting, math.MaxInt); err != nil {
			return err
		}
		err := e.Parameters.PutCheck(ctx, e.Name)
		if err == nil || errors.Is(err, ErrDenied) || tried >= recreateTimeout || !sleep(ctx, recreatePause) {
			return err
		}
	}
}
