// Package e2e_test specifies the rotator as its users and operators see it: what a
// run reports, records, logs and measures, which requests it sends to the token
// endpoint and to AWS, and what happens next. Everything is real except the two
// servers, which are fakes. Most tests run in simulated time.
package e2e_test

import (
	"encoding/json"
	"slices"
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

// These values contain every character that an encoding could change, and are easy
// to find in output that must not contain them.
const (
	clientSecret = "s3c+r/e=t%41 x:y"
	password     = "p4ss+w/o=rd%41 &"
	tokenHost    = "auth.reltio.com"
)

// fixture is a stack whose output is searched for secrets.
type fixture struct {
	*harness.Harness
	t *testing.T

	mu     sync.Mutex
	issued []string // by the token endpoint
}

// simulate runs a test in simulated time, with a stack without connections.
func simulate(t *testing.T, options fakereltio.Options, test func(t *testing.T, s *fixture)) {
	t.Helper()
	simulateAWS(t, fakeaws.Options{}, options, test)
}

func simulateAWS(t *testing.T, awsOptions fakeaws.Options, options fakereltio.Options, test func(t *testing.T, s *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		options.ClientSecret, options.Password, options.EchoRefreshToken = clientSecret, password, true
		s := &fixture{Harness: harness.New(t, awsOptions, options), t: t}
		s.Host(tokenHost, harness.Tap(s.Reltio, func(body string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.issued = append(s.issued, secretValues(body)...)
		}))
		test(t, s)
	})
}

// always makes every token request fail with a fault, until recover is called.
func (s *fixture) always(fault fakereltio.Fault) {
	s.Reltio.SetFaults(func() fakereltio.Fault { return fault })
}

func (s *fixture) recover() { s.Reltio.SetFaults(nil) }

// credentials are those of a client with the refresh token of a fresh login.
func (s *fixture) credentials() map[string]string {
	_, refreshToken := s.Reltio.Login()
	return map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": refreshToken}
}

// loginCredentials also hold the user's name and password.
func (s *fixture) loginCredentials() map[string]string {
	fields := s.credentials()
	fields["username"], fields["password"] = "user", password
	return fields
}

// clientOnly are credentials for the client_credentials grant type. With Multi Token
// Support, connections with the same ones do not end each other's tokens, as
// connections of one user do.
func clientOnly() map[string]string {
	return map[string]string{"client_id": "client", "client_secret": clientSecret}
}

// seed adds a connection with such credentials.
func (s *fixture) seed(name string, fields map[string]string) {
	s.Add(name)
	s.PutCredentials(name, fields)
}

// seeded adds a connection and refreshes it for the first time, then sleeps until
// the token is within its window. Heartbeats come on whole seconds, so that
// minutes can be counted.
func (s *fixture) seeded(name string, fields map[string]string) {
	s.t.Helper()
	begun := time.Now()
	s.seed(name, fields)
	s.beat().want(name, rotator.Refreshed)
	time.Sleep(time.Until(begun.Add(untilWindow)))
}

// untilWindow is the time after which every token of 3598 s is within its window of
// 600 s, whatever its spread of up to 120 s is.
const untilWindow = 50 * time.Minute

func (s *fixture) config(name, document string) {
	s.AWS.PutParameter(harness.ParameterName(name, "config"), document)
}

func (s *fixture) parameter(name, kind string) string {
	document, _, _ := s.AWS.Parameter(harness.ParameterName(name, kind))
	return document
}

// refreshToken is the one in the credentials secret.
func (s *fixture) refreshToken(name string) string { return s.credentialsField(name, "refresh_token") }

// credentialsField returns a string field of the credentials secret, or "" if there
// is none.
func (s *fixture) credentialsField(name, field string) string {
	document, _ := s.AWS.Secret(harness.SecretName(name, "credentials"))
	var fields map[string]any
	_ = json.Unmarshal([]byte(document), &fields)
	text, _ := fields[field].(string)
	return text
}

// wantWorking checks that the token that a job reads now is accepted.
func (s *fixture) wantWorking(name string) {
	s.t.Helper()
	if !s.Alive(name) {
		s.t.Errorf("the published token of %s is not alive", name)
	}
}

// beat is one heartbeat.
func (s *fixture) beat() run { s.t.Helper(); return s.invoke(rotator.Event{}) }

// invoke runs an event in a process of its own and checks that its output contains
// no secret.
func (s *fixture) invoke(event rotator.Event) run {
	s.t.Helper()
	sent, printed := len(s.Reltio.Requests()), len(s.Output())
	s.AWS.ResetCalls()
	r := run{t: s.t}
	r.report, r.err = s.Invoke(s.t.Context(), event)
	r.sent, r.calls = s.Reltio.Requests()[sent:], s.AWS.Calls()
	r.logs, r.metrics = harness.ParseOutput(s.t, s.Output()[printed:])
	s.wantNothingSecret(r, s.Output()[printed:])
	return r
}

// wantNothingSecret searches for secrets in everything that a run prints, returns,
// and records outside the secrets.
func (s *fixture) wantNothingSecret(r run, printed string) {
	s.t.Helper()
	report, _ := json.Marshal(r.report)
	seen := printed + string(report)
	if r.err != nil {
		seen += r.err.Error()
	}
	s.mu.Lock()
	secrets := append(slices.Clone(s.issued), clientSecret, password, "s3c", "p4ss")
	s.mu.Unlock()
	for _, result := range r.report.Connections {
		for _, kind := range []string{"config", "state", "lease"} {
			seen += s.parameter(result.Name, kind)
		}
		for _, kind := range []string{"credentials", "token"} {
			for _, version := range s.AWS.SecretVersions(harness.SecretName(result.Name, kind)) {
				secrets = append(secrets, secretValues(version.Value)...)
			}
		}
	}
	secrets = append(secrets, replyTexts...)
	for _, secret := range secrets {
		if strings.Contains(seen, secret) {
			s.t.Errorf("%q can be seen in what a run left:\n%s", secret, seen)
		}
	}
}

// replyTexts are parts of reply bodies.
var replyTexts = []string{"error_description", "Invalid refresh", "Bad credentials", "Request blocked", "Please sign in", "oauth2/client"}

// secretValues returns what is secret in a document or a reply.
func secretValues(document string) []string {
	var fields map[string]any
	_ = json.Unmarshal([]byte(document), &fields)
	var values []string
	for _, name := range []string{"access_token", "refresh_token", "client_secret", "password", "state_token"} {
		if value, ok := fields[name].(string); ok && value != "" {
			values = append(values, value)
		}
	}
	return values
}
