package faults_test

import (
	"fmt"
	"slices"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// provider is a mode of the token endpoint.
type provider struct {
	name    string
	options fakereltio.Options
	// crowded: see situation.
	crowded bool
}

var providers = []provider{
	{name: "keeps", options: fakereltio.Options{MultiToken: true}, crowded: true},
	{name: "rotates", options: fakereltio.Options{RotateRefreshToken: true}},
	{name: "rotates and revokes", options: fakereltio.Options{RotateRefreshToken: true, RevokeFamilyOnReplay: true}, crowded: true},
	{name: "same until expired", options: fakereltio.Options{SameTokenUntilExpired: true}},
}

func (p provider) rotates() bool   { return p.options.RotateRefreshToken }
func (p provider) sameToken() bool { return p.options.SameTokenUntilExpired }

// situation is the state of the connection before a heartbeat. It can have faults of
// its own in that heartbeat, so that the heartbeat makes calls that it does not
// always make.
type situation struct {
	name string
	// fits reports which providers and credentials it is possible with. If it is
	// nil, all are.
	fits func(p provider, password bool) bool
	// prepare brings the stack into the state before the heartbeat.
	prepare func(*fixture)
	// meanwhile has faults of the heartbeat in addition to those of the failure
	// case.
	meanwhile func(c call, nth int) *fault
	// crowded says that each fault is also combined with an operator's write at each
	// call.
	crowded bool
	// expired says that the refresh token has reached its 28th day.
	expired bool
	// operatorBeforeSave says that an operator writes new credentials just before
	// the save.
	operatorBeforeSave bool
	// two says that the connection has two credential sets (twosets_test.go), and
	// bothAsked that a run asks both.
	two, bothAsked bool
}

var situations = []situation{
	{name: "first refresh", crowded: true, prepare: (*fixture).seed},
	{name: "due", crowded: true, prepare: (*fixture).due},
	{name: "due, the lease's answer lost", prepare: (*fixture).due, meanwhile: only(answerLost, "Parameters.Put(lease)", 1)},
	{name: "the old token has expired", fits: sameToken, prepare: func(s *fixture) {
		s.due()
		s.beat(rotator.Unchanged)
		s.sleepUntil(s.w.State(connection).Published.ExpiresAt.Add(-30 * time.Second))
	}},
	{name: "due, a run died before", prepare: func(s *fixture) {
		s.due()
		s.beatWith(func(_ *run, c call) *fault {
			return map[string]*fault{"Tokens.Publish": killedBefore}[c.Method]
		})
		time.Sleep(time.Minute)
	}},
	{name: "due, Secrets Manager refuses", fits: rotates, prepare: (*fixture).due, meanwhile: all(refused, "Saver.Save")},
	{name: "due, the save's answer lost", fits: rotates, prepare: (*fixture).due, meanwhile: only(answerLost, "Saver.Save", 1)},
	{name: "due, an operator writes first", fits: rotates, prepare: (*fixture).due, operatorBeforeSave: true},
	{name: "refresh token pending", fits: rotates, prepare: func(s *fixture) { s.leavePending(refused) }},
	{name: "refresh token pending, and saved in fact", fits: rotates, prepare: func(s *fixture) { s.leavePending(answerLost) }},
	{name: "refresh token pending, due", crowded: true, fits: rotates, prepare: func(s *fixture) {
		s.leavePending(refused)
		s.untilWindow()
	}},
	{name: "refresh token pending, new credentials", fits: rotates, prepare: func(s *fixture) {
		s.leavePending(refused)
		s.reseed()
	}},
	{name: "the refresh token has expired", expired: true, crowded: true, fits: withPassword, prepare: func(s *fixture) {
		s.due()
		s.w.Reltio.ExpireRefreshTokens()
	}},
	{name: "the refresh token has expired and the password is wrong", expired: true, fits: withPassword, prepare: func(s *fixture) {
		s.due()
		s.w.Reltio.ExpireRefreshTokens()
		s.w.Reltio.SetOptions(func(o *fakereltio.Options) { o.Password = "another" })
	}},
	{name: "only a password is known", fits: withPassword, prepare: func(s *fixture) {
		s.w.Add(connection)
		s.put(map[string]any{})
	}},
	{name: "rejected, then new credentials", crowded: true, fits: withoutPassword, prepare: func(s *fixture) {
		s.due()
		s.w.Reltio.ExpireRefreshTokens()
		s.beat(rotator.Failed)
		time.Sleep(time.Minute)
		s.reseed()
	}},
	{name: "client credentials", fits: func(p provider, password bool) bool { return !p.rotates() && !password }, prepare: func(s *fixture) {
		s.w.Add(connection)
		s.put(map[string]any{})
		s.beat(rotator.Refreshed)
		s.untilWindow()
	}},
}

func rotates(p provider, _ bool) bool                { return p.rotates() }
func sameToken(p provider, _ bool) bool              { return p.sameToken() }
func withPassword(_ provider, password bool) bool    { return password }
func withoutPassword(_ provider, password bool) bool { return !password }

// only is a fault of the nth call with this name, and all is a fault of every call
// with it.
func only(f *fault, name string, nth int) func(call, int) *fault {
	return func(c call, n int) *fault {
		if matches(c, name) && n == nth {
			return f
		}
		return nil
	}
}

func all(f *fault, name string) func(call, int) *fault {
	return func(c call, _ int) *fault {
		if matches(c, name) {
			return f
		}
		return nil
	}
}

func matches(c call, name string) bool { return c.String() == name || c.Method == name }

// How a situation is prepared.

// seed makes the connection with credentials that were never used.
func (s *fixture) seed() {
	s.w.Add(connection)
	_, refreshToken := s.w.Reltio.Login()
	s.put(map[string]any{"refresh_token": refreshToken})
}

// due publishes a first token and waits until it is due.
func (s *fixture) due() {
	s.seed()
	// A login returns the live token. The first refresh ends it or returns it again.
	// In both cases a token is published.
	s.beat(rotator.Refreshed)
	s.untilWindow()
}

// leavePending makes a refresh end with a pending refresh token.
func (s *fixture) leavePending(how *fault) {
	s.due()
	report := s.beatWith(func(_ *run, c call) *fault {
		return map[string]*fault{"Saver.Save": how, "Saver.Labels": refused}[c.Method] // nor is the write seen by looking
	})
	if _, _, ok := s.w.AWS.Parameter(harness.ParameterName(connection, "pending")); !ok {
		s.t.Fatalf("the preparation left no pending refresh token: %+v", report)
	}
	time.Sleep(time.Minute)
}

// untilWindow sleeps until the published token is due: its window begins 10 to
// 12 minutes before it expires.
func (s *fixture) untilWindow() {
	s.sleepUntil(s.w.State(connection).Published.ExpiresAt.Add(-8 * time.Minute))
}

func (s *fixture) sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }

// put writes credentials as an operator does.
func (s *fixture) put(fields map[string]any) (versionID string) {
	fields["client_id"], fields["client_secret"] = "client", "secret"
	if s.password {
		fields["username"], fields["password"] = "user", "password"
	}
	return s.putWith(fields, s.document()["alternate"])
}

// reseed writes new credentials with a refresh token of another login.
func (s *fixture) reseed() {
	s.operators++
	name := fmt.Sprintf("operator-%d", s.operators)
	s.w.Reltio.AddRefreshToken(name)
	s.operatorsVersion = s.put(map[string]any{"refresh_token": name, "owner": name})
	s.operatorsToken = name
}

// result1 returns the result of the only connection.
func result1(report rotator.Report) rotator.Result {
	i := slices.IndexFunc(report.Connections, func(r rotator.Result) bool { return r.Name == connection })
	if i < 0 {
		return rotator.Result{}
	}
	return report.Connections[i]
}
