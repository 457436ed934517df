package reader_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reltio-token-rotator/rotator/reader"
)

const (
	secretName = "reltio-token-rotator/test/default/token"
	apiURL     = "https://api.reltio.com/entities"
)

// harness is the secret, the API and the function, each as simple as can be.
type harness struct {
	t *testing.T
	*reader.Source
	config reader.Config

	mu       sync.Mutex
	document string // the secret's value
	broken   error  // what reading it answers
	latency  time.Duration
	reads    int
	alive    string   // the one token that the API accepts
	seen     []string // Authorization and body of every request, in order
	events   []string // reports
	onReport func() error
	serve    map[string]http.HandlerFunc // hosts with an API of their own
}

// play runs a test in a bubble, with a token "t1" that lives an hour.
func play(t *testing.T, what string, test func(t *testing.T, w *harness)) {
	t.Helper()
	t.Run(what, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := &harness{t: t, latency: 10 * time.Millisecond, onReport: func() error { return nil }}
			w.config = reader.Config{Secrets: w, SecretID: secretName, Report: w.report}
			w.refresh("t1")
			w.publish("t1", time.Hour)
			w.Source = reader.New(w.config)
			test(t, w)
			time.Sleep(time.Minute) // a search goes on when its request has ended
		})
	})
}

// refresh makes a token the only one that the API accepts, as a refresh does at once.
// It does not publish it.
func (w *harness) refresh(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alive = token
}

func (w *harness) publish(token string, lifetime time.Duration) {
	w.put(fmt.Sprintf(`{"access_token":%q,"token_type":"bearer","scope":"","expires_in":%d,"issued_at":%q,"expires_at":%q}`,
		token, int(lifetime.Seconds()), time.Now().UTC().Format(time.RFC3339), time.Now().Add(lifetime).UTC().Format(time.RFC3339)))
}

func (w *harness) put(document string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.document = document
}

func (w *harness) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = err
}

// GetSecretValue is Secrets Manager.
func (w *harness) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	w.mu.Lock()
	w.reads++
	w.mu.Unlock()
	select {
	case <-time.After(w.latency):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if *in.SecretId != w.config.SecretID || aws.ToString(in.VersionStage) != "AWSCURRENT" {
		return nil, fmt.Errorf("asked for %q %q", *in.SecretId, aws.ToString(in.VersionStage))
	}
	return &secretsmanager.GetSecretValueOutput{Name: aws.String(secretName), SecretString: aws.String(w.document)}, w.broken
}

func (w *harness) report(_ context.Context, event []byte) error {
	w.mu.Lock()
	w.events = append(w.events, string(event))
	w.mu.Unlock()
	return w.onReport()
}

// RoundTrip is the network under the transport.
func (w *harness) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := req.Header.Get("Authorization")
	w.seen = append(w.seen, strings.TrimSpace(fmt.Sprintf("%s %s %s", req.URL.Host, sent, body)))
	answer := httptest.NewRecorder()
	switch own := w.serve[req.URL.Host]; {
	case own != nil:
		own(answer, req)
	case sent == "Bearer "+w.alive:
		answer.WriteHeader(http.StatusOK)
	default:
		answer.WriteHeader(http.StatusUnauthorized)
		_, _ = answer.WriteString("refused")
	}
	response := answer.Result()
	response.Request = req
	return response, nil
}

func (w *harness) client() *http.Client { return &http.Client{Transport: w.Transport(w)} }

func (w *harness) request(method string, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(w.t.Context(), method, apiURL, body)
	if err != nil {
		w.t.Fatal(err)
	}
	return req
}

// get makes a job's request and returns its status.
func (w *harness) get() int { return w.do(w.request(http.MethodGet, nil)) }

func (w *harness) do(req *http.Request) int {
	w.t.Helper()
	response, err := w.client().Do(req)
	if err != nil {
		w.t.Error(err)
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// want checks how often the secret was read since its last call.
func (w *harness) wantReads(n int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reads != n {
		w.t.Errorf("the secret was read %d times, want %d", w.reads, n)
	}
	w.reads = 0
}

func (w *harness) wantSeen(want ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.seen, "\n"); got != strings.Join(want, "\n") {
		w.t.Errorf("the API saw\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func (w *harness) wantReports(n int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) != n {
		w.t.Errorf("reports: %v, want %d", w.events, n)
	}
}

// at runs do after a while, beside the test.
func (w *harness) at(after time.Duration, do func()) {
	go func() {
		time.Sleep(after)
		do()
	}()
}

var errDenied = errors.New("AccessDeniedException")
