// Package rotator keeps OAuth access tokens fresh: it decides when a token is
// due, requests a new one, and publishes it to the secret that jobs read.
//
// A Rotator runs at each heartbeat. A run lists the parameters of every
// connection, decides with one clock reading which connections are due, and
// refreshes each of them (refresh.go). A run stores nothing in memory for the next.
//
// The package calls AWS and the token endpoint through the interfaces in ports.go.
// Subpackages implement them.
package rotator

import (
	"context"
	"log/slog"
)

// Rotator has what a run needs. Every field but Version must be set.
type Rotator struct {
	Settings    Settings
	Version     string
	Lister      Lister
	Parameters  ParameterWriter
	Credentials CredentialsReader
	Saver       CredentialsSaver
	Pending     PendingStore
	Tokens      TokenPublisher
	Endpoint    TokenEndpoint
	Metrics     MetricsWriter
	Log         *slog.Logger
}

func (r *Rotator) list(ctx context.Context) ([]Parameter, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	return r.Lister.List(ctx)
}
