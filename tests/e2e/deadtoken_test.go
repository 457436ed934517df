package e2e_test

import (
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

func deadToken(name, fingerprint string) rotator.Event {
	event := refresh(name)
	event.DeadToken = fingerprint
	return event
}

func TestADeadTokenReport(t *testing.T) {
	published := func(s *fixture) string { return s.State("default").Published.Fingerprint }

	t.Run("replaces the token", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seed("default", s.credentials())
			s.beat()
			time.Sleep(2 * time.Minute)
			s.Reltio.EndAccessTokens()
			r := s.invoke(deadToken("default", published(s)))
			if reason := r.want("default", rotator.Refreshed).Reason; reason != rotator.ReasonDeadToken {
				t.Errorf("the reason is %s", reason)
			}
			s.wantWorking("default")
		})
	})
	t.Run("about a token that is not out any more is not due", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seed("default", s.credentials())
			s.beat()
			old := published(s)
			time.Sleep(2 * time.Minute)
			s.invoke(forced("default"))
			time.Sleep(2 * time.Minute)
			r := s.invoke(deadToken("default", old))
			r.want("default", rotator.NotDue)
			r.wantSent()
		})
	})
	t.Run("within a minute of the refresh is not due", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seed("default", s.credentials())
			s.beat()
			time.Sleep(time.Until(s.State("default").Published.IssuedAt.Add(time.Minute)))
			s.invoke(deadToken("default", published(s))).want("default", rotator.NotDue)
			time.Sleep(time.Second)
			s.invoke(deadToken("default", published(s))).want("default", rotator.Refreshed)
		})
	})
	t.Run("of twenty jobs at once causes one refresh", func(t *testing.T) {
		for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
			simulateAWS(t, fakeaws.Options{WritesPerSecond: 3, Latency: latency}, fakereltio.Options{RaceWindow: 200 * time.Millisecond}, func(t *testing.T, s *fixture) {
				s.seed("default", s.credentials())
				s.beat()
				time.Sleep(2 * time.Minute)
				s.Reltio.EndAccessTokens()
				before := len(s.Reltio.Requests())
				event := deadToken("default", published(s))
				var mu sync.Mutex
				outcomes := map[rotator.Outcome]int{}
				var jobs sync.WaitGroup
				for range 20 {
					jobs.Go(func() {
						report, err := s.Invoke(t.Context(), event)
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						defer mu.Unlock()
						outcomes[report.Connections[0].Outcome]++
					})
				}
				jobs.Wait()
				if sent := s.Reltio.Requests()[before:]; len(sent) != 1 {
					t.Errorf("token requests: %v", sent)
				}
				if outcomes[rotator.Refreshed] != 1 || outcomes[rotator.Refreshed]+outcomes[rotator.Busy]+outcomes[rotator.NotDue] != 20 {
					t.Errorf("outcomes: %v", outcomes)
				}
				s.wantWorking("default")
			})
		}
	})
	t.Run("that cannot be helped makes the token due, and more reports wait", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seed("default", s.credentials())
			s.beat()
			time.Sleep(2 * time.Minute)
			s.Reltio.EndAccessTokens()
			s.always(fakereltio.StatusRetryAfter(503, "0"))
			s.invoke(deadToken("default", published(s))).wantFailed("default", rotator.ServerError)
			if s.State("default").Published.UncertainSince.IsZero() {
				t.Error("the token still counts as good")
			}
			for range 20 { // many jobs in an outage
				r := s.invoke(deadToken("default", published(s)))
				if result := r.want("default", rotator.BackingOff); result.Error != rotator.ServerError {
					t.Errorf("%+v", result)
				}
				r.wantSent()
			}
			s.recover()
			time.Sleep(time.Minute)
			s.beat().want("default", rotator.Refreshed)
			s.wantWorking("default")
		})
	})
	t.Run("does not end a backoff", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			s.Reltio.ExpireRefreshTokens()
			s.beat().wantFailed("default", rotator.RefreshTokenRejected)
			time.Sleep(2 * time.Minute)
			r := s.invoke(deadToken("default", published(s)))
			r.want("default", rotator.BackingOff)
			r.wantSent()
		})
	})
	t.Run("of a connection that is at work is busy", func(t *testing.T) {
		simulate(t, fakereltio.Options{RaceWindow: 2 * time.Second}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			event := deadToken("default", published(s))
			var heartbeat sync.WaitGroup
			heartbeat.Go(func() { _, _ = s.Heartbeat(t) })
			time.Sleep(time.Second)
			s.invoke(event).want("default", rotator.Busy)
			heartbeat.Wait()
		})
	})
}
