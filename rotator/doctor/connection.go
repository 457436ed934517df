package doctor

import (
	"context"
	"slices"
	"sync"
	"time"

	"reltio-token-rotator/rotator"
)

// connectionChecker checks one connection.
type connectionChecker struct {
	*Doctor
	rotator.Connection
	now time.Time
	// writes says that the connection is in the sample to which the doctor writes.
	writes bool
	// sets and logins are those of the credentials, and empty until they are read.
	sets   []*setChecker
	logins []login
}

// check makes all checks but that of the token host. The context cleanup ends
// later than ctx and is for deleting what was written.
func (c *connectionChecker) check(ctx, cleanup context.Context) []Check {
	config := c.checkConfig()
	if !rotator.IsConnectionName(c.Name) {
		return []Check{config} // no other parameter or secret can have this name
	}
	var (
		credentials, token, parameters []Check
		running                        sync.WaitGroup
	)
	running.Go(func() {
		credentials = safely(CheckCredentials, func() []Check {
			description, err := c.describe(ctx, rotator.SecretCredentials)
			return append(c.checkCredentials(ctx, description, err), c.checkSecretWrite(ctx, cleanup, rotator.SecretCredentials, description, err))
		})
	})
	running.Go(func() {
		token = safely(CheckTokenWrite, func() []Check {
			description, err := c.describe(ctx, rotator.SecretToken)
			return []Check{c.checkSecretWrite(ctx, cleanup, rotator.SecretToken, description, err)}
		})
	})
	running.Go(func() {
		parameters = safely(CheckParameters, func() []Check { return []Check{c.checkParameterWrite(ctx, cleanup)} })
	})
	running.Wait()
	return slices.Concat([]Check{config}, credentials, token, parameters, []Check{c.checkTokenLifetime()}, c.checkEqualLives())
}

func (c *connectionChecker) checkConfig() Check {
	switch {
	case c.ConfigError != nil && !rotator.IsConnectionName(c.Name):
		return failed(CheckConfig, "%s", messageOf(c.ConfigError))
	case c.ConfigError != nil:
		return failed(CheckConfig, "%s; write the config again, with all fields that it should have: %s", messageOf(c.ConfigError), putConfig(c.Parameters.ParameterName(c.Name, rotator.KindConfig)))
	case !c.Config.Enabled:
		return passed(CheckConfig, "valid; the connection is disabled and is not refreshed until enabled is true")
	}
	return passed(CheckConfig, "valid")
}

func (c *connectionChecker) describe(ctx context.Context, kind rotator.SecretKind) (rotator.SecretDescription, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.Secrets.Describe(ctx, c.Name, kind)
}
