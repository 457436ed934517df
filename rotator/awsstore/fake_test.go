package awsstore_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"reltio-token-rotator/rotator/awsstore"
)

const prefix = "reltio-token-rotator/test"

// object is a JSON object of a request or a response.
type object = map[string]any

// call is one request that reached AWS.
type call struct {
	operation string
	input     object
}

// reply is one response of AWS. The zero reply is an empty success.
type reply struct {
	body object
	// errorType, such as "AccessDeniedException", makes it an error.
	errorType string
	// lost ends the connection without a response.
	lost bool
	// raw, if not empty, is the whole body of a 200.
	raw string
	// never delays the response until the test has ended.
	never bool
}

// fakeAWS answers by a script and records the requests.
type fakeAWS struct {
	mu      sync.Mutex
	calls   []call
	clients []string // the services that a client was made for
	config  aws.Config
}

// newAWS answers every request with the result of answer.
func newAWS(t *testing.T, answer func(call) reply) *fakeAWS {
	t.Helper()
	fake := &fakeAWS{}
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		asked := call{operation: operation}
		if err := json.NewDecoder(r.Body).Decode(&asked.input); err != nil {
			t.Errorf("%s: the request is not JSON: %v", operation, err)
		}
		fake.mu.Lock()
		fake.calls = append(fake.calls, asked)
		said := answer(asked)
		fake.mu.Unlock()
		switch {
		case said.never:
			<-over
		case said.lost:
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if said.raw != "" {
			_, _ = w.Write([]byte(said.raw))
			return
		}
		if said.errorType != "" {
			w.WriteHeader(http.StatusBadRequest)
			said.body = object{"__type": said.errorType, "message": "leaked message at https://leak.invalid/"}
		}
		if said.body == nil {
			said.body = object{}
		}
		_ = json.NewEncoder(w).Encode(said.body)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	fake.config = aws.Config{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(server.URL),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "leaked key"}, nil
		}),
		// The SDK's three attempts, without its pauses.
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
		ServiceOptions: []func(string, any){func(service string, _ any) {
			fake.clients = append(fake.clients, service)
		}},
	}
	return fake
}

func (f *fakeAWS) store() *awsstore.Store { return awsstore.New(f.config, prefix) }

// answering answers every request in the same way.
func answering(said reply) func(call) reply { return func(call) reply { return said } }

// asked returns all requests until now.
func (f *fakeAWS) asked() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}
