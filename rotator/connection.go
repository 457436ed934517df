package rotator

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Connection is one access token that is kept fresh for jobs, as one listing shows
// it.
type Connection struct {
	Name string
	// Config is valid when ConfigError is nil.
	Config      Config
	ConfigError error
	State       State
	Lease       Lease
	// LeaseVersion is the lease parameter's version, 0 when there is none.
	LeaseVersion int64
	// Pending is nil unless a refresh token waits to be saved.
	Pending PendingTokens
}

// Connections returns the connections in a listing, sorted by name. A connection
// exists if its config parameter exists.
func Connections(listing []Parameter, settings Settings, now time.Time) []Connection {
	byName := map[string]*Connection{}
	for _, p := range listing {
		if p.Kind == KindConfig {
			c := &Connection{Name: p.Connection}
			c.Config, c.ConfigError = parseConfig(p.Value.Reveal(), settings)
			if !IsConnectionName(p.Connection) {
				c.ConfigError = &Error{Code: ConfigInvalid, Message: fmt.Sprintf("the connection's name %q is not allowed; use 1 to 32 lower-case letters, digits and hyphens, beginning with a letter or digit", p.Connection)}
			}
			byName[p.Connection] = c
		}
	}
	for _, p := range listing {
		c, exists := byName[p.Connection]
		if !exists {
			continue
		}
		switch p.Kind {
		case KindState:
			c.State = parseState(p.Value.Reveal(), now)
		case KindLease:
			c.Lease, c.LeaseVersion = parseLease(p.Value.Reveal()), p.Version
		case KindPending:
			c.Pending = parsePending(p.Value)
		}
	}
	all := make([]Connection, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, *byName[name])
	}
	return all
}

// standing returns the error that the connection has, or "" if it has none.
func (c Connection) standing() Code {
	if c.State.Error != "" {
		return c.State.Error
	}
	if set := c.failingSet(); set != "" {
		return c.State.Of(set).Error
	}
	return ""
}
