package scale_test

import (
	"fmt"
	"hash/fnv"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/extent"
	"reltio-token-rotator/tests/harness/race"
)

// between returns how far apart two refreshes of a connection are on average. Tokens
// live an hour, the spread is up to 2 minutes, and heartbeats are whole minutes. One
// set is refreshed at its window of 10 minutes, two sets at half of the life.
func between(sets int) time.Duration {
	if sets == 2 {
		return 31*time.Minute + 30*time.Second
	}
	return 49*time.Minute + 30*time.Second
}

// Two thousand connections in steady operation are served within each heartbeat. The
// only limit that they reach is the listing's, whose refused pages are requested
// again.
func TestSteady(t *testing.T) {
	for _, c := range []struct{ connections, sets int }{{100, 1}, {300, 1}, {1000, 1}, {2000, 1}, {100, 2}, {300, 2}, {1000, 2}} {
		connections := c.connections
		t.Run(fmt.Sprintf("%d of %d sets", c.connections, c.sets), func(t *testing.T) {
			if connections > 300 && (race.Enabled || !extent.Full()) {
				t.Skip("takes long")
			}
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t, connections, c.sets)
				s.settle()
				const minutes = 15
				s.live(minutes)
				s.running.Wait()
				s.wantNothingRefused()
				mean, want := float64(s.outcomes[rotator.Refreshed])/minutes, float64(connections)/between(c.sets).Minutes()
				if mean < 0.85*want || mean > 1.15*want {
					t.Errorf("%.1f refreshes a minute, want about %.1f", mean, want)
				}
				if s.longest > time.Minute || s.outcomes[rotator.Deferred] > 0 {
					t.Errorf("a run took %v; %v", s.longest, s.outcomes)
				}
				said := readPage(t)
				said.want(t, ofSets(rowMean, c.sets), connections, mean)
				said.want(t, rowPages, connections, float64(s.AWS.Calls()["GetParametersByPath"])/minutes)
				said.want(t, ofSets(rowLongest, c.sets), connections, s.longest.Seconds())
				said.want(t, ofSets(rowLine, c.sets), connections, float64(s.line)/1000)
				t.Logf("%.1f refreshes a minute, at most %d; runs of up to %v; %d of %d pages refused at first",
					mean, s.busiest(), s.longest, s.reads.refused.Load(), s.AWS.Calls()["GetParametersByPath"])
			})
		})
	}
}

// settle gives every connection the state that it has in steady operation, with the
// expiries of the tokens spread evenly.
func (s *fixture) settle() {
	for i, name := range s.names {
		refreshed := s.begun.Add(-between(s.sets) * time.Duration(i) / time.Duration(len(s.names)))
		s.putState(name, refreshed, refreshed.Add(3598*time.Second))
	}
	s.count()
}

// putState writes a state in which the alternate set's last token has expired, so that
// it is its turn if the connection has two sets.
func (s *fixture) putState(name string, refreshed, expires time.Time) {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name))
	alternate := ""
	if s.sets == 2 {
		alternate = `,"alternate":{"version":"v","token_expires_at":"2000-01-01T00:00:00Z"}`
	}
	window := 10*time.Minute + time.Duration(hash.Sum32()%120)*time.Second // with the spread
	s.AWS.PutParameter(harness.ParameterName(name, "state"), fmt.Sprintf(
		`{"published":{"set":"primary","issued_at":%q,"expires_at":%q,"valid_until":%q,"fingerprint":"0123456789abcdef"},"primary":{"version":"v"}%s}`,
		refreshed.UTC().Format(time.RFC3339), expires.UTC().Format(time.RFC3339), expires.Add(-window).UTC().Format(time.RFC3339), alternate))
}

// busiest is the most refreshes of a heartbeat.
func (s *fixture) busiest() (most int) {
	for _, n := range s.refreshes {
		most = max(most, n)
	}
	return most
}

// The listing is the limit: it may take 20 s, and Parameter Store returns 40 pages a
// second. A larger stack serves no connection.
func TestTheLimit(t *testing.T) {
	if race.Enabled {
		t.Skip("takes long")
	}
	extent.OnlyFull(t)
	for connections, ends := range map[int]bool{2000: false, 3000: true} {
		synctest.Test(t, func(t *testing.T) {
			s := newFixture(t, connections, 1)
			s.settle()
			s.live(1)
			s.running.Wait()
			if failed := len(s.failures) > 0; failed != ends {
				t.Errorf("%d connections: %v", connections, s.failures)
			}
		})
	}
}
