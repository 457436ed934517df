package reader

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const (
	// maxAge is how long a token is used before the secret is read again. A caller
	// that does not see the 401 may use a token for this long after a refresh has
	// ended it.
	maxAge = 5 * time.Minute
	// readInterval is the time between reads past ValidUntil, and after a read that
	// failed.
	readInterval = 10 * time.Second
	// readTimeout limits one read of the secret, including the SDK's retries.
	readTimeout = 10 * time.Second
)

// SecretsManager reads a secret. *secretsmanager.Client implements it.
type SecretsManager interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Config is what a Source needs.
type Config struct {
	Secrets SecretsManager
	// SecretID is the token secret's name or ARN, the stack's output
	// TokenSecretName or TokenSecretArn.
	SecretID string
	// Report sends an event to the rotator's function; see the package comment. It
	// may return before the function has ended. If nil, nothing is reported.
	Report func(ctx context.Context, event []byte) error
	// Log gets what goes wrong after a 401. If nil, nothing is logged.
	Log *slog.Logger
}

// Source gives the current token. A process needs one. Its methods may be called
// concurrently.
type Source struct {
	config Config

	mu             sync.Mutex
	cached         Token
	rejected       string              // the fingerprint of the last token that got a 401
	reading        *flight             // the read in progress
	renewals       map[string]*renewal // by the rejected token's fingerprint
	noReportBefore time.Time
}

// New returns a Source that has read nothing yet.
func New(config Config) *Source {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Source{config: config, renewals: map[string]*renewal{}}
}

// Token returns the token to use now, from the cache or from the secret. If the
// secret cannot be read, the last token is used until it has expired or was
// rejected. A token that was just read is returned even after its ExpiresAt,
// because there is no better one. The error wraps Secrets Manager's, or says what
// is wrong with the secret's value.
func (s *Source) Token(ctx context.Context) (Token, error) {
	cached, usable := s.cache()
	if usable && time.Now().Before(cached.ReadAgain) {
		return cached, nil
	}
	token, err := s.read(ctx)
	if err == nil || ctx.Err() != nil || !usable || !time.Now().Before(cached.ExpiresAt) {
		return token, err
	}
	s.config.Log.WarnContext(ctx, "the token secret could not be read; the last token is used", "error", err)
	s.readLater()
	return cached, nil
}

// cache returns the cached token, and whether it may be used. A rejected one is not
// used again without a read.
func (s *Source) cache() (Token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cached, s.cached.value != nil && s.cached.Fingerprint() != s.rejected
}

// readLater delays the next read after one that failed.
func (s *Source) readLater() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cached.ReadAgain = earlier(time.Now().Add(readInterval), s.cached.ExpiresAt)
}

// read reads the secret. Callers that come meanwhile share the read.
func (s *Source) read(ctx context.Context) (Token, error) {
	s.mu.Lock()
	f := s.reading
	if f == nil {
		f = newFlight()
		s.reading = f
		// The first caller's context would let the others fail when it ends.
		go s.fly(context.WithoutCancel(ctx), f)
	}
	s.mu.Unlock()
	return f.wait(ctx)
}

// fly is the read that all callers wait for.
func (s *Source) fly(ctx context.Context, f *flight) {
	token, err := s.fetch(ctx)
	s.mu.Lock()
	if err == nil {
		s.cached = token
	}
	s.reading = nil
	s.mu.Unlock()
	f.land(token, err)
}

func (s *Source) fetch(ctx context.Context) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	began := time.Now()
	secret, err := s.config.Secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: aws.String(s.config.SecretID), VersionStage: aws.String("AWSCURRENT"),
	})
	if err != nil {
		return Token{}, fmt.Errorf("read the token secret %q: %w", s.config.SecretID, err)
	}
	token, err := parse(aws.ToString(secret.SecretString), began)
	if err != nil {
		return Token{}, fmt.Errorf("the token secret %q cannot be used: %w", s.config.SecretID, err)
	}
	// It is PREFIX/NAME/token, whether SecretID is a name or an ARN.
	token.connection = path.Base(path.Dir(aws.ToString(secret.Name)))
	return token, nil
}

// flight is one operation that several callers wait for.
type flight struct {
	landed chan struct{}
	token  Token
	err    error
}

func newFlight() *flight { return &flight{landed: make(chan struct{})} }

func (f *flight) land(token Token, err error) {
	f.token, f.err = token, err
	close(f.landed)
}

func (f *flight) wait(ctx context.Context) (Token, error) {
	select {
	case <-f.landed:
		return f.token, f.err
	case <-ctx.Done():
		return Token{}, context.Cause(ctx)
	}
}
