package doctor

import (
	"time"
)

const (
	// leastLifetime is the shortest life of an access token with which the token
	// secret never gets more versions than Secrets Manager allows.
	leastLifetime = 30 * time.Minute
	// keptVersions is about how many versions of a secret Secrets Manager keeps. It
	// deletes none that is younger than 24 hours, and rejects further ones.
	keptVersions = 100
)

// checkTokenLifetime reports how many versions the token secret gets with tokens that
// live as long as the published one.
func (c *connectionChecker) checkTokenLifetime() Check {
	lifetime, versions := c.Lifetime(c.Settings.Heartbeat)
	switch {
	case lifetime == 0:
		return passed(CheckTokenLifetime, "not known until a new token is published")
	case lifetime < leastLifetime:
		return failed(CheckTokenLifetime, "access tokens live %v, so the token secret gets %d versions in 24 hours, and Secrets Manager keeps about %d and deletes none in that time; "+
			"ask Reltio for access tokens that live 30 minutes or longer", lifetime, versions, keptVersions)
	}
	return passed(CheckTokenLifetime, "access tokens live %v, so the token secret gets %d versions in 24 hours", lifetime, versions)
}
