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
	// maxAge is how long a token is used without reading the secret again.
	// Longer, and a token that a refresh has ended is served for longer to those
	// who do not see the 401.
	maxAge = 5 * time.Minute
	// readTimeout bounds one read of the secret, the SDK's retries included.
	readTimeout = 10 * time.Second
)

// SecretsManager reads a secret; *secretsmanager.Client does.
type SecretsManager interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Config is what a Source needs.
type Config struct {
	Secrets SecretsManager
	// SecretID is the token secret's name or ARN, the stack's output
	// TokenSecretName or TokenSecretArn.
	SecretID string
	// Report hands an event to the rotator's function, see the package comment.
	// It may return before the function has ended. Nil reports nothing.
	Report func(ctx context.Context, event []byte) error
	// Log is told what goes wrong behind a 401. Nil logs nothing.
	Log *slog.Logger
}

// Source gives the current token. A process needs one; its methods may be
// called from any goroutine.
type Source struct {
	config Config

	mu         sync.Mutex
	cached     Token
	reading    *flight             // the read under way
	renewals   map[string]*renewal // by the refused token's fingerprint
	mutedUntil time.Time           // no report before
}

// New returns a Source that has read nothing yet.
func New(config Config) *Source {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Source{config: config, renewals: map[string]*renewal{}}
}

// Token returns the token to use now, from the cache or from the secret. One
// that has just been read is returned even past its ExpiresAt, as the best that
// there is. The error is Secrets Manager's, wrapped, or says what is wrong with
// the secret's value.
func (s *Source) Token(ctx context.Context) (Token, error) {
	if t, ok := s.cache(); ok {
		return t, nil
	}
	return s.read(ctx)
}

// cache returns the cached token, if it may still be used.
func (s *Source) cache() (Token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cached, time.Now().Before(s.cached.ReadAgain)
}

// read reads the secret, together with everyone who asks meanwhile.
func (s *Source) read(ctx context.Context) (Token, error) {
	s.mu.Lock()
	f := s.reading
	if f == nil {
		f = newFlight()
		s.reading = f
		// Not the first caller's context: the others would fail with it.
		go s.fly(context.WithoutCancel(ctx), f)
	}
	s.mu.Unlock()
	return f.wait(ctx)
}

// fly is the one read that all wait for.
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
	// PREFIX/NAME/token, whether it was asked for by name or by ARN.
	token.connection = path.Base(path.Dir(aws.ToString(secret.Name)))
	return token, nil
}

// flight is work that many wait for.
type flight struct {
	done  chan struct{}
	token Token
	err   error
}

func newFlight() *flight { return &flight{done: make(chan struct{})} }

func (f *flight) land(token Token, err error) {
	f.token, f.err = token, err
	close(f.done)
}

func (f *flight) wait(ctx context.Context) (Token, error) {
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return Token{}, context.Cause(ctx)
	}
}
