package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// An operator who runs the doctor often must not use up the versions that a secret
// may have in a day: the rotator may need nearly all of them.
func TestCheckOften(t *testing.T) {
	simulateAWS(t, fakeaws.Options{RecreateAfter: 30 * time.Second, WritesPerSecond: 3}, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		s.beat().want("default", rotator.Refreshed)
		begun := time.Now()
		for range 3 { // the check parameter may not be made again at once
			s.check().wantWrong(nil)
		}
		if took := time.Since(begun); took > 75*time.Second {
			t.Errorf("three checks took %v", took)
		}
		for time.Since(begun) < 24*time.Hour {
			s.check().wantWrong(nil)
			time.Sleep(20 * time.Minute)
		}
		for _, kind := range []string{"credentials", "token"} {
			if n := len(s.AWS.SecretVersions(harness.SecretName("default", kind))); n > 1+2 {
				t.Errorf("%s has %d versions", kind, n)
			}
		}
	})
}

// The version that the check writes says what it is, and its label is removed. So is
// a label that an earlier check or an operator left behind.
func TestCheckVersion(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		s.beat().want("default", rotator.Refreshed)
		denied("UpdateSecretVersionStage", "default/token", "AccessDeniedException")(s)
		// Only in this case does the check leave something behind: a label.
		c := s.checkBeside(nil)
		c.wantWrong(map[string]string{
			"token_write": "could not be removed, which does no harm: access was denied (UpdateSecretVersionStage: AccessDeniedException); allow the function's role secretsmanager:UpdateSecretVersionStage on " + secretARN + "token-??????",
		})
		versions := s.AWS.SecretVersions(harness.SecretName("default", "token"))
		left := versions["check-by-the-rotator-on-2000-01-01"]
		if fields := decode(t, left.Value); !slices.Equal(left.Labels, []string{"ROTATOR_CHECK"}) || len(fields) != 1 || fields["rotator_check"] == nil {
			t.Errorf("the version is %+v", left)
		}
		s.wantWorking("default")

		allowed(s)
		for range 2 { // the next day, and once more
			time.Sleep(24 * time.Hour)
			s.checkBeside(nil).wantWrong(nil)
			s.wantNoLabel("default")
		}
	})
}

func (s *fixture) wantNoLabel(connection string) {
	s.t.Helper()
	for _, kind := range []string{"credentials", "token"} {
		for id, version := range s.AWS.SecretVersions(harness.SecretName(connection, kind)) {
			if slices.Contains(version.Labels, "ROTATOR_CHECK") || strings.HasPrefix(id, "check") && len(version.Labels) > 0 {
				s.t.Errorf("%s %s bears %v", kind, id, version.Labels)
			}
		}
	}
	if _, _, left := s.AWS.Parameter(harness.ParameterName(connection, "check")); left {
		s.t.Error("the check parameter is left")
	}
}

// A refresh that changes both secrets runs between any two calls of a check, and a
// check between any two calls of such a refresh.
func TestCheckBesideAHeartbeat(t *testing.T) {
	type side struct {
		name  string
		outer func(s *fixture, hook func(string, string, bool))
		inner func(s *fixture)
	}
	refresh := func(s *fixture) {
		if report, err := s.Invoke(s.t.Context(), rotator.Event{}); err != nil || report.Connections[0].Outcome != rotator.Refreshed {
			s.t.Errorf("the heartbeat: %+v, %v", report, err)
		}
	}
	examine := func(s *fixture, hook func(string, string, bool)) { s.checkBeside(hook).wantWrong(nil) }
	for _, side := range []side{
		{"a heartbeat in a check", examine, refresh},
		{"a check in a heartbeat", func(s *fixture, hook func(string, string, bool)) {
			s.AWS.OnCall(hook)
			refresh(s)
			s.AWS.OnCall(nil)
		}, func(s *fixture) {
			report, err := s.Check(s.t.Context())
			checkup{t: s.t, report: report, err: err}.wantWrong(nil)
		}},
	} {
		t.Run(side.name, func(t *testing.T) {
			moments := 0
			for more := true; more; moments++ {
				simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
					s.seeded("default", s.credentials())
					old := s.refreshToken("default")
					var moment atomic.Int64 // a check's calls come side by side
					var where atomic.Value
					side.outer(s, func(operation, name string, before bool) {
						if moment.Add(1) == int64(moments+1) {
							where.Store(fmt.Sprintf("%s %s before=%t", operation, name, before))
							side.inner(s)
						}
					})
					if more = where.Load() != nil; !more {
						return
					}
					s.wantWorking("default")
					s.wantNoLabel("default")
					if token := s.refreshToken("default"); token == old || token == "" {
						t.Error("the changed refresh token is not current")
					}
					if state := s.State("default"); state.Primary.Error != "" || state.Primary.Failures > 0 {
						t.Errorf("the state is %+v", state)
					}
					if t.Failed() {
						t.Logf("at %s", where.Load())
					}
				})
			}
			if moments < 14 {
				t.Errorf("only %d moments were tried", moments)
			}
		})
	}
}

