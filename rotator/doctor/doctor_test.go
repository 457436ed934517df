package doctor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// fakeStack has one connection, named default, in which nothing is wrong. Each
// call asks "fails" first, which may panic or return an error.
type fakeStack struct {
	fails       func(call string) error
	description rotator.SecretDescription
	current     bool // what a labelled write becomes
	calls       chan string
	connections []string
	configs     map[string]string // {} if not here
	credentials map[string]string // a client alone if not here
	state       string            // of the first connection, if not empty
	// writeSpacing is the time between two parameter writes.
	writeSpacing time.Duration
	mu           sync.Mutex
	nextWrite    time.Time
}

func newFakeStack() *fakeStack {
	return &fakeStack{
		fails:       func(string) error { return nil },
		description: rotator.SecretDescription{Current: "v1", Labels: map[string][]string{"v1": {"AWSCURRENT"}}},
		calls:       make(chan string, 100_000),
		connections: []string{"default"},
	}
}

func (s *fakeStack) call(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	s.calls <- call
	return s.fails(call)
}

func (s *fakeStack) List(context.Context) ([]rotator.Parameter, error) {
	var listing []rotator.Parameter
	for _, name := range s.connections {
		listing = append(listing, rotator.Parameter{Connection: name, Kind: rotator.KindConfig, Value: secret.New(cmp.Or(s.configs[name], "{}")), Version: 1})
	}
	if s.state != "" {
		listing = append(listing, rotator.Parameter{Connection: s.connections[0], Kind: rotator.KindState, Value: secret.New(s.state), Version: 1})
	}
	return listing, s.call("list")
}

func (s *fakeStack) Read(_ context.Context, connection string) (rotator.SecretVersion, error) {
	document := cmp.Or(s.credentials[connection], `{"client_id":"c","client_secret":"canary"}`)
	return rotator.SecretVersion{ID: "v1", Document: secret.New(document)}, s.call("read")
}

func (s *fakeStack) SecretName(connection string, kind rotator.SecretKind) string {
	return connection + "/" + string(kind)
}

func (s *fakeStack) Describe(_ context.Context, _ string, kind rotator.SecretKind) (rotator.SecretDescription, error) {
	return s.description, s.call("describe %s", kind)
}

func (s *fakeStack) PutLabelled(_ context.Context, _ string, kind rotator.SecretKind, id, label, _ string) (bool, error) {
	return s.current, s.call("put %s %s %s", kind, id, label)
}

func (s *fakeStack) RemoveLabel(_ context.Context, _ string, kind rotator.SecretKind, id, label string) error {
	return s.call("remove %s %s %s", kind, id, label)
}

func (s *fakeStack) ParameterName(connection string, kind rotator.Kind) string {
	return "/" + connection + "/" + string(kind)
}

