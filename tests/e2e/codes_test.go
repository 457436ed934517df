package e2e_test

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
)

func TestErrorCodes(t *testing.T) {
	for _, row := range slices.Concat(passing, rejections, atHome) {
		t.Run(string(row.code)+"/"+row.name, func(t *testing.T) {
			simulate(t, row.options, func(t *testing.T, s *fixture) {
				fields := s.credentials()
				if row.logsIn {
					fields = s.loginCredentials()
				}
				s.seeded("default", fields)
				expiry := s.State("default").Published.ExpiresAt
				row.breaks(s)

				begun := time.Now()
				first := s.beat()
				row.wantFirstFailure(s, first, begun, expiry)
				row.wantTries(s, begun)

				row.repairs(s)
				if row.awaits {
					row.wantNewCredentialsAtOnce(s, fields)
				} else {
					wantWellAgain(s)
				}
			})
		})
	}
}

// Every error code occurs in a test, here or in the named file.
func TestEveryErrorCodeIsMet(t *testing.T) {
	met := map[rotator.Code]bool{
		rotator.CredentialsNotSaved: true, // save_test.go
		rotator.InternalError:       true, // isolation_test.go
		rotator.TooManyReports:      true, // deadtoken_test.go
	}
	for _, row := range slices.Concat(passing, rejections, atHome) {
		met[row.code] = true
	}
	for _, code := range rotator.Codes() {
		if !met[code] {
			t.Errorf("no failure of codes_table_test.go has the code %s", code)
		}
	}
}

// level is WARN for what will be retried and ERROR for what needs action.
func (row failure) level() string {
	if row.operator {
		return "ERROR"
	}
	return "WARN"
}

func (row failure) actionRequired() float64 {
	if row.operator {
		return 1
	}
	return 0
}

// wantFirstFailure checks everything that the first failing run reports and records.
func (row failure) wantFirstFailure(s *fixture, r run, begun, expiry time.Time) {
	s.t.Helper()
	result := r.wantFailed("default", row.code)
	if !strings.Contains(result.Message, row.says) {
		s.t.Errorf("the message does not say %q: %s", row.says, result.Message)
	}
	if len(r.sent) != row.sends {
		s.t.Errorf("token requests: %v, want %d", r.sent, row.sends)
	}
	failed, ok := errors.AsType[*rotator.RotationFailed](r.err)
	if !ok || failed.Error() != "default: "+string(row.code) {
		s.t.Errorf("the invocation's error is %v", r.err)
	}
	if r.level() != row.level() {
		s.t.Errorf("logged as %s, want %s", r.level(), row.level())
	}
	r.wantMetric("Failures", 1)
	r.wantMetric("Refreshes", 0)
	r.wantMetric("ActionRequired", row.actionRequired())
	throttles := 0.0
	if row.code == rotator.Throttled {
		throttles = float64(row.sends)
	}
	r.wantMetric("Throttles", throttles)

	state := s.State("default")
	if uncertain := state.Published.UncertainSince; row.ended == uncertain.IsZero() || uncertain.After(time.Now()) || !state.Published.ExpiresAt.Equal(expiry) {
		s.t.Errorf("expires_at went from %v to %v at %v, uncertain since %v", expiry, state.Published.ExpiresAt, begun, uncertain)
	}
	// A failure before the lease is not recorded.
	leased := row.sends > 0 || row.code == rotator.Unreachable || row.code == rotator.CredentialsUnread
	if failures := state.Failures + state.Primary.Failures; leased && (standing(state) != row.code || failures != 1) {
		s.t.Errorf("the state says %q, %d failures", standing(state), failures)
	}
	if !leased && (standing(state) != "" || r.calls["PutParameter"] > 0 && row.code != rotator.StateUnavailable) {
		s.t.Errorf("the state says %q after %v", standing(state), r.calls)
	}
	until := state.Primary.NotBefore
	if state.NotBefore.After(until) {
		until = state.NotBefore
	}
	if len(row.tries) > 1 && row.tries[1] > 1 && until.IsZero() || !until.Equal(result.RetryAt) {
		s.t.Errorf("not_before is %v, retry_at %v", until, result.RetryAt)
	}
}

// standing is the error in the state of a connection with one credential set.
func standing(state rotator.State) rotator.Code { return cmp.Or(state.Error, state.Primary.Error) }

// wantTries sends heartbeats during the failure and checks when attempts are made.
func (row failure) wantTries(s *fixture, begun time.Time) {
	s.t.Helper()
	tries, last := []int{0}, 0
	for minute := range max(8, row.tries[len(row.tries)-1]+1) {
		if minute == 0 {
			continue
		}
		time.Sleep(time.Until(begun.Add(time.Duration(minute) * time.Minute)))
		switch r := s.beat(); r.of("default").Outcome {
		case rotator.Failed:
			r.wantFailed("default", row.code)
			tries, last = append(tries, minute), minute
		default:
			result := r.want("default", rotator.BackingOff)
			if r.err != nil || len(r.sent) > 0 || result.Error != row.code || result.Message == "" {
				s.t.Errorf("minute %d: %+v, %v, sent %v", minute, result, r.err, r.sent)
			}
			if r.level() != row.level() {
				s.t.Errorf("minute %d: logged as %s, want %s", minute, r.level(), row.level())
			}
			r.wantMetric("ActionRequired", row.actionRequired())
			r.wantMetric("Failures", 0)
			if retry := result.RetryAt; row.code != rotator.LoginRejected && !retry.After(begun.Add(time.Duration(last)*time.Minute)) {
				s.t.Errorf("minute %d: retry_at is %v", minute, retry)
			}
		}
	}
	if !slices.Equal(tries, row.tries) {
		s.t.Errorf("tried at the minutes %v, want %v", tries, row.tries)
	}
}

// wantNewCredentialsAtOnce checks that the next heartbeat uses new credentials,
// whatever the backoff is.
func (row failure) wantNewCredentialsAtOnce(s *fixture, fields map[string]string) {
	s.t.Helper()
	time.Sleep(time.Minute)
	r := s.beat()
	r.want("default", rotator.BackingOff)
	r.wantSent()
	s.PutCredentials("default", fields)
	time.Sleep(time.Minute)
	r = s.beat()
	if result := r.want("default", rotator.Refreshed); result.Reason != rotator.ReasonNewCredentials {
		s.t.Errorf("the reason is %s", result.Reason)
	}
	wantAllWell(s, r)
}

// wantWellAgain checks that a token is requested again in time, and that nothing of
// the failure remains in the state.
func wantWellAgain(s *fixture) {
	s.t.Helper()
	for range 61 {
		time.Sleep(time.Minute)
		r := s.beat()
		if r.of("default").Outcome == rotator.BackingOff {
			continue
		}
		r.want("default", rotator.Refreshed)
		wantAllWell(s, r)
		return
	}
	s.t.Error("an hour later it has not been tried again")
}

func wantAllWell(s *fixture, r run) {
	s.t.Helper()
	state := s.State("default")
	if standing(state) != "" || state.Primary.Failures != 0 || !state.Primary.NotBefore.IsZero() {
		s.t.Errorf("the state still says %q, %d failures, not before %v", state.Primary.Error, state.Primary.Failures, state.Primary.NotBefore)
	}
	if r.err != nil || r.level() != "INFO" {
		s.t.Errorf("the run ended with %v, logged as %s", r.err, r.level())
	}
	r.wantMetric("ActionRequired", 0)
	r.wantMetric("RefreshOverdue", 0)
	r.wantMetric("Refreshes", 1)
	s.wantWorking("default")
}
