package readers_test

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

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
	asGoJob()
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	flag.Parse()
	// These tests run at the same time, because they mostly wait.
	if err := flag.Set("test.parallel", "64"); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "readers-*")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	built.dir = dir
	return rotate.Run(m)
}

// stack is the real function, AWS and Reltio on loopback, for jobs that are
// processes. Nothing sends heartbeats. The test refreshes explicitly.
type stack struct {
	function *lambda.Function
	aws      *fakeaws.Server
	reltio   *fakereltio.Server
	// awsURL is AWS_ENDPOINT_URL, for Secrets Manager and Lambda; apiURL takes
	// a live token and the body "body".
	awsURL, apiURL string

	mu      sync.Mutex
	reports map[string]int // by the name that the function was called by, one a crew
}

func deploy(t *testing.T) *stack {
	t.Helper()
	s := &stack{
		reports: map[string]int{},
		aws:     fakeaws.New(fakeaws.Options{WritesPerSecond: 3, Latency: 10 * time.Millisecond}),
		// The old token is refused a while before the answer with the new one.
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
	if err == nil && strings.HasPrefix(r.PathValue("name"), "rotate-") && r.URL.Query().Get("Qualifier") == "report" {
		s.mu.Lock()
		s.reports[r.PathValue("name")]++
		s.mu.Unlock()
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

// letsIn reports whether the API accepts a request's token.
func (s *stack) letsIn(r *http.Request) bool {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return s.reltio.Alive(token)
}

// serveEntity is Reltio's API for reading.
func (s *stack) serveEntity(w http.ResponseWriter, r *http.Request) {
	if !s.letsIn(r) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = io.WriteString(w, "got "+r.PathValue("path"))
}

// serveAPI is Reltio's API for writing.
func (s *stack) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case !s.letsIn(r):
		w.WriteHeader(http.StatusUnauthorized)
	case string(body) != "body":
		w.WriteHeader(http.StatusBadRequest)
	}
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

// addAlternate saves a second credential set, of another user, beside the first,
// and shows that both are asked.
func (s *stack) addAlternate(t *testing.T) {
	t.Helper()
	name := harness.SecretName("default", "credentials")
	document, _ := s.aws.Secret(name)
	_, refreshToken := s.reltio.LoginAs("alternate")
	s.aws.PutSecret(name, strings.TrimSuffix(document, "}")+`,"alternate":{"client_id":"client","client_secret":"secret","refresh_token":"`+refreshToken+`"}}`)
	asked := len(s.reltio.Requests())
	s.refresh(t)
	s.refresh(t)
	used := map[string]bool{}
	for _, request := range s.reltio.Requests()[asked:] {
		used[request.RefreshToken] = true
	}
	if len(used) != 2 {
		t.Errorf("two forced refreshes asked %d credential sets, want 2", len(used))
	}
}

// reportsOf counts what a crew's jobs reported.
func (s *stack) reportsOf(c *crew) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reports["rotate-"+c.name]
}

func (s *stack) forgetReports() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.reports)
}

// endEarly is another login of the published token's user. The function accepts a
// report only if its last refresh is over a minute old. Instead of waiting, the test
// changes that time in the state.
func (s *stack) endEarly(t *testing.T) {
	t.Helper()
	name := harness.ParameterName("default", "state")
	document, _, _ := s.aws.Parameter(name)
	older := regexp.MustCompile(`"(?:token_issued_at|issued_at|refreshed_at)":"([^"]+)"`).ReplaceAllStringFunc(document, func(field string) string {
		key, value, _ := strings.Cut(strings.Trim(field, `"`), `":"`)
		at, err := time.Parse(time.RFC3339, value)
		if err != nil {
			t.Fatal(err)
		}
		return `"` + key + `":"` + at.Add(-2*time.Minute).Format(time.RFC3339) + `"`
	})
	if older == document {
		t.Fatalf("the state does not say when the token was issued: %s", document)
	}
	s.aws.PutParameter(name, older)
	var published harness.Token
	secret, _ := s.aws.Secret(harness.SecretName("default", "token"))
	if err := json.Unmarshal([]byte(secret), &published); err != nil {
		t.Fatal(err)
	}
	token, ok := s.reltio.AccessToken(published.AccessToken)
	if !ok {
		t.Fatal("the published token is not one of the token endpoint's")
	}
	s.reltio.EndAccessTokensOf(token.User)
}
