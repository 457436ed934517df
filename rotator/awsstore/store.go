// Package awsstore keeps connections in AWS: secrets in Secrets Manager;
// configs, states, leases and pending refresh tokens in Parameter Store.
//
// A Store belongs to one stack and may be used by many goroutines. It decides
// nothing: it repeats no write of its own accord beyond the SDK's attempts at
// one call, and a write that failed may have happened all the same.
//
// No error that it returns prints a value, a message or a URL; see CallError.
package awsstore

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go/logging"

	"reltio-token-rotator/rotator"
)

// Between two heartbeats the process is frozen, and the connections it holds
// may be dead when it thaws, without a sign of it. So one attempt of a call is
// short enough for another to follow, and a connection that has idled for most
// of a heartbeat is not used again: net/http measures that by the wall clock,
// which goes on during a freeze.
const (
	attemptTimeout = 5 * time.Second
	idleTimeout    = 20 * time.Second
)

// Parameter Store takes 3 writes a second for the whole account and region by
// default (AWS General Reference, Systems Manager quotas). Staying just under
// it leaves a little to others.
const writeSpacing = time.Second * 10 / 29

// mostReads is how many credentials are read at the same time. Where many
// connections are due, each read in flight would have a connection and buffers of
// its own, and a thousand of them more memory than the function is given.
const mostReads = 32

// Store is everything that the rotator keeps in AWS.
type Store struct {
	prefix string
	// The clients are made when first needed: a heartbeat with nothing to do
	// lists parameters and should not pay for a Secrets Manager client.
	parameters func() *ssm.Client
	secrets    func() *secretsmanager.Client
	writes     *writeLimiter
	reads      chan struct{} // holds one value for each read under way
}

var (
	_ rotator.Lister            = (*Store)(nil)
	_ rotator.ParameterWriter   = (*Store)(nil)
	_ rotator.CredentialsReader = (*Store)(nil)
	_ rotator.CredentialsSaver  = (*Store)(nil)
	_ rotator.Pending           = (*Store)(nil)
	_ rotator.TokenPublisher    = (*Store)(nil)
)

// New returns the store of the stack whose names begin with prefix, such as
// "reltio-token-rotator/STACK": no slash before or after. It makes no call. An
// HTTP client in cfg is used as it is, unless it is the SDK's own without a
// timeout, which is what config.LoadDefaultConfig leaves there.
func New(cfg aws.Config, prefix string) *Store {
	cfg.HTTPClient = withTimeouts(cfg.HTTPClient)
	// The SDK complains to standard error about answers that it cannot read, and
	// quotes them: what comes out of an answer stays in the returned error.
	cfg.Logger = logging.Nop{}
	return &Store{
		prefix:     prefix,
		parameters: sync.OnceValue(func() *ssm.Client { return ssm.NewFromConfig(cfg) }),
		secrets: sync.OnceValue(func() *secretsmanager.Client {
			return secretsmanager.NewFromConfig(cfg)
		}),
		writes: newWriteLimiter(writeSpacing),
		reads:  make(chan struct{}, mostReads),
	}
}

func withTimeouts(client aws.HTTPClient) aws.HTTPClient {
	if client == nil {
		client = awshttp.NewBuildableClient()
	}
	buildable, ok := client.(*awshttp.BuildableClient)
	if !ok || buildable.GetTimeout() != 0 {
		return client
	}
	return buildable.WithTimeout(attemptTimeout).WithTransportOptions(func(t *http.Transport) {
		t.IdleConnTimeout = idleTimeout
	})
}

// The names are fixed: policies, the stack and people's own scripts use them.

func (s *Store) parameterPath() string { return "/" + s.prefix }

func (s *Store) parameterName(connection string, kind rotator.Kind) string {
	return s.parameterPath() + "/" + connection + "/" + string(kind)
}

func (s *Store) credentialsName(connection string) string {
	return s.prefix + "/" + connection + "/credentials"
}

func (s *Store) tokenName(connection string) string {
	return s.prefix + "/" + connection + "/token"
}

// parseParameterName takes a parameter's name apart. It is not ok with names
// that are not a connection's: other kinds and other depths.
func (s *Store) parseParameterName(name string) (connection string, kind rotator.Kind, ok bool) {
	rest, ok := strings.CutPrefix(name, s.parameterPath()+"/")
	if !ok {
		return "", "", false
	}
	connection, last, ok := strings.Cut(rest, "/")
	if !ok || connection == "" {
		return "", "", false
	}
	switch kind = rotator.Kind(last); kind {
	case rotator.KindConfig, rotator.KindState, rotator.KindLease, rotator.KindPending:
		return connection, kind, true
	}
	return "", "", false
}
