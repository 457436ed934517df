package doctor

import (
	"time"

	"reltio-token-rotator/rotator"
)

// This file has the checks that compare the two credential sets of a connection.

// leastBetweenEnds is the least time between the expiries of two refresh tokens: one
// set serves while an operator logs in again for the other.
const leastBetweenEnds = 7 * 24 * time.Hour

// checkSameEnd fails if two sets that cannot log in have refresh tokens that expire
// at about the same time. The connection would lose both sets together.
func checkSameEnd(primary, alternate *setChecker) []Check {
	for _, c := range []*setChecker{primary, alternate} {
		if c.set.Err != nil || c.set.CanLogIn() || c.set.RefreshToken.Empty() {
			return nil
		}
	}
	if primary.end().Sub(alternate.end()).Abs() >= leastBetweenEnds {
		return nil
	}
	return []Check{failed(CheckRefreshTokenAge, "primary and alternate: the refresh tokens expire within seven days of each other (%s and %s), and then neither credential set can obtain tokens; "+
		"log in again for one set two weeks before the other: %s",
		primary.end().Format(time.DateOnly), alternate.end().Format(time.DateOnly), putCredentials(primary.Secrets.SecretName(primary.Name, rotator.SecretCredentials)))}
}

// checkEqualLives fails if the tokens of two sets do not live equally long.
func (c *connectionChecker) checkEqualLives() []Check {
	if len(c.sets) < 2 {
		return nil
	}
	primary, alternate := c.sets[0].tokenLife(), c.sets[1].tokenLife()
	if primary == 0 || alternate == 0 || (primary-alternate).Abs() <= 2*c.Settings.Heartbeat {
		return nil
	}
	return []Check{failed(CheckTokenLifetime, "the last access tokens of the two credential sets live %v (primary) and %v (alternate), so jobs can rely on the shorter life only; "+
		"ask Reltio for the same access token lifetime for both clients", primary, alternate)}
}

// tokenLife is the life of the set's last published token, or 0 if it is not known.
func (c *setChecker) tokenLife() time.Duration {
	if c.state.TokenIssuedAt.IsZero() || c.state.TokenExpiresAt.IsZero() {
		return 0
	}
	return max(c.state.TokenExpiresAt.Sub(c.state.TokenIssuedAt), 0)
}
