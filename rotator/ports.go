package rotator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// Kind is the last part of a parameter's name.
type Kind string

// The parameters of a connection.
const (
	KindConfig  Kind = "config"
	KindState   Kind = "state"
	KindLease   Kind = "lease"
	KindPending Kind = "pending"
	KindCheck   Kind = "check" // only the doctor writes it; no listing shows it
)

// Parameter is one parameter of a connection as the listing shows it.
type Parameter struct {
	Connection string
	Kind       Kind
	// Value is boxed because a pending refresh token holds a refresh token.
	Value secret.Value
	// Version counts the parameter's writes, from 1. Zero: it does not exist.
	Version int64
}

// Priority orders the writes that wait for the account's shared write rate:
// lower goes first. Records have PriorityRecord; leases their rank by urgency,
// from 1.
type Priority int

// The priorities that are no rank.
const (
	// PriorityRecord goes before every lease: a record ends a lease, and what is
	// uncertain.
	PriorityRecord Priority = 0
	// PrioritySame is that of a record that says nothing new, PriorityCheck that
	// of the doctor's writes; both come after every other write.
	PrioritySame  Priority = math.MaxInt - 1
	PriorityCheck Priority = math.MaxInt
)

// What a store answers when there is nothing to answer with; match with
// errors.Is. Every other error of a store prints as its operation and the
// service's error code and nothing else, so that it can be shown.
var (
	// ErrNotFound: no such secret or parameter version, or no value in it yet.
	ErrNotFound = errors.New("not found")
	// ErrMoved: a compare-and-set found another version than it expected.
	ErrMoved = errors.New("moved on")
	// ErrDenied: a policy does not allow the call.
	ErrDenied = errors.New("denied")
	// ErrKey: the KMS key could not be used.
	ErrKey = errors.New("key failed")
)

// LabelledVersionError is a write that Parameter Store rejected because an operator
// has put a label on a version of the parameter: AWS deletes no version that has a
// label, and stores no more than 100. It prints as every other error of a store.
type LabelledVersionError struct {
	// Parameter is the parameter's name.
	Parameter string
	// Version and Labels are those of the oldest version that has labels. They are
	// zero if the function may not see them (ssm:GetParameterHistory).
	Version int64
	Labels  []string
	Cause   error
}

// Error gives the operation and the service's error code.
func (e *LabelledVersionError) Error() string { return e.Cause.Error() }

// Unwrap gives the cause.
func (e *LabelledVersionError) Unwrap() error { return e.Cause }

// Remedy says what to do, with the command.
func (e *LabelledVersionError) Remedy() string {
	if len(e.Labels) == 0 {
		return fmt.Sprintf("a version of %s has a label, so that AWS stores no further version; find it with aws ssm get-parameter-history --name %s --query 'Parameters[?Labels].[Version,Labels]' "+
			"and remove the label: aws ssm unlabel-parameter-version --name %s --parameter-version VERSION --labels LABEL", e.Parameter, e.Parameter, e.Parameter)
	}
	return fmt.Sprintf("version %d of %s has the label %s, so that AWS stores no further version; remove the label: aws ssm unlabel-parameter-version --name %s --parameter-version %d --labels %s",
		e.Version, e.Parameter, strings.Join(e.Labels, ", "), e.Parameter, e.Version, strings.Join(e.Labels, " "))
}

// Lister shows everything a heartbeat needs.
type Lister interface {
	// List returns every connection's parameters of the known kinds, decrypted,
	// in no particular order.
	List(ctx context.Context) ([]Parameter, error)
}

// ParameterWriter writes leases and records.
type ParameterWriter interface {
	// WaitToWrite returns when the caller's turn to write one parameter has
	// come, or with ctx's error.
	WaitToWrite(ctx context.Context, priority Priority) error
	// Put writes a String parameter and returns its new version. An error does
	// not mean that nothing was written.
	Put(ctx context.Context, connection string, kind Kind, value string) (version int64, err error)
	// At returns the value that the parameter had at a version, or ErrNotFound.
	At(ctx context.Context, connection string, kind Kind, version int64) (string, error)
}

// CredentialsReader reads credentials secrets.
type CredentialsReader interface {
	// ReadVersion returns the version with this id, or ErrNotFound when there is
	// none.
	ReadVersion(ctx context.Context, connection, versionID string) (SecretVersion, error)
	// Read returns the current version of the connection's credentials secret.
	// ErrNotFound: no such secret, or no value in it yet. A binary value comes
	// back as an *Error with CredentialsUnread.
	Read(ctx context.Context, connection string) (SecretVersion, error)
}

