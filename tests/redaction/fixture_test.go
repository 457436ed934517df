package redaction

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// The canaries are the secrets that exist from the beginning. Their characters are
// changed by every encoding. Secrets that the servers issue are added later.
const (
	clientSecret = `cS7+qZ/w=Kd%41 Lx:"v&<9>\T`
	username     = `uN4ø@Vb.example+"\Qy`
	password     = `pW4ø+Jm/Xe=%52 &"Hy<2>\Rb`
	refreshToken = `rT9+aZ/k=Yv3"\Qn&Oldest<Wz>`
	newRefresh   = `nR5+bX/j=Fw8"\Um&Newest<Ph>`
	accessToken  = `aK6+dG/h=Ts2"\Ej&Access<Lc>`
	stateToken   = `mF1+fB/g=Ri7"\Od&Second<Nu>`
)

var canaries = map[string]string{
	"client secret": clientSecret, "username": username, "password": password, "refresh token": refreshToken,
	"new refresh token": newRefresh, "access token": accessToken, "state token": stateToken,
}

// allCanaries is a text with all of them, and with the header that contains the
// client's id and secret.
var allCanaries = strings.Join([]string{
	clientSecret, username, password, refreshToken, newRefresh, accessToken, stateToken,
	base64.StdEncoding.EncodeToString([]byte("client:" + clientSecret)),
}, " | ")

// fixture is a harness whose Finder knows every secret. It collects all output that
// must not contain one.
type fixture struct {
	*harness.Harness
	t *testing.T
	// wrap changes the rotator of a run before it runs.
	wrap func(*rotator.Rotator)

	mu      sync.Mutex
	finder  Finder
	seen    bytes.Buffer
	storage storage
}

// simulate runs a test in simulated time.
func simulate(t *testing.T, options fakereltio.Options, test func(s *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		options.ClientSecret, options.Username, options.Password = clientSecret, username, password
		options.EchoRefreshToken, options.TokenFormat = true, fakereltio.Base64
		s := &fixture{Harness: harness.New(t, fakeaws.Options{}, options), t: t, wrap: func(*rotator.Rotator) {}}
		for name, value := range canaries {
			s.finder.Add(name, value)
		}
		s.Reltio.AddRefreshToken(refreshToken)
		s.storage = storage{fixture: s, server: s.AWS}
		s.Host("auth.reltio.com", harness.Tap(s.Reltio, s.secret))
		s.Host("secretsmanager.us-east-1.amazonaws.com", &s.storage)
		s.Host("ssm.us-east-1.amazonaws.com", &s.storage)
		test(s)
		s.wantNothingSecret()
	})
}

// kinds of credentials, by the grant types that are used with them.
var kinds = map[string]map[string]string{
	"refresh":             {"refresh_token": refreshToken},
	"refresh, then login": {"refresh_token": refreshToken, "username": username, "password": password},
	"login":               {"username": username, "password": password},
	"client credentials":  {},
}

func (s *fixture) seed(fields map[string]string) {
	s.Add("default")
	document := map[string]string{"client_id": "client", "client_secret": clientSecret}
	for name, value := range fields {
		document[name] = value
	}
	s.PutCredentials("default", document)
}

// beat is a heartbeat, a minute after the last one.
func (s *fixture) beat() rotator.Report { return s.run(rotator.Event{}) }

func (s *fixture) force() rotator.Report {
	return s.run(rotator.Event{Action: rotator.ActionRefresh, Force: true})
}

func (s *fixture) run(event rotator.Event) rotator.Report {
	time.Sleep(time.Minute)
	process := s.Process()
	s.wrap(process)
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.Timeout)
	defer cancel()
	report, err := process.Run(ctx, "request", event)
	document, _ := json.Marshal(report)
	s.see(string(document))
	s.see(fmt.Sprintf("%+v %#v", report, report))
	if err != nil {
		s.see(err.Error())
		s.see(fmt.Sprintf("%v %+v %#v", err, err, err))
	}
	return report
}

// see adds a text that must not contain a secret.
func (s *fixture) see(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.WriteString(text + "\n")
}

// secret adds the secrets in a document, which is a response, a secret or a pending
// parameter.
func (s *fixture) secret(document string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fields map[string]any
	_ = json.Unmarshal([]byte(document), &fields)
	for _, name := range []string{"access_token", "refresh_token", "state_token", "client_secret", "password", "username"} {
		if value, ok := fields[name].(string); ok && len([]rune(value)) >= window {
			s.finder.Add(name, value)
		}
	}
}

func (s *fixture) wantNothingSecret() {
	s.t.Helper()
	for _, kind := range []string{"credentials", "token"} {
		for _, version := range s.AWS.SecretVersions(harness.SecretName("default", kind)) {
			s.secret(version.Value)
		}
	}
	s.see(s.Output())
	if found := s.finder.Find(s.seen.String()); len(found) > 0 {
		s.t.Errorf("%v can be seen in:\n%s", found, s.seen.String())
	}
}

// storage is in front of the AWS fake. It collects what is written to every
// parameter except pending, and can answer instead of the fake.
type storage struct {
	fixture *fixture
	server  http.Handler
	// answer is called first if it is not nil. If it returns false, the fake
	// answers.
	answer func(operation, name string, w http.ResponseWriter) bool
}

func (f *storage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var call struct{ Name, SecretId, Path, Value string }
	_ = json.Unmarshal(body, &call)
	name, _, _ := strings.Cut(call.Name+call.SecretId+call.Path, ":") // without a version
	if operation == "PutParameter" {
		if strings.HasSuffix(name, "/pending") {
			f.fixture.secret(call.Value)
		} else {
			f.fixture.see(call.Value)
		}
	}
	if f.answer != nil && f.answer(operation, name, w) {
		return
	}
	f.server.ServeHTTP(w, r)
}
