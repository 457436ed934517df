package doctor

import (
	"context"
	"errors"
	"time"

	"reltio-token-rotator/rotator"
)

// refreshTokenNotice is the age from which the doctor and an alarm ask for a new
// refresh token.
const refreshTokenNotice = 21 * 24 * time.Hour

// checkCredentials reads the credentials and reports how the next refresh would
// use them. The description and its error are the credentials secret's.
func (c *connectionChecker) checkCredentials(ctx context.Context, description rotator.SecretDescription, described error) []Check {
	creds, problem := c.readCredentials(ctx, description, described)
	if problem != "" {
		const first = "not checked; correct the credentials first"
		return []Check{failed(CheckCredentials, "%s", problem), failed(CheckGrant, first), failed(CheckRefreshTokenAge, first)}
	}
	checks := []Check{passed(CheckCredentials, "readable and complete, version %s", creds.Version)}
	state := c.State.AlignedWith(creds)
	for _, set := range creds.Sets() {
		about := &setChecker{c, *state.Of(set.Name), set, creds.CreatedAt, creds.Version, creds.Two()}
		pending, ok := c.Pending.For(set, creds.Version)
		if ok {
			about.set.RefreshToken, about.seen = pending.RefreshToken, pending.SavedAt
		}
		checks = append(checks, about.checkGrant(ok), about.checkAge())
		c.sets = append(c.sets, about)
	}
	if creds.Two() {
		checks = append(checks, checkSameEnd(c.sets[0], c.sets[1])...)
	}
	c.logins = c.loginsOf(creds)
	return checks
}

// setChecker checks one credential set.
type setChecker struct {
	*connectionChecker
	state rotator.SetState
	set   rotator.CredentialSet
	// seen is the earliest time at which a document with this refresh token is
	// known to have existed, or zero.
	seen    time.Time
	version string
	two     bool
}

// named puts the set's name before the message where there are two.
func (c *setChecker) named(check Check) Check {
	if c.two {
		check.Message = string(c.set.Name) + ": " + check.Message
	}
	return check
}

// readCredentials returns the credentials, or what is wrong and what to do.
func (c *connectionChecker) readCredentials(ctx context.Context, description rotator.SecretDescription, described error) (creds rotator.Credentials, problem string) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	version, err := c.Credentials.Read(ctx, c.Name)
	if err == nil {
		creds, err = rotator.ParseCredentials(version)
	}
	if broken := creds.Broken(); err == nil && broken != nil {
		err = broken
	}
	name := c.Secrets.SecretName(c.Name, rotator.SecretCredentials)
	switch message := messageOf(err); {
	case err == nil:
		return creds, ""
	case description.Deleted:
		return creds, deletionScheduled(name)
	case errors.Is(described, rotator.ErrNotFound):
		return creds, noSecret(name)
	case errors.Is(err, rotator.ErrNotFound):
		return creds, "the credentials secret has no value yet; write one: " + putCredentials(name)
	case message != "":
		return creds, message + ": " + putCredentials(name)
	}
	return creds, "the credentials secret could not be read: " +
		whySecretFailed(err, name, "secretsmanager:GetSecretValue", keyPermission(description, described, "kms:Decrypt")) + enableKey(description, err)
}

// checkGrant reports which grant type the next refresh would use, and whether the
// token endpoint has already rejected these credentials.
func (c *setChecker) checkGrant(pending bool) Check {
	put := putCredentials(c.Secrets.SecretName(c.Name, rotator.SecretCredentials))
	if c.set.Err != nil {
		return c.named(failed(CheckGrant, "%s: %s", c.set.Err.Message, put))
	}
	if code := c.state.Error; code.WaitsForNewCredentials() && c.state.Version == c.version && !pending {
		return c.named(failed(CheckGrant, "the token endpoint rejected these credentials at the last try (%s): %s: %s", code, code.Advice(), put))
	}
	grantType := c.set.GrantType()
	which := string(grantType) + " would be used"
	if pending {
		which += ", with the pending refresh token"
	}
	switch {
	case grantType == rotator.GrantTypePassword:
		which += ": one login, then the refresh token that it brings"
	case grantType == rotator.GrantTypeRefreshToken && c.set.CanLogIn():
		which += "; if it is rejected, a login follows"
	}
	return c.named(passed(CheckGrant, "%s", which))
}

// since returns from when the refresh token's age counts.
func (c *setChecker) since() time.Time {
	seen := c.seen
	if seen.IsZero() || seen.After(c.now) {
		seen = c.now
	}
	return c.state.Since(c.set.RefreshToken.Fingerprint(), seen)
}

// end returns when the refresh token expires at Reltio.
func (c *setChecker) end() time.Time { return c.since().Add(rotator.RefreshTokenLife) }

// checkAge reports the refresh token's age.
func (c *setChecker) checkAge() Check {
	if c.set.RefreshToken.Empty() {
		return c.named(passed(CheckRefreshTokenAge, "no refresh token is in use"))
	}
	age, end := c.now.Sub(c.since()), c.end().Format(time.DateOnly)
	days := int(age.Hours() / 24)
	newLogin := "log in again and write the new refresh token, or write username and password so that the rotator logs in itself: " +
		putCredentials(c.Secrets.SecretName(c.Name, rotator.SecretCredentials))
	switch {
	case c.set.CanLogIn():
		return c.named(passed(CheckRefreshTokenAge, "%d days; when it expires, a login replaces it", days))
	case age >= rotator.RefreshTokenLife:
		return c.named(failed(CheckRefreshTokenAge, "%d days, and a Reltio refresh token is valid for 28; %s", days, newLogin))
	case age >= refreshTokenNotice:
		return c.named(failed(CheckRefreshTokenAge, "%d days, it expires on %s; %s", days, end, newLogin))
	}
	return c.named(passed(CheckRefreshTokenAge, "%d days, it expires on %s", days, end))
}
