package simulation_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// second is the user of the alternate set.
const second = "second"

// readOnce is a rotator whose jobs read the secret once.
type readOnce struct {
	name          string
	two           bool
	rejected      bool // the alternate set, for a ninth of the time
	jwt           bool
	refreshBefore time.Duration
	lifetimes     map[string]time.Duration
	// least is the least life left at a read outside outages that the rotator is
	// to keep, and fails the share of jobs of 25 min that may fail.
	least time.Duration
	fails float64
}

func readOnces() []readOnce {
	const half = 1560 * time.Second
	return []readOnce{
		{name: "one set"},
		{name: "two sets", two: true, least: half, fails: 0.005},
		{name: "two sets, window of 30 min", two: true, refreshBefore: 30 * time.Minute, least: half, fails: 0.005},
		{name: "two sets, 3599 and 1799 s", two: true, lifetimes: map[string]time.Duration{second: 1799 * time.Second}},
		{name: "two sets, one rejected", two: true, rejected: true},
		{name: "one set, tokens live on", jwt: true},
		{name: "two sets, tokens live on", two: true, jwt: true, least: half, fails: 0.005},
	}
}

// held is a token that a job read.
type held struct {
	at   time.Duration
	read harness.Token
}

// readerLife has the results of one simulation.
type readerLife struct {
	fails [3]float64 // of jobs of 5, 15 and 25 min
	least time.Duration
	// ended are the tokens that were ended before their valid_until, unexplained
	// those of them that no exception of the promise explains.
	ended, unexplained int
}

// Jobs read the secret once and then work. With two sets, no token that they read is
// ended before its valid_until, except after a lost answer or in an outage.
func TestJobsThatReadOnce(t *testing.T) {
	days := 6
	if *long {
		days = 90
	}
	rows := readOnces()
	lives := make([]readerLife, len(rows))
	t.Run("lives", func(t *testing.T) {
		for i, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { lives[i] = row.live(t, newScenario(*first, time.Duration(days)*day)) })
			})
		}
	})
	fmt.Printf("\nJobs that read once, %d days each:\n%-28s  fails within 5, 15, 25 min      least left (1 %%)  ended early  unexplained\n", days, "")
	for i, row := range rows {
		l := lives[i]
		fmt.Printf("%-28s  %6.2f %%  %6.2f %%  %6.2f %%  %16.0f s  %11d  %11d\n", row.name, 100*l.fails[0], 100*l.fails[1], 100*l.fails[2], l.least.Seconds(), l.ended, l.unexplained)
		if l.unexplained > 0 || l.least < row.least || row.fails > 0 && *long && l.fails[2] > row.fails {
			t.Errorf("%s: %+v, want at least %v left, at most %v of the jobs of 25 min to fail", row.name, l, row.least, row.fails)
		}
	}
}

func (r readOnce) live(t *testing.T, s *scenario) readerLife {
	h := newHarness(t, fakereltio.Options{JWT: r.jwt, Users: map[string]string{second: "password"}, Lifetimes: r.lifetimes, RefreshLifetime: 365 * day}, false)
	if r.refreshBefore > 0 {
		h.Settings.RefreshBefore = r.refreshBefore
	}
	if r.jwt {
		h.AWS.PutParameter(harness.ParameterName(connection, "config"), `{"refresh_ends_token":false}`)
	}
	primary := map[string]any{"client_id": "client", "client_secret": "secret"}
	_, primary["refresh_token"] = h.Reltio.Login()
	seed := func() {
		if r.two {
			_, refreshToken := h.Reltio.LoginAs(second)
			primary["alternate"] = map[string]any{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken}
		}
		document, _ := json.Marshal(primary)
		h.AWS.PutSecret(harness.SecretName(connection, "credentials"), string(document))
	}
	seed()
	start := time.Now()
	h.Reltio.SetFaults(func() fakereltio.Fault {
		fault := s.tokenFault(time.Since(start))
		fault.Executed = fault.Executed || fault.Status == 504
		return fault
	})
	h.AWS.SetFaults(func(c fakeaws.Call) (fakeaws.Fault, bool) { return s.awsFault(time.Since(start), c), true })
	var running sync.WaitGroup
	var reads []held
	var lost []span // minutes in which answers were lost
	answers, revoked, corrected := 0, false, false
	for minute := range int(s.length / time.Minute) {
		at := time.Duration(minute) * time.Minute
		time.Sleep(at - time.Since(start))
		if r.rejected && at > s.length/3 && !revoked {
			revoked = true
			h.Reltio.Revoke(second)
			lost = append(lost, span{at, at})
		}
		if r.rejected && at > s.length/3+s.length/9 && !corrected {
			corrected = true
			seed()
			lost = append(lost, span{at, at})
		}
		for _, late := range s.heartbeats(minute) {
			running.Go(func() {
				time.Sleep(late)
				_, _ = h.Invoke(t.Context(), rotator.Event{})
			})
		}
		if n := h.Reltio.AnswersLost(); n != answers || !h.State(connection).Published.UncertainSince.IsZero() {
			answers = n
			lost = append(lost, span{at - 2*time.Minute, at})
		}
		if token, ok := h.Token(connection); ok {
			reads = append(reads, held{at, token})
		}
	}
	running.Wait()
	return r.judge(h, start, s, reads, lost)
}

// judge counts which jobs that read these tokens failed.
func (r readOnce) judge(h *harness.Harness, start time.Time, s *scenario, reads []held, lost []span) readerLife {
	var life readerLife
	var left []time.Duration
	outages := merge(s.outages())
	spoiled := merge(append(s.outages(), lost...))
	seen := map[string]bool{}
	for _, read := range reads {
		known, _ := h.Reltio.AccessToken(read.read.AccessToken)
		end := known.ExpiresAt
		if !known.EndedAt.IsZero() && known.EndedAt.Before(end) {
			end = known.EndedAt
		}
		remains := end.Sub(start.Add(read.at))
		for i, job := range []time.Duration{5 * time.Minute, 15 * time.Minute, 25 * time.Minute} {
			if remains < job {
				life.fails[i] += 1 / float64(len(reads))
			}
		}
		issued := known.IssuedAt.Sub(start)
		during := func(o span) bool { return o.from <= end.Sub(start)+recovery && o.to+recovery >= issued }
		if !slices.ContainsFunc(outages, func(o span) bool { return o.from <= read.at && read.at <= o.to+30*time.Minute }) {
			left = append(left, remains)
		}
		if !seen[read.read.AccessToken] && end.Before(read.read.ValidUntil) {
			life.ended++
			if !slices.ContainsFunc(spoiled, during) {
				life.unexplained++
			}
		}
		seen[read.read.AccessToken] = true
	}
	slices.Sort(left)
	if len(left) > 0 {
		life.least = left[len(left)/100]
	}
	return life
}