// CredentialsSaver saves a changed refresh token. Version ids are the caller's
// choice, so that a repeated write is the same write and its own version can be
// recognised when the answer was lost.
type CredentialsSaver interface {
	// Save writes document as the secret's new current version.
	Save(ctx context.Context, connection, versionID string, document secret.Value) error
	// Labels returns which versions are current and previous.
	Labels(ctx context.Context, connection string) (VersionLabels, error)
	// RestorePrevious makes version "to" current again if "from" still is; ErrMoved
	// when it is not.
	RestorePrevious(ctx context.Context, connection, from, to string) error
}

// PendingStore stores refresh tokens that Secrets Manager would not take.
type PendingStore interface {
	// PutPending writes the SecureString parameter.
	PutPending(ctx context.Context, connection string, document secret.Value) error
	// DeletePending removes it; one that does not exist is no error.
	DeletePending(ctx context.Context, connection string) error
}

// TokenPublisher writes token secrets.
type TokenPublisher interface {
	// Publish makes document the token secret's current version.
	Publish(ctx context.Context, connection, versionID string, document secret.Value) error
}

// SecretVersion is one version of a secret.
type SecretVersion struct {
	ID        string
	Document  secret.Value
	CreatedAt time.Time
}

// VersionLabels are the secret versions that bear the two labels of interest.
type VersionLabels struct{ Current, Previous string }

// SecretKind is the last part of a secret's name.
type SecretKind string

// The secrets of a connection.
const (
	SecretCredentials SecretKind = "credentials"
	SecretToken       SecretKind = "token"
)

// SecretDescription is what a secret shows without its value. It stands here and
// not in package doctor, which alone needs it, because a store imports this
// package and no other.
type SecretDescription struct {
	// Labels are those of each version that has any.
	Labels map[string][]string
	// Current is the version that is current, empty when there is no value yet.
	Current string
	// Key is the customer's KMS key, empty for the AWS managed one.
	Key string
	// Deleted says that the secret's deletion is scheduled.
	Deleted bool
}

// TokenRequest is one token request.
type TokenRequest struct {
	TokenURL     string
	GrantType    GrantType
	ClientID     string
	ClientSecret secret.Value
	RefreshToken secret.Value // GrantTypeRefreshToken
	Username     secret.Value // GrantTypePassword
	Password     secret.Value // GrantTypePassword
	Scope        string       // sent when not empty
	// Once says that the request is not repeated, whatever answers it.
	Once bool
}

// TokenResponse is what the token endpoint answered. Unless an error comes with
// it, it holds an access token. Whether that token may be published is the
// caller's decision: the published token may come back with no lifetime left.
type TokenResponse struct {
	AccessToken secret.Value
	TokenType   string
	Scope       string
	// ExpiresIn is the remaining lifetime as the server named it, however long;
	// zero if it named none or one that cannot be used.
	ExpiresIn time.Duration
	// RefreshToken is empty if the response had none: the old one stays valid. It
	// may also come beside an error, from a response that is unusable otherwise:
	// the server has executed the request, and this refresh token is to be saved.
	RefreshToken secret.Value
	// SentAt is the instant just before the last request was sent, also beside an
	// error.
	SentAt time.Time
	// Throttled counts the 429 responses on the way, also beside an error.
	Throttled int
	// Durations has one value for each token request that may have been sent,
	// repeats included and also beside an error: how long it took until its
	// response was complete or had failed.
	Durations []time.Duration
}

// TokenEndpoint sends token requests.
type TokenEndpoint interface {
	// RequestToken sends the request and repeats it only where the server
	// certainly did not execute it. No request, a repeat included, starts with
	// less than 20 s left before ctx's deadline: that is how long a response may
	// take. Its errors are *Error, and Error.TokenEnded reports whether the
	// published token may have ended. Beside an error, of the TokenResponse only
	// RefreshToken, SentAt, Throttled and Durations may be set.
	RequestToken(ctx context.Context, request TokenRequest) (TokenResponse, error)
}

// MetricsWriter takes what a run measured.
type MetricsWriter interface {
	Write(now time.Time, m Metrics) error
}
