package e2e_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/doctor"
	"reltio-token-rotator/tests/harness"
)

// checkup has everything that one check returned, called and logged.
type checkup struct {
	t      *testing.T
	report doctor.Report
	err    error
	calls  map[string]int
	logs   []map[string]any
}

// check runs the doctor and checks that it did no harm: no token request, no change
// of a current value, nothing left behind, and no secret shown.
func (s *fixture) check() checkup {
	s.t.Helper()
	before := s.currentValues()
	c := s.checkBeside(nil)
	if after := s.currentValues(); !reflect.DeepEqual(after, before) {
		s.t.Errorf("the check changed current values from\n%v\nto\n%v", before, after)
	}
	return c
}

// checkBeside is check without the comparison of current values, which something
// else may change at the same time. The hook is called for each call to AWS.
func (s *fixture) checkBeside(hook func(operation, name string, before bool)) checkup {
	s.t.Helper()
	sent, printed := len(s.Reltio.Requests()), len(s.Output())
	s.AWS.ResetCalls()
	c := checkup{t: s.t}
	s.AWS.OnCall(hook)
	c.report, c.err = s.Check(s.t.Context())
	s.AWS.OnCall(nil)
	synctest.Wait()
	c.calls = s.AWS.Calls()
	c.logs, _ = harness.ParseOutput(s.t, s.Output()[printed:])
	if requests := s.Reltio.Requests()[sent:]; hook == nil && len(requests) > 0 {
		s.t.Errorf("the check sent token requests: %v", requests)
	}
	if received := s.Network.Received(); len(received) > 0 {
		s.t.Errorf("the check sent %q to the token host", received)
	}
	said, _ := json.Marshal(c.report)
	verified := rotator.Report{Connections: []rotator.Result{{Name: "default"}}}
	s.wantNothingSecret(run{t: s.t, report: verified, err: c.err}, s.Output()[printed:]+string(said))
	for _, check := range c.report.Checks {
		if check.Message == "" || strings.Contains(check.Message, "\n") {
			s.t.Errorf("not one line: %+v", check)
		}
	}
	return c
}

// currentValues returns all parameters with their versions, and the labelled
// versions of all secrets.
func (s *fixture) currentValues() map[string]any {
	values := map[string]any{}
	for _, name := range []string{"default", "a", "b"} {
		for _, kind := range []string{"config", "state", "lease", "pending", "check"} {
			parameter := harness.ParameterName(name, kind)
			if value, version, ok := s.AWS.Parameter(parameter); ok {
				values[parameter] = []any{value, version}
			}
		}
		for _, kind := range []string{"credentials", "token"} {
			secret := harness.SecretName(name, kind)
			for id, version := range s.AWS.SecretVersions(secret) {
				for _, label := range version.Labels {
					values[secret+" "+label] = []string{id, version.Value}
				}
			}
		}
	}
	return values
}

// wantWrong checks which checks are not ok. The keys are "check" or "connection
// check", and the values are words that the message must contain. All other checks
// must be ok.
func (c checkup) wantWrong(want map[string]string) {
	c.t.Helper()
	if c.err != nil {
		c.t.Errorf("the check failed: %v", c.err)
	}
	want = maps.Clone(want)
	for _, check := range c.report.Checks {
		name := string(check.Check)
		if _, ok := want[name]; !ok {
			name = check.Connection + " " + name
		}
		words, expected := want[name]
		switch {
		case check.OK == expected:
			c.t.Errorf("%s is ok: %t: %s", name, check.OK, check.Message)
		case expected && !strings.Contains(check.Message, words):
			c.t.Errorf("%s does not say %q: %s", name, words, check.Message)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		c.t.Errorf("not looked at: %v", slices.Sorted(maps.Keys(want)))
	}
}

// wantOnlyWrong is wantWrong for connections with two sets, where several checks
// have one name: one check of each name is not ok, and its message holds the words.
func (c checkup) wantOnlyWrong(want map[string]string) {
	c.t.Helper()
	found := map[string]string{}
	for _, check := range c.report.Checks {
		if check.OK {
			continue
		}
		name := string(check.Check)
		words, expected := want[name]
		if !expected || found[name] != "" || !strings.Contains(check.Message, words) {
			c.t.Errorf("%s is not ok: %s", name, check.Message)
		}
		found[name] = check.Message
	}
	if c.err != nil || len(found) != len(want) {
		c.t.Errorf("found %v, %v; want %v", found, c.err, want)
	}
}

// says returns the message of a check that is ok.
func (c checkup) says(name doctor.CheckName, words string) {
	c.t.Helper()
	for _, check := range c.report.Checks {
		if check.Check == name {
			if !check.OK || !strings.Contains(check.Message, words) {
				c.t.Errorf("%s (ok: %t) does not say %q: %s", name, check.OK, words, check.Message)
			}
			return
		}
	}
	c.t.Errorf("%s was not looked at", name)
}
