package harness

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"reltio-token-rotator/tests/fake/lambda"
)

// Serve serves the fakes on loopback until the test ends. It returns the environment
// of the real function. aws and token are servers in front of the fakes, or nil.
func (f Fakes) Serve(t testing.TB, aws, token http.Handler) (environment []string) {
	if aws == nil {
		aws = f.AWS
	}
	if token == nil {
		token = f.Reltio
	}
	awsServer, tokenServer := httptest.NewServer(aws), httptest.NewServer(token)
	t.Cleanup(awsServer.Close)
	t.Cleanup(tokenServer.Close)
	t.Cleanup(f.Reltio.Close)
	return Environment(awsServer.URL, tokenServer.URL)
}

// Start starts the real function and stops it when the test ends.
func Start(t testing.TB, config lambda.Config) *lambda.Function {
	t.Helper()
	function, err := lambda.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(function.Stop)
	return function
}

// Environment is that of the real function between fakes on loopback.
func Environment(awsURL, reltioURL string) []string {
	return []string{
		"PREFIX=" + Prefix, "TOKEN_URL=" + reltioURL + "/oauth/token", "TOKEN_HOSTS=127.0.0.1",
		"REFRESH_BEFORE=10m", "HEARTBEAT=1m", "TOKEN_REQUESTS_PER_SECOND=5", "AWS_ENDPOINT_URL=" + awsURL,
	}
}
