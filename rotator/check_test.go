package rotator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"reltio-token-rotator/rotator/secret"
)

// ward is a stack with one connection, named default, that is well. Each call
// asks "breaks" first, which may panic or return an error.
type ward struct {
	breaks  func(call string) error
	about   SecretDescription
	current bool // what a labelled write becomes
	calls   chan string
}

func newWard() *ward {
	return &ward{
		breaks: func(string) error { return nil },
		about:  SecretDescription{Current: "v1", Labels: map[string][]string{"v1": {"AWSCURRENT"}}},
		calls:  make(chan string, 100),
	}
}

func (w *ward) call(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	w.calls <- call
	return w.breaks(call)
}

func (w *ward) List(context.Context) ([]Parameter, error) {
	return []Parameter{{"default", KindConfig, secret.New("{}"), 1}}, w.call("list")
}

func (w *ward) Read(context.Context, string) (SecretVersion, error) {
	return SecretVersion{ID: "v1", Document: secret.New(`{"client_id":"c","client_secret":"canary"}`)}, w.call("read")
}

func (w *ward) SecretName(connection string, kind SecretKind) string {
	return connection + "/" + string(kind)
}

func (w *ward) Describe(_ context.Context, _ string, kind SecretKind) (SecretDescription, error) {
	return w.about, w.call("describe %s", kind)
}

func (w *ward) PutLabelled(_ context.Context, _ string, kind SecretKind, id, label, _ string) (bool, error) {
	return w.current, w.call("put %s %s %s", kind, id, label)
}

func (w *ward) RemoveLabel(_ context.Context, _ string, kind SecretKind, id, label string) error {
	return w.call("remove %s %s %s", kind, id, label)
}

func (w *ward) ParameterName(connection string, kind Kind) string {
	return "/" + connection + "/" + string(kind)
}
func (w *ward) WaitToWrite(context.Context, Priority) error   { return w.call("wait") }
func (w *ward) PutCheck(context.Context, string) error        { return w.call("put check") }
func (w *ward) DeleteCheck(context.Context, string) error     { return w.call("delete check") }
func (w *ward) Reach(context.Context, string) (string, error) { return "reached", w.call("reach") }

func (w *ward) check(t *testing.T) (report CheckReport, printed string, err error) {
	t.Helper()
	var log bytes.Buffer
	d := &Doctor{
		Settings: settings, Lister: w, Credentials: w, Secrets: w, Parameters: w, Hosts: w,
		Log: slog.New(slog.NewJSONHandler(&log, nil)),
	}
	report, err = d.Check(t.Context())
	return report, log.String(), err
}

// called are the calls so far that begin with prefix, sorted.
func (w *ward) called(prefix string) []string {
	var calls []string
	for range len(w.calls) {
		if call := <-w.calls; strings.HasPrefix(call, prefix) {
			calls = append(calls, call)
		}
	}
	slices.Sort(calls)
	return calls
}

func wrongOnes(report CheckReport) map[CheckName]string {
	found := map[CheckName]string{}
	for _, check := range report.Checks {
		if !check.OK {
			found[check.Check] = check.Message
		}
	}
	return found
}

// What is thrown could hold a secret: it is not shown, and the rest is looked
// at all the same.
func TestAPanicInACheckIsItsFinding(t *testing.T) {
	for in, name := range map[string]CheckName{
		"read": CheckedCredentials, "describe credentials": CheckedCredentials, "describe token": CheckedTokenWrite,
		"put check": CheckedParameters, "reach": CheckedTokenHost,
	} {
		w := newWard()
		w.breaks = func(call string) error {
			if call == in {
				panic("canary")
			}
			return nil
		}
		report, printed, err := w.check(t)
		wrong := wrongOnes(report)
		if err != nil || len(wrong) != 1 || !strings.Contains(wrong[name], "a bug in the rotator (") {
			t.Errorf("%s: %v, %v", in, wrong, err)
		}
		if strings.Contains(printed, "canary") || strings.Contains(fmt.Sprint(report), "canary") {
			t.Errorf("%s: what was thrown is shown: %s", in, printed)
		}
	}

	w := newWard()
	w.breaks = func(string) error { panic("canary") }
	if _, _, err := w.check(t); CodeOf(err) != InternalError || strings.Contains(err.Error(), "canary") {
		t.Errorf("the error is %v", err)
	}
}

