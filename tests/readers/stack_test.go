package readers_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/lambda"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/binary"
)

// rotate is the real function.
var rotate binary.Once

func TestMain(m *testing.M) {
	asQuickAWS()
	os.Exit(rotate.Run(m))
}

// stack is the real function, AWS and Reltio on loopback, for jobs that are
// processes. Nothing sends heartbeats: the test refreshes when it wants to.
type stack struct {
	function *lambda.Function
	aws      *fakeaws.Server
	reltio   *fakereltio.Server
	// awsURL is AWS_ENDPOINT_URL, for Secrets Manager and Lambda; apiURL takes
	// a live token and the body "body".
	awsURL, apiURL string
	reports        atomic.Int64
	// firstOnPath is a folder of commands that take the place of others in jobs.
	firstOnPath string

	mu     sync.Mutex
	thefts []string // Authorization headers that reached another host
}

func deploy(t *testing.T) *stack {
	t.Helper()
	s := &stack{
		aws: fakeaws.New(fakeaws.Options{WritesPerSecond: 3, Latency: 10 * time.Millisecond}),
		// The old token is dead a while before the answer with the new one.
		reltio: fakereltio.New(fakereltio.Options{RaceWindow: 400 * time.Millisecond}),
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.aws)
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", s.serveInvoke)
	front := httptest.NewServer(mux)
	t.Cleanup(front.Close)
	api := http.NewServeMux()
	api.Handle("/oauth/token", s.reltio)
	api.HandleFunc("POST /api", s.serveAPI)
	api.HandleFunc("GET /api/{path...}", s.serveEntity)
	api.HandleFunc("POST /away", func(w http.ResponseWriter, r *http.Request) {
		_, port, _ := strings.Cut(r.Host, ":")
		http.Redirect(w, r, "http://localhost:"+port+"/thief", http.StatusTemporaryRedirect)
	})
	api.HandleFunc("/thief", s.serveThief)
	endpoint := httptest.NewServer(api)
	t.Cleanup(endpoint.Close)
	t.Cleanup(s.reltio.Close)
	s.awsURL, s.apiURL = front.URL, endpoint.URL+"/api"

	harness.AddTo(s.aws, "default")
	_, refreshToken := s.reltio.Login()
	s.aws.PutSecret(harness.SecretName("default", "credentials"), `{"client_id":"client","client_secret":"secret","refresh_token":"`+refreshToken+`"}`)
	var err error
	s.function, err = lambda.Start(lambda.Config{Binary: rotate.Path(t), Freeze: true, Env: harness.Environment(front.URL, endpoint.URL)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.function.Stop)
	s.refresh(t)
	return s
}

// serveInvoke is Lambda's Invoke, which only reporters use here.
func (s *stack) serveInvoke(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err == nil && r.PathValue("name") == "rotate" {
		s.reports.Add(1)
		if result, err := s.function.Invoke(r.Context(), payload); err == nil {
			if result.ErrorType != "" {
				w.Header().Set("X-Amz-Function-Error", "Unhandled")
			}
			_, _ = w.Write(result.Payload)
			return
		}
	}
	http.Error(w, `{"Message":"no such function"}`, http.StatusNotFound)
}

// letsIn reports whether a request has a live token.
func (s *stack) letsIn(r *http.Request) bool {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return s.reltio.Alive(token)
}

// serveEntity is Reltio's API where it is read.
func (s *stack) serveEntity(w http.ResponseWriter, r *http.Request) {
	if !s.letsIn(r) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = io.WriteString(w, "got "+r.PathValue("path"))
}

// serveAPI is Reltio's API where it is written.
func (s *stack) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case !s.letsIn(r):
		w.WriteHeader(http.StatusUnauthorized)
	case string(body) != "body":
		w.WriteHeader(http.StatusBadRequest)
	}
}

// serveThief is another host, which would like to have the token.
func (s *stack) serveThief(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.thefts = append(s.thefts, r.Header.Get("Authorization"))
	w.WriteHeader(http.StatusUnauthorized)
}

// tokenARN is the stack's output TokenSecretArn.
func (s *stack) tokenARN(t *testing.T) string {
	t.Helper()
	secret, err := secretsmanager.New(secretsmanager.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(s.awsURL),
		Credentials: credentials.NewStaticCredentialsProvider("job", "job", ""),
	}).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(harness.SecretName("default", "token"))})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(secret.ARN)
}

// refresh gives a new token, as the schedule does once an hour.
func (s *stack) refresh(t *testing.T) {
	t.Helper()
	result, err := s.function.Invoke(t.Context(), []byte(`{"action":"refresh","force":true}`))
	if err != nil || !strings.Contains(string(result.Payload), `"outcome":"refreshed"`) {
		t.Errorf("refresh: %s, %v", result.Payload, err)
	}
}

// endEarly is another login of the same user. The function counts a report when
// its last refresh is over a minute old: instead of waiting, the state's record
// of it is moved back.
func (s *stack) endEarly(t *testing.T) {
	t.Helper()
	name := harness.ParameterName("default", "state")
	document, _, _ := s.aws.Parameter(name)
	var state rotator.State
	if err := json.Unmarshal([]byte(document), &state); err != nil {
		t.Fatal(err)
	}
	state.RefreshedAt = state.RefreshedAt.Add(-2 * time.Minute)
	older, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	s.aws.PutParameter(name, string(older))
	s.reltio.EndAccessTokens()
}
