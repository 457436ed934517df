package scale_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/harness/extent"
	"reltio-token-rotator/tests/harness/race"
)

// However many connections are due at the same moment, their tokens are published as
// soon as the limits allow, no limit is exceeded, and as many heartbeats as
// necessary take part.
func TestAllDueAtOnce(t *testing.T) {
	for _, c := range []struct {
		connections, sets int
		// most is how much longer than ideal it may take. A thousand wait about 8 s
		// for their listing in each heartbeat.
		most float64
	}{{1, 1, 1.1}, {10, 1, 1.1}, {30, 1, 1.1}, {100, 1, 1.1}, {100, 2, 1.1}, {300, 1, 1.1}, {1000, 1, 1.3}} {
		t.Run(fmt.Sprintf("%d of %d sets", c.connections, c.sets), func(t *testing.T) {
			if c.connections > 300 && (race.Enabled || !extent.Full()) {
				t.Skip("takes long")
			}
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t, c.connections, c.sets)
				s.live(int(c.most*ideal(c.connections).Minutes()) + 2)
				s.running.Wait()
				ratio := s.last().Seconds() / ideal(c.connections).Seconds()
				t.Logf("%d connections: the last token after %.1f s, ideal %.1f s, ratio %.2f, in %d heartbeats",
					c.connections, s.last().Seconds(), ideal(c.connections).Seconds(), ratio, len(s.refreshes))
				said := readPage(t)
				said.want(t, rowAtOnce, c.connections, s.last().Minutes())
				said.want(t, rowBeats, c.connections, float64(len(s.refreshes)))
				if ratio > c.most {
					t.Errorf("the last token came after %v, %.2f × the %v that the limits take", s.last(), ratio, ideal(c.connections))
				}
				s.wantNothingRefused()
				s.wantCalls("PutParameter", 2*c.connections)
				s.wantCalls("PutSecretValue", c.connections)
				if sent := len(s.Reltio.Requests()); sent != c.connections {
					t.Errorf("%d token requests for %d connections", sent, c.connections)
				}
			})
		})
	}
}

// The token that ends first is replaced first, also by a later heartbeat.
func TestTheMostUrgentFirst(t *testing.T) {
	const connections = 120 // more than one heartbeat's
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t, connections, 1)
		ends := map[string]time.Time{}
		for i, name := range s.names {
			// All of them are within their windows, and not in the order of their
			// names, because 7 and 120 have no common factor.
			end := s.begun.Add(time.Duration(60+4*(i*7%connections)) * time.Second)
			s.putState(name, end.Add(-time.Hour), end)
			ends[name] = end
		}
		s.count()
		s.live(4)
		s.running.Wait()
		// The first write of a run may be of any connection: no other is waiting yet.
		before := 0
		for i, p := range s.published[1:] {
			if ends[p.name].Before(ends[s.published[i].name]) {
				before++
			}
		}
		if len(s.published) != connections || len(s.refreshes) != 2 || before > len(s.refreshes) {
			t.Errorf("%d published in %d heartbeats, %d of them after one that ends later: %v", len(s.published), len(s.refreshes), before, s.published)
		}
	})
}

// A heartbeat that comes 20 s early begins while another run is active. Both
// together exceed the limit of Parameter Store, and some leases are refused. No
// refresh is made twice, and the next heartbeats do the rest.
func TestHeartbeatsThatComeEarly(t *testing.T) {
	const connections = 150
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t, connections, 1)
		for _, at := range []time.Duration{0, 40, 120, 160, 240, 280} { // seconds
			time.Sleep(time.Until(s.begun.Add(at * time.Second)))
			s.running.Go(func() { s.beat(int(at)) })
		}
		s.running.Wait()
		if len(s.Reltio.Requests()) != connections || s.outcomes[rotator.Refreshed] != connections {
			t.Errorf("%d token requests, %v", len(s.Reltio.Requests()), s.outcomes)
		}
		t.Logf("the last token after %v; %v", s.last(), s.outcomes)
	})
}