// WaitToWrite lets one caller write every writeSpacing.
func (s *fakeStack) WaitToWrite(ctx context.Context, _ rotator.Priority) error {
	s.mu.Lock()
	now := time.Now()
	if s.nextWrite.Before(now) {
		s.nextWrite = now
	}
	wait := s.nextWrite.Sub(now)
	s.nextWrite = s.nextWrite.Add(s.writeSpacing)
	s.mu.Unlock()
	select {
	case <-time.After(wait):
		return s.call("wait")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *fakeStack) PutCheck(context.Context, string) error { return s.call("put check") }

func (s *fakeStack) DeleteCheck(context.Context, string) error { return s.call("delete check") }

func (s *fakeStack) Reach(context.Context, string) (string, error) { return "reached", s.call("reach") }

func (s *fakeStack) check(t *testing.T) (report Report, printed string, err error) {
	t.Helper()
	var log bytes.Buffer
	d := &Doctor{
		Settings: rotator.Settings{TokenURL: "https://auth.reltio.com/oauth/token", TokenHosts: []string{"reltio.com"}, RefreshBefore: 10 * time.Minute, Heartbeat: time.Minute}, Lister: s, Credentials: s, Secrets: s, Parameters: s, Hosts: s,
		Log: slog.New(slog.NewJSONHandler(&log, nil)),
	}
	report, err = d.Check(t.Context())
	return report, log.String(), err
}

// called are the calls so far that begin with prefix, sorted.
func (s *fakeStack) called(prefix string) []string {
	var calls []string
	for range len(s.calls) {
		if call := <-s.calls; strings.HasPrefix(call, prefix) {
			calls = append(calls, call)
		}
	}
	slices.Sort(calls)
	return calls
}

func failedChecks(report Report) map[CheckName]string {
	found := map[CheckName]string{}
	for _, check := range report.Checks {
		if !check.OK {
			found[check.Check] = check.Message
		}
	}
	return found
}

// The panic's value could hold a secret and is not shown. The other checks continue.
func TestAPanicInACheckFailsThatCheck(t *testing.T) {
	for in, name := range map[string]CheckName{
		"read": CheckCredentials, "describe credentials": CheckCredentials, "describe token": CheckTokenWrite,
		"put check": CheckParameters, "reach": CheckTokenHost,
	} {
		s := newFakeStack()
		s.fails = func(call string) error {
			if call == in {
				panic("canary")
			}
			return nil
		}
		report, printed, err := s.check(t)
		wrong := failedChecks(report)
		if err != nil || len(wrong) != 1 || !strings.Contains(wrong[name], "a bug in the rotator (") {
			t.Errorf("%s: %v, %v", in, wrong, err)
		}
		if strings.Contains(printed, "canary") || strings.Contains(fmt.Sprint(report), "canary") {
			t.Errorf("%s: the panic's value is shown: %s", in, printed)
		}
	}

	s := newFakeStack()
	s.fails = func(string) error { panic("canary") }
	if _, _, err := s.check(t); rotator.CodeOf(err) != rotator.InternalError || strings.Contains(err.Error(), "canary") {
		t.Errorf("the error is %v", err)
	}
}

// The secret was deleted and created again between the description and the write.
// No value is replaced, because there was none, but jobs must not wait for a
// refresh.
func TestATestVersionThatBecameCurrentIsReported(t *testing.T) {
	s := newFakeStack()
	s.current = true
	report, _, _ := s.check(t)
	wrong := failedChecks(report)
	for name, says := range map[CheckName]string{
		CheckCredentialsWrite: "aws secretsmanager put-secret-value --secret-id default/credentials",
		CheckTokenWrite:       `invoke the function with {"action":"refresh","connections":["default"],"force":true}`,
	} {
		if !strings.Contains(wrong[name], "the test version became current; ") || !strings.Contains(wrong[name], says) {
			t.Errorf("%s: %q", name, wrong[name])
		}
	}
}

// A label that an earlier check left is removed from its version too, and a write
// that seemed to fail may have happened.
func TestEveryLabelIsRemoved(t *testing.T) {
	for _, failure := range []error{nil, errors.New("PutSecretValue: timed out")} {
		s := newFakeStack()
		s.description.Labels["v0"] = []string{"MINE", checkLabel}
		s.fails = func(call string) error {
			if strings.HasPrefix(call, "put token") {
				return failure
			}
			return nil
		}
		report, _, _ := s.check(t)
		if wrong := failedChecks(report); len(wrong) > 0 != (failure != nil) {
			t.Errorf("%v: %v", failure, wrong)
		}
		today := s.called("remove token")
		if len(today) != 2 || !strings.HasPrefix(today[0], "remove token check-by-the-rotator-on-") || today[1] != "remove token v0 ROTATOR_CHECK" {
			t.Errorf("%v: %v", failure, today)
		}
	}
}

func TestASecretWithoutAKnownValueIsNotWritten(t *testing.T) {
	for name, description := range map[string]rotator.SecretDescription{
		"no value":  {},
		"a label":   {Labels: map[string][]string{"v0": {checkLabel}}},
		"deleted":   {Current: "v1", Deleted: true},
		"no answer": {Current: "v1"},
	} {
		s := newFakeStack()
		s.description = description
		s.fails = func(call string) error {
			if name == "no answer" && strings.HasPrefix(call, "describe") {
				return rotator.ErrDenied
			}
			return nil
		}
		_, _, _ = s.check(t)
		if calls := slices.DeleteFunc(s.called("put"), func(call string) bool { return call == "put check" }); len(calls) > 0 {
			t.Errorf("%s: %v", name, calls)
		}
	}
}

func TestACustomerKeyIsNamed(t *testing.T) {
	const key = "arn:aws:kms:eu-west-1:123456789012:key/1"
	for _, c := range []struct {
		failure            error
		credentials, token string // what the checks say of it
	}{
		{rotator.ErrDenied, "and kms:Decrypt on its key " + key + ", in the key's policy too", "and kms:GenerateDataKey and kms:Decrypt on its key " + key},
		{rotator.ErrKey, ": aws kms enable-key --key-id " + key, ": aws kms enable-key --key-id " + key},
	} {
		s := newFakeStack()
		s.description.Key = key
		s.fails = func(call string) error {
			if call == "read" || strings.HasPrefix(call, "put token") {
				return fmt.Errorf("%s: %w", call, c.failure)
			}
			return nil
		}
		report, _, _ := s.check(t)
		wrong := failedChecks(report)
		if !strings.Contains(wrong[CheckCredentials], c.credentials) {
			t.Errorf("%v: %s", c.failure, wrong[CheckCredentials])
		}
		if !strings.Contains(wrong[CheckTokenWrite], c.token) {
			t.Errorf("%v: %s", c.failure, wrong[CheckTokenWrite])
		}
	}
}

func TestTheTestVersionsIDIsValid(t *testing.T) {
	s := newFakeStack()
	if _, _, err := s.check(t); err != nil {
		t.Fatal(err)
	}
	calls := s.called("put token")
	if len(calls) != 1 {
		t.Fatal(calls)
	}
	id := strings.Fields(calls[0])[2]
	if len(id) < 32 || len(id) > 64 || strings.HasPrefix(id, "rotator-") {
		t.Errorf("version id %q", id)
	}
	// If an operator makes it current, it is neither credentials nor a token.
	if _, err := rotator.CheckCredentials(secret.New(checkValue)); rotator.CodeOf(err) != rotator.CredentialsUnread {
		t.Errorf("as credentials: %v", err)
	}
}
