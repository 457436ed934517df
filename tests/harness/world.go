// Package world is the rotator with everything around it in one process: the
// real story, stores and token endpoint client, over the fakes of AWS and
// Reltio. Inside a testing/synctest bubble days pass in it in milliseconds.
package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	"reltio-token-rotator/rotator/emf"
	"reltio-token-rotator/rotator/reltio"
	"reltio-token-rotator/tests/fake"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// The names that every world has.
const (
	Stack    = "test"
	Prefix   = "reltio-token-rotator/" + Stack
	TokenURL = "https://auth.reltio.com/oauth/token"
	// Timeout is the function's, as the template sets it.
	Timeout = 120 * time.Second
)

// World is one stack and what it talks to.
type Harness struct {
	AWS    *fakeaws.Server
	Reltio *fakereltio.Server
	// Settings may be changed before the first heartbeat.
	Settings rotator.Settings
	// Network is what the doctor meets on the way to the token host.
	Network Network

	hosts map[string]http.Handler
	out   *output
	runs  atomic.Int64
}

// New returns a world whose stack has no connection yet.
func New(t testing.TB, awsOptions fakeaws.Options, reltioOptions fakereltio.Options) *Harness {
	w := &Harness{
		AWS:    fakeaws.New(awsOptions),
		Reltio: fakereltio.New(reltioOptions),
		Settings: rotator.Settings{
			TokenURL: TokenURL, TokenHosts: []string{"reltio.com"},
			RefreshBefore: 10 * time.Minute, Heartbeat: time.Minute,
		},
		out: &output{},
	}
	t.Cleanup(w.Reltio.Close)
	w.hosts = map[string]http.Handler{
		"auth.reltio.com":                        w.Reltio,
		"secretsmanager.us-east-1.amazonaws.com": w.AWS,
		"ssm.us-east-1.amazonaws.com":            w.AWS,
	}
	return w
}

// Host puts a server of the test's own behind a host name, in the place of the
// one that is there. Call it before the first heartbeat.
func (w *Harness) Host(name string, handler http.Handler) { w.hosts[name] = handler }

// Add makes a connection as the template does, with nothing in its secrets.
func (w *Harness) Add(name string) { AddTo(w.AWS, name) }

// AddTo is Add where the function is not in this process.
func AddTo(server *fakeaws.Server, name string) {
	for _, kind := range []string{"config", "state", "lease"} {
		server.PutParameter(ParameterName(name, kind), "{}")
	}
	server.CreateSecret(SecretName(name, "credentials"))
	server.CreateSecret(SecretName(name, "token"))
}

// Environment is that of the real function between fakes on loopback.
func Environment(awsURL, reltioURL string) []string {
	return []string{
		"PREFIX=" + Prefix, "TOKEN_URL=" + reltioURL + "/oauth/token", "TOKEN_HOSTS=127.0.0.1",
		"REFRESH_BEFORE=10m", "HEARTBEAT=1m", "TOKEN_REQUESTS_PER_SECOND=5", "AWS_ENDPOINT_URL=" + awsURL,
	}
}

// Seed adds a connection and puts credentials with a fresh login's refresh
// token into its secret.
func (w *Harness) Seed(name string) {
	w.Add(name)
	_, refreshToken := w.Reltio.Login()
	w.PutCredentials(name, map[string]string{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken})
}

// PutCredentials writes the credentials secret as a person would.
func (w *Harness) PutCredentials(name string, fields map[string]string) (versionID string) {
	document, _ := json.Marshal(fields)
	return w.AWS.PutSecret(SecretName(name, "credentials"), string(document))
}

// Process returns a rotator as one Lambda process has it.
func (w *Harness) Process() *rotator.Rotator {
	transport := fake.Transport(w.hosts)
	store := w.store(transport)
	return &rotator.Rotator{
		Settings: w.Settings, Version: "test",
		Lister: store, Parameters: store, Credentials: store, Saver: store, Pending: store, Tokens: store,
		Endpoint: reltio.New(reltio.Config{RequestsPerSecond: 5, Transport: transport}),
		Metrics:  emf.New(w.out, Stack),
		Log:      slog.New(slog.NewJSONHandler(w.out, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func (w *Harness) store(transport http.RoundTripper) *awsstore.Store {
	return awsstore.New(aws.Config{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:  &http.Client{Transport: transport, Timeout: 5 * time.Second},
	}, Prefix)
}

// Invoke runs one event in a process of its own, under the function's timeout.
func (w *Harness) Invoke(ctx context.Context, event rotator.Event) (rotator.Report, error) {
	id := fmt.Sprintf("request-%d", w.runs.Add(1))
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	return w.Process().Run(ctx, id, event)
}

// Heartbeat is what the schedule does every minute.
func (w *Harness) Heartbeat(t testing.TB) (rotator.Report, error) {
	return w.Invoke(t.Context(), rotator.Event{})
}

// Token is what a job reads from the token secret.
type Token struct {
	AccessToken string    `json:"access_token"`
	TokenType   string    `json:"token_type"`
	Scope       string    `json:"scope"`
	ExpiresIn   int64     `json:"expires_in"`
	IssuedAt    time.Time `json:"issued_at"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// Token reads the token secret; false while nothing was published.
func (w *Harness) Token(name string) (Token, bool) {
	document, ok := w.AWS.Secret(SecretName(name, "token"))
	var token Token
	return token, ok && json.Unmarshal([]byte(document), &token) == nil
}

// Alive reports whether a job that reads the secret now can work.
func (w *Harness) Alive(name string) bool {
	token, ok := w.Token(name)
	return ok && w.Reltio.Alive(token.AccessToken)
}

// State reads the state parameter.
func (w *Harness) State(name string) rotator.State {
	document, _, _ := w.AWS.Parameter(ParameterName(name, "state"))
	var state rotator.State
	_ = json.Unmarshal([]byte(document), &state)
	return state
}

// Output is everything that was printed: logs and metrics.
func (w *Harness) Output() string { return w.out.String() }

// Discard stops keeping what is printed, for long simulations.
func (w *Harness) Discard() { w.out.discard() }

// SecretName is the name of a connection's secret.
func SecretName(connection, kind string) string { return Prefix + "/" + connection + "/" + kind }

// ParameterName is the name of a connection's parameter.
func ParameterName(connection, kind string) string {
	return "/" + Prefix + "/" + connection + "/" + kind
}

type output struct {
	mu   sync.Mutex
	sink io.Writer
	kept bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sink != nil {
		return o.sink.Write(p)
	}
	return o.kept.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept.String()
}

func (o *output) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sink = io.Discard
}
