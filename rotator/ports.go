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
	// Value is a secret.Value because a pending parameter holds refresh tokens.
	Value secret.Value
	// Version counts the parameter's writes, from 1. It is 0 if the parameter does not
	// exist.
	Version int64
}

// Priority orders the writes that wait for the account's shared write rate. The
// lowest goes first. Records have PriorityRecord. Leases have their attempt's rank,
// counted from 1.
type Priority int

// The priorities that are not ranks.
const (
	// PriorityRecord goes before every lease, because a record ends a lease.
	PriorityRecord Priority = 0
	// PrioritySame is for a record that changes nothing, and PriorityCheck for the
	// doctor's writes. Both come after every other write.
	PrioritySame  Priority = math.MaxInt - 1
	PriorityCheck Priority = math.MaxInt
)

// The errors of a store that callers distinguish, with errors.Is. Every other
// error prints only its operation and the service's error code, so that it can be
// shown.
var (
	// ErrNotFound means that the secret or the parameter version does not exist, or
	// that it has no value yet.
	ErrNotFound = errors.New("not found")
	// ErrMoved means that the current version is not the one that the call expected.
	ErrMoved = errors.New("moved on")
	// ErrDenied means that a policy does not allow the call.
	ErrDenied = errors.New("denied")
	// ErrKey means that the KMS key could not be used.
	ErrKey = errors.New("key failed")
)

// LabelledVersionError is a write that Parameter Store rejected because an operator
// has put a label on a version of the parameter. AWS deletes no version that has a
// label, and stores no more than 100 versions. It prints as every other error of a
// store.
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

// Lister lists the parameters of all connections.
type Lister interface {
	// List returns every connection's parameters of the known kinds, decrypted,
	// in no particular order.
	List(ctx context.Context) ([]Parameter, error)
}

// ParameterWriter writes leases and records.
type ParameterWriter interface {
	// WaitToWrite returns nil when the caller may write one parameter, or ctx's
	// error.
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
	// ErrNotFound means that there is no such secret, or no value in it yet. For a
	// binary value the error is an *Error with CredentialsUnread.
	Read(ctx context.Context, connection string) (SecretVersion, error)
}

// CredentialsSaver saves a changed refresh token. The caller chooses the version
// ids, so that a repeated write is the same write, and so that the caller
// recognizes its version after an answer was lost.
type CredentialsSaver interface {
	// Save writes document as the secret's new current version.
	Save(ctx context.Context, connection, versionID string, document secret.Value) error
	// Labels returns which versions are current and previous.
	Labels(ctx context.Context, connection string) (VersionLabels, error)
	// RestorePrevious makes version "to" current again if "from" is still current.
	// If it is not, the error is ErrMoved.
	RestorePrevious(ctx context.Context, connection, from, to string) error
}

// PendingStore stores refresh tokens that Secrets Manager did not accept.
type PendingStore interface {
	// PutPending writes the SecureString parameter.
	PutPending(ctx context.Context, connection string, document secret.Value) error
	// DeletePending deletes it. It is no error when it does not exist.
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

// VersionLabels are the ids of the current and of the previous version.
type VersionLabels struct{ Current, Previous string }

// SecretKind is the last part of a secret's name.
type SecretKind string

// The secrets of a connection.
const (
	SecretCredentials SecretKind = "credentials"
	SecretToken       SecretKind = "token"
)

// SecretDescription is what is known about a secret without its value. Only package
// doctor uses it. It is declared here because a store may import only this package.
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
	// Once says that the request is not repeated, whatever the response is.
	Once bool
}

// TokenResponse is the token endpoint's response. Unless there is an error, it
// holds an access token. The caller decides whether to publish it: the response may
// be the published token, with no lifetime left.
type TokenResponse struct {
	AccessToken secret.Value
	TokenType   string
	Scope       string
	// ExpiresIn is the remaining lifetime in the response, however long. It is 0 if the
	// response has none that can be used.
	ExpiresIn time.Duration
	// RefreshToken is empty if the response has none. Then the old one stays valid. It
	// can be set with an error too: the server executed the request, but the response
	// is otherwise unusable. Such a refresh token must be saved.
	RefreshToken secret.Value
	// SentAt is the instant just before the last request was sent. It is set with an
	// error too.
	SentAt time.Time
	// Throttled counts the 429 responses. It is set with an error too.
	Throttled int
	// Durations has one value for each token request that may have been sent,
	// including repeats: how long it took until its response was complete or had
	// failed. It is set with an error too.
	Durations []time.Duration
}

// TokenEndpoint sends token requests.
type TokenEndpoint interface {
	// RequestToken sends the request. It repeats it only if the server certainly did
	// not execute it. No request or repeat starts with less than 20 s left before ctx's
	// deadline, because a response may take that long. Its errors are *Error, and
	// Error.TokenEnded reports whether the published token may have ended. With an
	// error, only RefreshToken, SentAt, Throttled and Durations of the TokenResponse may
	// be set.
	RequestToken(ctx context.Context, request TokenRequest) (TokenResponse, error)
}

// MetricsWriter writes the metrics of a run.
type MetricsWriter interface {
	Write(now time.Time, m Metrics) error
}

// Metrics are the measurements of one run. A zero is written too, so that an alarm can
// distinguish zero from unknown.
type Metrics struct {
	// Heartbeats is 1 for a run that listed the connections, else 0. A run that
	// cannot list refreshes nothing, as if it had not run.
	Heartbeats int
	// RefreshOverdue counts connections whose token was not replaced in time. The
	// method overdue defines it.
	RefreshOverdue int
	// ActionRequired counts connections whose error needs action.
	ActionRequired int
	// NoCredentials counts connections that have no credentials yet.
	NoCredentials int
	// Refreshes counts new tokens published.
	Refreshes int
	// Failures counts attempts that failed.
	Failures int
	// Throttles counts the 429 responses of token endpoints.
	Throttles int
	// TokenSecondsRemaining has one value, in seconds, for each connection that
	// ever had a token. It is negative after the token has expired.
	TokenSecondsRemaining []float64
	// RefreshTokenAgeDays has one value, in days, for each credential set that has a
	// refresh token and cannot log in.
	RefreshTokenAgeDays []float64
	// GrantMilliseconds has one value, in milliseconds, for each token request that
	// may have been sent.
	GrantMilliseconds []float64
	// ListingFailed says that RefreshOverdue, ActionRequired and NoCredentials are not known.
	ListingFailed bool
}
