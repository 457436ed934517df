package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	fakeaws "reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/lambda"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/binary"
)

const (
	prefix            = "reltio-token-rotator/local"
	connection        = "default"
	credentialsSecret = prefix + "/" + connection + "/credentials"
	tokenSecret       = prefix + "/" + connection + "/token"

	// awsLatency makes a call take about as long as in one's own region.
	awsLatency = 10 * time.Millisecond
)

// fixture is the function and the fakes around it.
type fixture struct {
	settings settings
	aws      *fakeaws.Server
	// reltio is nil where the token endpoint is a real one.
	reltio   *fakereltio.Server
	function *lambda.Function
	keeper   *keeper

	awsURL, resourceURL string
	closers             []func()

	mu sync.Mutex
	// calls to AWS by the trace id of the invocation that made them. The job's
	// have none.
	calls map[string]int
}

// newFixture sets everything up around a function that does not run yet. The
// caller closes it, also where it fails.
func newFixture(ctx context.Context, s settings, output func(lambda.Line)) (*fixture, error) {
	st := &fixture{settings: s, calls: map[string]int{}}
	bootstrap, err := st.build(ctx)
	if err != nil {
		return st, err
	}
	st.aws = fakeaws.New(fakeaws.Options{WritesPerSecond: 3, Latency: awsLatency})
	st.aws.OnCall(st.onCall)
	if st.awsURL, err = st.serve(http.HandlerFunc(st.serveAWS)); err != nil {
		return st, err
	}
	tokenURL := s.tokenURL
	if !s.real {
		st.reltio = fakereltio.New(fakereltio.Options{Lifetime: s.lifetime, Latency: 5 * time.Millisecond})
		base, err := st.serve(st.reltio)
		if err != nil {
			return st, err
		}
		st.closers = append(st.closers, st.reltio.Close)
		tokenURL, st.resourceURL = base+"/oauth/token", base+"/api/whoami"
	}
	st.seed()
	st.function, err = lambda.Start(lambda.Config{
		Binary: bootstrap, Freeze: true, Output: output, Env: st.environment(tokenURL),
	})
	return st, err
}

// build builds the function unless that was done.
func (st *fixture) build(ctx context.Context) (path string, err error) {
	if st.settings.bootstrap != "" {
		return st.settings.bootstrap, nil
	}
	folder, err := os.MkdirTemp("", "make-run-*")
	if err != nil {
		return "", err
	}
	st.closers = append(st.closers, func() { _ = os.RemoveAll(folder) })
	return binary.Build(ctx, folder)
}

// serve serves on a free port of loopback until the fixture is closed.
func (st *fixture) serve(handler http.Handler) (baseURL string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	st.closers = append(st.closers, func() { _ = server.Close() })
	return "http://" + listener.Addr().String(), nil
}

// seed does what the stack and the operator do: one connection with credentials.
func (st *fixture) seed() {
	for _, kind := range []string{"config", "state", "lease"} {
		st.aws.PutParameter("/"+prefix+"/"+connection+"/"+kind, "{}")
	}
	st.aws.CreateSecret(tokenSecret)
	document := st.settings.credentials
	if !st.settings.real {
		_, refreshToken := st.reltio.Login()
		fields := map[string]string{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken}
		encoded, _ := json.Marshal(fields) // strings
		document = string(encoded)
	}
	st.keeper = &keeper{path: st.settings.saveTo, document: document}
	st.aws.PutSecret(credentialsSecret, document)
}

func (st *fixture) environment(tokenURL string) []string {
	s, host := st.settings, "127.0.0.1"
	if s.real {
		host = s.tokenHost()
	}
	env := []string{
		"PREFIX=" + prefix,
		"TOKEN_URL=" + tokenURL,
		"TOKEN_HOSTS=" + host,
		"REFRESH_BEFORE=" + s.refreshBefore.String(),
		"HEARTBEAT=" + s.heartbeat.String(),
		"TOKEN_REQUESTS_PER_SECOND=5",
		"AWS_ENDPOINT_URL=" + st.awsURL,
	}
	if !s.real {
		return env
	}
	if s.proxy != "" {
		env = append(env, "HTTPS_PROXY="+s.proxy)
	}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// serveAWS counts a call and lets the fake answer it.
func (st *fixture) serveAWS(w http.ResponseWriter, r *http.Request) {
	if id := r.Header.Get("X-Amzn-Trace-Id"); id != "" {
		st.mu.Lock()
		st.calls[id]++
		st.mu.Unlock()
	}
	st.aws.ServeHTTP(w, r)
}

// takeCalls returns how many calls an invocation made, and forgets them.
func (st *fixture) takeCalls(traceID string) int {
	st.mu.Lock()
	defer st.mu.Unlock()
	n := st.calls[traceID]
	delete(st.calls, traceID)
	return n
}

// onCall keeps a changed refresh token at once, and not at the end: it is worth
// a login.
func (st *fixture) onCall(operation, name string, before bool) {
	if before || operation != "PutSecretValue" || name != credentialsSecret {
		return
	}
	if document, ok := st.aws.Secret(credentialsSecret); ok {
		st.keeper.take(document)
	}
}

// tokenRequests is how many were seen; not known of a real endpoint.
func (st *fixture) tokenRequests() (n int, known bool) {
	if st.reltio == nil {
		return 0, false
	}
	return len(st.reltio.Requests()), true
}

// published is the token that jobs read now.
func (st *fixture) published() (publishedToken, bool) {
	document, ok := st.aws.Secret(tokenSecret)
	if !ok {
		return publishedToken{}, false
	}
	token, err := readToken(document)
	return token, err == nil
}

// close ends every process and server.
func (st *fixture) close() {
	if st.function != nil {
		st.function.Stop()
	}
	for i := len(st.closers) - 1; i >= 0; i-- {
		st.closers[i]()
	}
}

// publishedToken is what a job reads from the token secret.
type publishedToken struct {
	AccessToken string    `json:"access_token"`
	IssuedAt    time.Time `json:"issued_at"`
	ExpiresAt   time.Time `json:"expires_at"`
}

func readToken(document string) (publishedToken, error) {
	var token publishedToken
	if err := json.Unmarshal([]byte(document), &token); err != nil || token.AccessToken == "" {
		return publishedToken{}, fmt.Errorf("the token secret %s holds no token", tokenSecret)
	}
	return token, nil
}
