// Package harness sets up one stack in one process: the real engine, the real
// stores with the AWS SDK and the real token client, over the fakes of AWS and
// Reltio. In a testing/synctest bubble days pass in milliseconds, and a
// simulation repeats exactly: nothing waits for a random time.
//
// A test begins like this:
//
//	synctest.Test(t, func(t *testing.T) {
//		h := harness.New(t, fakeaws.Options{}, fakereltio.Options{})
//		h.Seed("default")
//		report, err := h.Heartbeat(t)
//		...
//	})
//
// It injects faults with h.AWS.Inject and h.Reltio.Script, lets time pass with
// time.Sleep, and looks at Token, Alive, State, Output and what the fakes know.
// A test of the real binary uses [Fakes] with Serve and [Start].
package harness

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	"reltio-token-rotator/rotator/emf"
	"reltio-token-rotator/rotator/reltio"
	"reltio-token-rotator/tests/fake"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// Timeout is the function's, as the template sets it.
const Timeout = 180 * time.Second

// Harness is one stack and what it talks to. Its fields may be changed before
// the first heartbeat.
type Harness struct {
	Fakes
	Settings rotator.Settings
	// Stack is the metrics' dimension.
	Stack string
	// Logs and MetricLines get what the function prints, and Output holds it as
	// long as they are not replaced. Where one is io.Discard, nothing is made for
	// it; see also Discard.
	Logs, MetricLines io.Writer
	// DirectListing makes listings without HTTP and the SDK if no fault changes the
	// answer. See List of the AWS fake.
	DirectListing bool
	// Network is the network between the doctor and the token host.
	Network Network

	hosts map[string]http.Handler
	out   *output
	runs  atomic.Int64
}

// New returns a harness whose stack has no connection yet.
func New(t testing.TB, awsOptions fakeaws.Options, reltioOptions fakereltio.Options) *Harness {
	h := &Harness{
		Fakes: NewFakes(awsOptions, reltioOptions),
		Settings: rotator.Settings{
			TokenURL: TokenURL, TokenHosts: []string{"reltio.com"},
			RefreshBefore: 10 * time.Minute, Heartbeat: time.Minute,
		},
		Stack: Stack, out: &output{},
	}
	h.Logs, h.MetricLines = h.out, h.out
	t.Cleanup(h.Reltio.Close)
	h.hosts = map[string]http.Handler{
		"auth.reltio.com":                        h.Reltio,
		"secretsmanager.us-east-1.amazonaws.com": h.AWS,
		"ssm.us-east-1.amazonaws.com":            h.AWS,
	}
	return h
}

// Host replaces the server of a host name by one of the test's own. Call it before
// the first heartbeat.
func (h *Harness) Host(name string, handler http.Handler) { h.hosts[name] = handler }

// Process returns a rotator as one Lambda process has it.
func (h *Harness) Process() *rotator.Rotator {
	transport := fake.Transport(h.hosts)
	store := h.store(transport)
	r := &rotator.Rotator{
		Settings: h.Settings, Version: "test",
		Lister: store, Parameters: store, Credentials: store, Saver: store, Pending: store, Tokens: store,
		Endpoint: reltio.New(reltio.Config{RequestsPerSecond: 5, Transport: transport, Jitter: mean}),
		Metrics:  noMetrics{}, Log: slog.New(slog.DiscardHandler),
	}
	if h.DirectListing {
		r.Lister = directLister{h.AWS, store}
	}
	if h.MetricLines != io.Discard {
		r.Metrics = emf.New(h.MetricLines, h.Stack)
	}
	if h.Logs != io.Discard {
		r.Log = slog.New(slog.NewJSONHandler(h.Logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return r
}

// store has the SDK's standard retries. They wait for the mean of what the SDK
// draws at random, which is half of a ceiling that doubles from 1 s to 20 s.
func (h *Harness) store(transport http.RoundTripper) *awsstore.Store {
	return awsstore.New(aws.Config{
		Region:      "us-east-1",
		Credentials: aws.AnonymousCredentials{}, // the fake checks no signatures
		HTTPClient:  &http.Client{Transport: transport, Timeout: 5 * time.Second},
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
					return mean(min(time.Second<<attempt, 20*time.Second)), nil
				})
			})
		},
	}, Prefix)
}

// mean returns the mean of random values below a ceiling.
func mean(ceiling time.Duration) time.Duration { return ceiling / 2 }

type noMetrics struct{}

func (noMetrics) Write(time.Time, rotator.Metrics) error { return nil }

// Invoke runs one event in a process of its own, under the function's timeout.
func (h *Harness) Invoke(ctx context.Context, event rotator.Event) (rotator.Report, error) {
	id := fmt.Sprintf("request-%d", h.runs.Add(1))
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	return h.Process().Run(ctx, id, event)
}

// Heartbeat is what the schedule does every minute.
func (h *Harness) Heartbeat(t testing.TB) (rotator.Report, error) {
	return h.Invoke(t.Context(), rotator.Event{})
}
