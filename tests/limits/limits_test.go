// Package limits_test limits what a run costs, as counts that do not depend on
// the machine: AWS calls, token requests and allocations. bench measures times.
package limits_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	"reltio-token-rotator/rotator/emf"
	"reltio-token-rotator/rotator/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/race"
)

// limits are the largest allowed numbers of calls and allocations of a run in this
// process, including the SDK's allocations. They are about a tenth above the
// measured ones. Raise them only for a reason.
var limits = map[string]struct {
	state, refreshToken string
	outcome             rotator.Outcome
	calls               map[string]int
	allocations         float64
}{
	"idle heartbeat": {
		state:   `{\"published\":{\"set\":\"primary\",\"issued_at\":\"2000-01-01T00:00:00Z\",\"expires_at\":\"2000-01-01T02:00:00Z\",\"valid_until\":\"2000-01-01T01:50:00Z\",\"fingerprint\":\"0123456789abcdef\"},\"lease_version\":7}`,
		outcome: rotator.NotDue, calls: map[string]int{"GetParametersByPath": 1}, allocations: 480,
	},
	"refresh": {
		state: `{}`, refreshToken: "same", outcome: rotator.Refreshed,
		calls:       map[string]int{"GetParametersByPath": 1, "GetSecretValue": 1, "PutParameter": 2, "token": 1, "PutSecretValue": 1},
		allocations: 2100,
	},
	"refresh, refresh token changed": {
		state: `{}`, refreshToken: "changed", outcome: rotator.Refreshed,
		calls:       map[string]int{"GetParametersByPath": 1, "GetSecretValue": 1, "PutParameter": 2, "token": 1, "PutSecretValue": 2, "DescribeSecret": 1},
		allocations: 2850,
	},
}

func TestCallsAndAllocations(t *testing.T) {
	for name, limit := range limits {
		t.Run(name, func(t *testing.T) {
			// In simulated time, because parameter writes are spaced.
			synctest.Test(t, func(t *testing.T) {
				servers := &canned{state: limit.state, refreshToken: limit.refreshToken, calls: map[string]int{}}
				r := servers.rotator()
				run := func() {
					report, err := r.Run(t.Context(), "request", rotator.Event{})
					if err != nil || len(report.Connections) != 1 || report.Connections[0].Outcome != limit.outcome {
						t.Fatalf("%+v, %v", report, err)
					}
				}
				run()
				if !maps.Equal(servers.calls, limit.calls) {
					t.Errorf("calls: %v, want %v", servers.calls, limit.calls)
				}
				if race.Enabled {
					return // the race detector allocates too
				}
				if n := testing.AllocsPerRun(20, run); n > limit.allocations {
					t.Errorf("%.0f allocations, want at most %.0f", n, limit.allocations)
				}
			})
		})
	}
}

// canned answers every call with a fixed text, so that nearly all allocations are
// the function's own.
type canned struct {
	state, refreshToken string
	// saved is the id of the last version of the credentials secret that was saved.
	saved string
	calls map[string]int
}

func (c *canned) rotator() *rotator.Rotator {
	store := awsstore.New(aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient: &http.Client{Transport: c, Timeout: 5 * time.Second},
	}, harness.Prefix)
	return &rotator.Rotator{
		Settings: rotator.Settings{
			TokenURL: harness.TokenURL, TokenHosts: []string{"reltio.com"},
			RefreshBefore: 10 * time.Minute, Heartbeat: time.Minute,
		},
		Version: "test",
		Lister:  store, Parameters: store, Credentials: store, Saver: store, Pending: store, Tokens: store,
		Endpoint: reltio.New(reltio.Config{RequestsPerSecond: 5, Transport: c}),
		Metrics:  emf.New(io.Discard, "test"),
		Log:      slog.New(slog.NewJSONHandler(io.Discard, nil)),
	}
}

// RoundTrip implements http.RoundTripper.
func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, header := "{}", "application/x-amz-json-1.1"
	switch operation {
	case "":
		operation, header = "token", "application/json"
		body = fmt.Sprintf(`{"access_token":"access","token_type":"bearer","refresh_token":%q,"expires_in":3599,"scope":"read"}`, c.refreshToken)
	case "GetParametersByPath":
		parameter := `{"Name":"/` + harness.Prefix + `/default/%s","Type":"String","Value":"%s","Version":7}`
		body = `{"Parameters":[` + fmt.Sprintf(parameter, "config", "{}") + "," + fmt.Sprintf(parameter, "state", c.state) + "," + fmt.Sprintf(parameter, "lease", "{}") + `]}`
	case "GetSecretValue":
		body = `{"VersionId":"v1","CreatedDate":946684800,"SecretString":"{\"client_id\":\"client\",\"client_secret\":\"secret\",\"refresh_token\":\"same\"}"}`
	case "PutSecretValue":
		var in struct{ SecretId, ClientRequestToken string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, err
		}
		if strings.HasSuffix(in.SecretId, "/credentials") {
			c.saved = in.ClientRequestToken
		}
	case "PutParameter":
		body = `{"Version":8}`
	case "DescribeSecret":
		body = `{"VersionIdsToStages":{"` + c.saved + `":["AWSCURRENT"],"v1":["AWSPREVIOUS"]}}`
	}
	c.calls[operation]++
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {header}},
		Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)), Request: r,
	}, nil
}
