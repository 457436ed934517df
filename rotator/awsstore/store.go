// Package awsstore stores connections in AWS: secrets in Secrets Manager, and
// configs, states, leases and pending refresh tokens in Parameter Store.
//
// A Store belongs to one stack. Its methods may be called concurrently. It repeats no
// write beyond the SDK's attempts at one call. A write that failed may have happened
// all the same.
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

// Between two heartbeats Lambda freezes the process, and its network connections may
// break unnoticed. So one attempt of a call is short enough for another to follow. A
// connection that was idle for a third of a heartbeat is not used again. net/http
// measures this by the wall clock, which continues while the process is frozen.
const (
	attemptTimeout = 5 * time.Second
	idleTimeout    = 20 * time.Second
)

// concurrentReads is how many credentials are read at the same time. Each read has
// a network connection and buffers of its own, and a thousand of them need more
// memory than the function has.
const concurrentReads = 32

// Store is everything that the rotator stores in AWS.
type Store struct {
	prefix string
	// The clients are created at first use: a heartbeat with nothing to do lists
	// parameters and needs no Secrets Manager client.
	parameters func() *ssm.Client
	secrets    func() *secretsmanager.Client
	writes     *writeLimiter
	reads      chan struct{} // holds one value for each read in progress
}

var (
	_ rotator.Lister            = (*Store)(nil)
	_ rotator.ParameterWriter   = (*Store)(nil)
	_ rotator.CredentialsReader = (*Store)(nil)
	_ rotator.CredentialsSaver  = (*Store)(nil)
	_ rotator.PendingStore      = (*Store)(nil)
	_ rotator.TokenPublisher    = (*Store)(nil)
)

// New returns the store of the stack whose names begin with prefix, such as
// "reltio-token-rotator/STACK", without a slash before or after. It makes no call.
// An HTTP client in cfg is used as it is, unless it is the SDK's own without a
// timeout, as config.LoadDefaultConfig returns it.
func New(cfg aws.Config, prefix string) *Store {
	cfg.HTTPClient = withTimeouts(cfg.HTTPClient)
	// The SDK would log responses that it cannot read to standard error, with their
	// text. The text stays in the returned error.
	cfg.Logger = logging.Nop{}
	return &Store{
		prefix:     prefix,
		parameters: sync.OnceValue(func() *ssm.Client { return ssm.NewFromConfig(cfg) }),
		secrets: sync.OnceValue(func() *secretsmanager.Client {
			return secretsmanager.NewFromConfig(cfg)
		}),
		writes: newWriteLimiter(writeSpacing),
		reads:  make(chan struct{}, concurrentReads),
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

// The following names must not change, because policies, the stack and operators'
// scripts use them.

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

// parseParameterName splits a parameter's name. ok is false for a name of another kind
// or with another number of parts.
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
