package crash_test

import (
	"fmt"
	"slices"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// provider is a habit of the token endpoint's.
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

// situation is where a heartbeat finds the connection, and what goes wrong in
// that heartbeat already, so that it makes calls that it does not always make.
type situation struct {
	name string
	// fits tells which providers and credentials it is possible with; nil: all.
	fits func(p provider, password bool) bool
	// prepare brings the stage to just before the heartbeat.
	prepare func(*fixture)
	// meanwhile goes wrong in the heartbeat whatever the cell adds.
	meanwhile func(c call, nth int) fault
	// crowded: each fault is tried with a person at each point, too.
	crowded bool
	// dead: the refresh token has ended by itself.
	dead bool
	// personBeforeSave: a person puts new credentials just before the save.
	personBeforeSave bool
}

var situations = []situation{
	{name: "first refresh", crowded: true, prepare: (*fixture).seed},
	{name: "due", crowded: true, prepare: (*fixture).due},
	{name: "due, the lease's answer lost", prepare: (*fixture).due, meanwhile: only(answerLost, "Parameters.Put(lease)", 1)},
	{name: "the old token has ended", fits: sameToken, prepare: func(s *fixture) {
		s.due()
		s.beat(rotator.Unchanged)
		s.sleepUntil(s.w.State(connection).ExpiresAt.Add(-30 * time.Second))
	}},
	{name: "due, a run died before", prepare: func(s *fixture) {
		s.due()
		s.beatStruck(func(_ *run, c call) fault {
			return map[string]fault{"Tokens.Publish": killedBefore}[c.method]
		})
		time.Sleep(time.Minute)
	}},
	{name: "due, Secrets Manager refuses", fits: rotates, prepare: (*fixture).due, meanwhile: all(refused, "Saver.Save")},
	{name: "due, the save's answer lost", fits: rotates, prepare: (*fixture).due, meanwhile: only(answerLost, "Saver.Save", 1)},
	{name: "due, a person is faster", fits: rotates, prepare: (*fixture).due, personBeforeSave: true},
	{name: "a pending refresh token waits", fits: rotates, prepare: func(s *fixture) { s.stillPending(refused) }},
	{name: "a pending refresh token waits, saved after all", fits: rotates, prepare: func(s *fixture) { s.stillPending(answerLost) }},
	{name: "a pending refresh token waits, due", crowded: true, fits: rotates, prepare: func(s *fixture) {
		s.stillPending(refused)
		s.untilWindow()
	}},
	{name: "a pending refresh token waits, new credentials", fits: rotates, prepare: func(s *fixture) {
		s.stillPending(refused)
		s.reseed()
	}},
	{name: "the refresh token is dead", dead: true, crowded: true, fits: withPassword, prepare: func(s *fixture) {
		s.due()
		s.w.Reltio.ExpireRefreshTokens()
	}},
	{name: "the refresh token is dead and the password wrong", dead: true, fits: withPassword, prepare: func(s *fixture) {
		s.due()
		s.w.Reltio.ExpireRefreshTokens()
		s.w.Reltio.SetOptions(func(o *fakereltio.Options) { o.Password = "another" })
	}},
	{name: "only a password is known", fits: withPassword, prepare: func(s *fixture) {
		s.w.Add(connection)
		s.put(map[string]string{})
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
		s.put(map[string]string{})
		s.beat(rotator.Refreshed)
		s.untilWindow()
	}},
}

func rotates(p provider, _ bool) bool                { return p.rotates() }
func sameToken(p provider, _ bool) bool              { return p.sameToken() }
func withPassword(_ provider, password bool) bool    { return password }
func withoutPassword(_ provider, password bool) bool { return !password }

// only is a fault of the nth call with this name, all of every one.
func only(f fault, name string, nth int) func(call, int) fault {
	return func(c call, n int) fault {
		if matches(c, name) && n == nth {
			return f
		}
		return noFault
	}
}

func all(f fault, name string) func(call, int) fault {
	return func(c call, _ int) fault {
		if matches(c, name) {
			return f
		}
		return noFault
	}
}

func matches(c call, name string) bool { return c.String() == name || c.method == name }

// The ways to a situation.

// seed makes the connection with credentials that were never used.
func (s *fixture) seed() {
	s.w.Add(connection)
	_, refreshToken := s.w.Reltio.Login()
	s.put(map[string]string{"refresh_token": refreshToken})
}

// due lets a first token be published and grow old.
func (s *fixture) due() {
	s.seed()
	// A login gives the token that is out, which the fake's first refresh
	// ends, or gives again; either way it is published.
	s.beat(rotator.Refreshed)
	s.untilWindow()
}

// pending lets a refresh end with its refresh token pending.
func (s *fixture) stillPending(how fault) {
	s.due()
	report := s.beatStruck(func(_ *run, c call) fault {
		return map[string]fault{"Saver.Save": how}[c.method]
	})
	if _, _, ok := s.w.AWS.Parameter(harness.ParameterName(connection, "pending")); !ok {
		s.t.Fatalf("the preparation left no pending refresh token: %+v", report)
	}
	time.Sleep(time.Minute)
}

// untilWindow sleeps until the published token is due: its window begins 10 to
// 12 minutes before its end.
func (s *fixture) untilWindow() {
	s.sleepUntil(s.w.State(connection).ExpiresAt.Add(-8 * time.Minute))
}

func (s *fixture) sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }

// put writes credentials as a person does.
func (s *fixture) put(fields map[string]string) (versionID string) {
	fields["client_id"], fields["client_secret"] = "client", "secret"
	if s.password {
		fields["username"], fields["password"] = "user", "password"
	}
	return s.w.PutCredentials(connection, fields)
}

// reseed puts new credentials with a refresh token of a login of its own.
func (s *fixture) reseed() {
	s.persons++
	name := fmt.Sprintf("person-%d", s.persons)
	s.w.Reltio.AddRefreshToken(name)
	s.personVersion = s.put(map[string]string{"refresh_token": name, "owner": name})
	s.personName = name
}

// outcomes of one connection.
func only1(report rotator.Report) rotator.Result {
	i := slices.IndexFunc(report.Connections, func(r rotator.Result) bool { return r.Name == connection })
	if i < 0 {
		return rotator.Result{}
	}
	return report.Connections[i]
}