// Deleted and made again in the instant between the look and the write: nobody's
// value is replaced, since there was none, but jobs must not wait for a refresh.
func TestCheckWhoseVersionBecameCurrentSaysSo(t *testing.T) {
	w := newWard()
	w.current = true
	report, _, _ := w.check(t)
	wrong := wrongOnes(report)
	for name, says := range map[CheckName]string{
		CheckedCredentialsWrite: "aws secretsmanager put-secret-value --secret-id default/credentials",
		CheckedTokenWrite:       `invoke the function with {"action":"refresh","connections":["default"],"force":true}`,
	} {
		if !strings.Contains(wrong[name], "the check's own became current: "+says) {
			t.Errorf("%s: %q", name, wrong[name])
		}
	}
}

// A label that an earlier check left is taken off its version too, and a write
// that seemed to fail may have happened.
func TestCheckTakesEveryLabelOff(t *testing.T) {
	for _, failure := range []error{nil, errors.New("PutSecretValue: timed out")} {
		w := newWard()
		w.about.Labels["v0"] = []string{"MINE", checkLabel}
		w.breaks = func(call string) error {
			if strings.HasPrefix(call, "put token") {
				return failure
			}
			return nil
		}
		report, _, _ := w.check(t)
		if wrong := wrongOnes(report); len(wrong) > 0 != (failure != nil) {
			t.Errorf("%v: %v", failure, wrong)
		}
		today := w.called("remove token")
		if len(today) != 2 || !strings.HasPrefix(today[0], "remove token check-by-the-rotator-on-") || today[1] != "remove token v0 ROTATOR_CHECK" {
			t.Errorf("%v: %v", failure, today)
		}
	}
}

func TestCheckDoesNotWriteWhatItDoesNotKnow(t *testing.T) {
	for name, about := range map[string]SecretDescription{
		"no value":  {},
		"a label":   {Labels: map[string][]string{"v0": {checkLabel}}},
		"deleted":   {Current: "v1", Deleted: true},
		"no answer": {Current: "v1"},
	} {
		w := newWard()
		w.about = about
		w.breaks = func(call string) error {
			if name == "no answer" && strings.HasPrefix(call, "describe") {
				return ErrDenied
			}
			return nil
		}
		_, _, _ = w.check(t)
		if calls := slices.DeleteFunc(w.called("put"), func(call string) bool { return call == "put check" }); len(calls) > 0 {
			t.Errorf("%s: %v", name, calls)
		}
	}
}

// What is wrong can be the key: with one of one's own the advice names it.
func TestCheckNamesTheKey(t *testing.T) {
	const key = "arn:aws:kms:eu-west-1:123456789012:key/1"
	for _, c := range []struct {
		failure            error
		credentials, token string // what the checks say of it
	}{
		{ErrDenied, "and kms:Decrypt on its key " + key + ", in the key's policy too", "and kms:GenerateDataKey and kms:Decrypt on its key " + key},
		{ErrKey, ": aws kms enable-key --key-id " + key, ": aws kms enable-key --key-id " + key},
	} {
		w := newWard()
		w.about.Key = key
		w.breaks = func(call string) error {
			if call == "read" || strings.HasPrefix(call, "put token") {
				return fmt.Errorf("%s: %w", call, c.failure)
			}
			return nil
		}
		report, _, _ := w.check(t)
		wrong := wrongOnes(report)
		if !strings.Contains(wrong[CheckedCredentials], c.credentials) {
			t.Errorf("%v: %s", c.failure, wrong[CheckedCredentials])
		}
		if !strings.Contains(wrong[CheckedTokenWrite], c.token) {
			t.Errorf("%v: %s", c.failure, wrong[CheckedTokenWrite])
		}
	}
}

func TestCheckVersionIsOneASecretTakes(t *testing.T) {
	w := newWard()
	if _, _, err := w.check(t); err != nil {
		t.Fatal(err)
	}
	calls := w.called("put token")
	if len(calls) != 1 {
		t.Fatal(calls)
	}
	id := strings.Fields(calls[0])[2]
	if len(id) < 32 || len(id) > 64 || strings.HasPrefix(id, ownVersion) {
		t.Errorf("version id %q", id)
	}
	// Were a person to make it current, it is unreadable and not a token.
	if _, err := parseCredentials(SecretVersion{ID: id, Document: secret.New(checkValue)}); CodeOf(err) != CredentialsUnread {
		t.Errorf("as credentials: %v", err)
	}
}
