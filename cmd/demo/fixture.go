package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/lambda"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/binary"
)

const (
	prefix     = "reltio-token-rotator/local"
	connection = "default"
	// twoSets is a connection with two credential sets.
	twoSets = "two-sets"

	clientID, clientSecret = "client", "secret"
	// A user for each credential set, and one for the jobs that request tokens
	// themselves.
	user, secondUser, alternateUser, jobsUser = "user", "second", "alternate", "jobs"

	// awsLatency makes a call take about as long as in one's own region.
	awsLatency = 10 * time.Millisecond
)

func secretName(connection, kind string) string { return prefix + "/" + connection + "/" + kind }

func parameterName(connection, kind string) string {
	return "/" + prefix + "/" + connection + "/" + kind
}

// fixture is the function and the fakes around it.
type fixture struct {
	settings settings
	aws      *fakeaws.Server
	// reltio is nil where the token endpoint is a real one.
	reltio   *fakereltio.Server
	function *lambda.Function
	keeper   *keeper

	awsURL, tokenURL, apiURL string
	closers                  []func()

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
	st.aws = fakeaws.New(fakeaws.Options{Latency: awsLatency})
	st.aws.OnCall(st.onCall)
	if st.awsURL, err = st.serve(http.HandlerFunc(st.serveAWS)); err != nil {
		return st, err
	}
	st.tokenURL, st.apiURL = s.tokenURL, s.apiURL
	if !s.real {
		st.reltio = fakereltio.New(fakereltio.Options{
			ClientID: clientID, ClientSecret: clientSecret, Username: user, Lifetime: s.lifetime, Latency: 5 * time.Millisecond,
			Users: map[string]string{secondUser: "password", alternateUser: "password", jobsUser: "password"},
		})
		base, err := st.serve(st.reltio)
		if err != nil {
			return st, err
		}
		st.closers = append(st.closers, st.reltio.Close)
		st.tokenURL, st.apiURL = base+"/oauth/token", base+"/api/whoami"
	}
	st.keeper = newKeeper(s.saveTo, s.credentials)
	if s.real {
		st.addConnection(connection, s.credentials.Reveal())
	} else {
		st.addConnection(connection, st.login(user, nil))
	}
	st.function, err = lambda.Start(lambda.Config{
		Binary: bootstrap, Freeze: true, Output: output, Env: st.environment(),
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

// addConnection does what the stack and the operator do.
func (st *fixture) addConnection(name, credentials string) {
	st.aws.CreateSecret(secretName(name, "token"))
	st.aws.PutSecret(secretName(name, "credentials"), credentials)
	for _, kind := range []string{"state", "lease", "config"} { // it exists with its config
		st.aws.PutParameter(parameterName(name, kind), "{}")
	}
}

// login logs a user in at the fake, and returns a credential set.
func (st *fixture) login(user string, alternate any) string {
	_, refreshToken := st.reltio.LoginAs(user)
	set := map[string]any{"client_id": clientID, "client_secret": clientSecret, "refresh_token": refreshToken}
	if alternate != nil {
		set["alternate"] = alternate
	}
	document, _ := json.Marshal(set) // strings
	return string(document)
}

func (st *fixture) environment() []string {
	s, host := st.settings, "127.0.0.1"
	if s.real {
		host = s.tokenHost()
	}
	env := []string{
		"PREFIX=" + prefix,
		"TOKEN_URL=" + st.tokenURL,
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
	credentials := secretName(connection, "credentials")
	if before || operation != "PutSecretValue" || name != credentials {
		return
	}
	if document, ok := st.aws.Secret(credentials); ok {
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
func (st *fixture) published(connection string) (publishedToken, bool) {
	document, ok := st.aws.Secret(secretName(connection, "token"))
	if !ok {
		return publishedToken{}, false
	}
	token, err := readToken(document)
	return token, err == nil
}

// unavailable counts the function's token requests for the connection default that
// were answered with 503.
func (st *fixture) unavailable() int {
	document, _ := st.aws.Secret(secretName(connection, "credentials"))
	sent := refreshTokens(secret.New(document))[rotator.Primary].Fingerprint()
	n := 0
	for _, request := range st.reltio.Requests() {
		if request.Status == http.StatusServiceUnavailable && request.RefreshToken == sent {
			n++
		}
	}
	return n
}

// grantType is the one with which a credential set last obtained a token, as the
// function's state says; "" is the primary set.
func (st *fixture) grantType(set rotator.SetName) rotator.GrantType {
	document, _, _ := st.aws.Parameter(parameterName(connection, "state"))
	var state rotator.State
	_ = json.Unmarshal([]byte(document), &state)
	return state.Of(cmp.Or(set, rotator.Primary)).GrantType
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
	ValidUntil  time.Time `json:"valid_until"`
}

func readToken(document string) (publishedToken, error) {
	var token publishedToken
	if err := json.Unmarshal([]byte(document), &token); err != nil || token.AccessToken == "" {
		return publishedToken{}, errors.New("the token secret holds no token")
	}
	return token, nil
}