func TestCheckOfManyConnections(t *testing.T) {
	simulateAWS(t, fakeaws.Options{WritesPerSecond: 3, Latency: 50 * time.Millisecond}, fakereltio.Options{MultiToken: true}, func(t *testing.T, s *fixture) {
		var names []string
		for i := range 100 {
			names = append(names, fmt.Sprintf("tenant-%02d", i))
			s.seed(names[i], clientOnly())
		}
		s.config("tenant-41", `{"refresh_before_seconds":"900"}`)
		s.AWS.Inject(fakeaws.Fault{Operation: "PutSecretValue", Name: "tenant-42/credentials", Code: "AccessDeniedException", Times: -1})
		begun := time.Now()
		c := s.checkBeside(nil)
		c.wantWrong(map[string]string{
			"tenant-41 config": "refresh_before_seconds must be a whole number", "tenant-41 token_host": "correct the config first",
			"tenant-42 credentials_write": "PutSecretValue",
		})
		if len(c.report.Checks) != 1000 || time.Since(begun) > 60*time.Second || len(s.Network.Dialled()) != 1 {
			t.Errorf("%d checks took %v and %d connections", len(c.report.Checks), time.Since(begun), len(s.Network.Dialled()))
		}
	})
}

// If the check cannot remove what it wrote, this does no harm, and the next check
// removes it.
func TestCheckParameterThatCannotBeDeleted(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		denied("DeleteParameter", "", "AccessDeniedException")(s)
		s.checkBeside(nil).wantWrong(map[string]string{
			"parameters": "was written and could not be deleted: access was denied (DeleteParameter: AccessDeniedException); allow the function's role ssm:DeleteParameter on " + ssmARN + "check and, for the pending refresh token, " + ssmARN + "pending",
		})
		s.beat().want("default", rotator.Refreshed)
		allowed(s)
		s.checkBeside(nil).wantWrong(nil)
		s.wantNoLabel("default")
	})
}

// If AWS does not answer, the check reports before Lambda ends the run.
func TestCheckEndsInTime(t *testing.T) {
	for _, operation := range []string{"DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage", "GetSecretValue", "PutParameter", "DeleteParameter"} {
		simulate(t, fakereltio.Options{MultiToken: true}, func(t *testing.T, s *fixture) {
			for i := range 40 {
				s.seed(fmt.Sprintf("tenant-%02d", i), clientOnly())
			}
			s.AWS.Inject(fakeaws.Fault{Operation: operation, Hang: true, Times: -1})
			s.Network.NoRoute = true
			begun := time.Now()
			c := s.checkBeside(nil)
			if took := time.Since(begun); c.err != nil || took > harness.Timeout-time.Second {
				t.Errorf("%s: took %v, %v", operation, took, c.err)
			}
			if len(c.report.Checks) != 40*10 {
				t.Errorf("%s: %d checks", operation, len(c.report.Checks))
			}
		})
	}
}
