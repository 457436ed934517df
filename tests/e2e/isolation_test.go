package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// With many connections in one run, none affects another, and the most urgent one
// comes first.

// hangs is a server that never answers.
type hangs struct{}

func (hangs) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func TestABadConnectionDoesNotHarmAnother(t *testing.T) {
	for name, row := range map[string]struct {
		breaks func(s *fixture)
		code   rotator.Code
	}{
		"a token endpoint that never answers": {func(s *fixture) {
			s.Host("hung.reltio.com", hangs{})
			s.config("bad", `{"token_url":"https://hung.reltio.com/oauth/token"}`)
		}, rotator.AnswerLost},
		"a config that is wrong":                     {func(s *fixture) { s.config("bad", `{"colour":"blue"}`) }, rotator.ConfigInvalid},
		"a lease that is never answered":             {func(s *fixture) { s.AWS.Inject(fakeaws.Fault{Name: "/bad/lease", Hang: true, Times: -1}) }, rotator.StateUnavailable},
		"credentials that are never answered":        {func(s *fixture) { s.AWS.Inject(fakeaws.Fault{Name: "/bad/credentials", Hang: true, Times: -1}) }, rotator.CredentialsUnread},
		"a token secret that cannot be written":      {func(s *fixture) { s.AWS.Inject(fakeaws.Fault{Name: "/bad/token", Hang: true, Times: -1}) }, rotator.TokenNotPublished},
		"a state that cannot be written":             {func(s *fixture) { s.AWS.Inject(fakeaws.Fault{Name: "/bad/state", Hang: true, Times: -1}) }, rotator.StateUnavailable},
		"credentials that an operator wrote wrongly": {func(s *fixture) { s.AWS.PutSecret(harness.SecretName("bad", "credentials"), "oops") }, rotator.CredentialsUnread},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{MultiToken: true}, func(t *testing.T, s *fixture) {
				s.seed("bad", clientOnly())
				s.seeded("good", clientOnly())
				row.breaks(s)
				for range 2 {
					begun := time.Now()
					published := time.Time{}
					s.AWS.OnCall(func(operation, name string, before bool) {
						if operation == "PutParameter" && strings.HasSuffix(name, "/good/state") && !before {
							published = time.Now()
						}
					})
					r := s.beat()
					s.AWS.OnCall(nil)
					r.want("good", rotator.Refreshed)
					r.wantFailed("bad", row.code)
					if r.err == nil || r.err.Error() != "bad: "+string(row.code) {
						t.Errorf("the invocation's error is %v", r.err)
					}
					if took := published.Sub(begun); took > 2*time.Second {
						t.Errorf("the good one took %v", took)
					}
					s.wantWorking("good")
					time.Sleep(untilWindow)
				}
			})
		})
	}
}

// panics panics when it reads one connection's credentials.
type panics struct {
	rotator.CredentialsReader
	at string
}

func (p panics) Read(ctx context.Context, connection string) (rotator.SecretVersion, error) {
	version, err := p.CredentialsReader.Read(ctx, connection)
	if connection == p.at {
		panic("while holding " + version.Document.Reveal())
	}
	return version, err
}

func TestAPanicIsOneConnectionsFailure(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("bad", s.credentials())
		s.seed("good", s.credentials())
		process := s.Process()
		process.Credentials = panics{process.Credentials, "bad"}
		ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout)
		defer cancel()
		r := run{t: t}
		r.report, r.err = process.Run(ctx, "request", rotator.Event{})
		r.want("good", rotator.Refreshed)
		if result := r.wantFailed("bad", rotator.InternalError); !strings.Contains(result.Message, "panics") {
			t.Errorf("the message does not say where: %s", result.Message)
		}
		s.wantNothingSecret(r, s.Output())
		s.wantWorking("good")
	})
}

func TestTheMostUrgentIsFirst(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		// They are refreshed a minute apart, and not in alphabetical order.
		order := []string{"c", "e", "a", "d", "b"}
		for _, name := range order {
			s.seed(name, s.credentials())
			s.invoke(refresh(name)).want(name, rotator.Refreshed)
			time.Sleep(time.Minute)
		}
		s.seed("z-new", s.credentials()) // nothing is known of it: before all
		time.Sleep(untilWindow)
		var leased []string
		s.AWS.OnCall(func(operation, name string, before bool) {
			if rest, ok := strings.CutSuffix(name, "/lease"); ok && operation == "PutParameter" && before {
				leased = append(leased, rest[strings.LastIndexByte(rest, '/')+1:])
			}
		})
		s.beat()
		if len(leased) != len(order)+1 {
			t.Fatalf("leased %v", leased)
		}
		// The first write can be of any connection. The others go by urgency.
		want := slices.DeleteFunc(append([]string{"z-new"}, order...), func(name string) bool { return name == leased[0] })
		if !slices.Equal(leased[1:], want) {
			t.Errorf("leased in the order %v, want %v after the first", leased, want)
		}
	})
}

func TestWhatDoesNotFitIntoARunIsDeferred(t *testing.T) {
	const many = 12
	simulateAWS(t, fakeaws.Options{WritesPerSecond: 3}, fakereltio.Options{MultiToken: true}, func(t *testing.T, s *fixture) {
		for i := range many {
			s.seed(fmt.Sprintf("c%02d", i), clientOnly())
		}
		// 59 s less the report's 2 s leave 2 s before the last moment to begin.
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second)
		defer cancel()
		report, err := s.Invoke(ctx, rotator.Event{})
		if err != nil {
			t.Error(err)
		}
		outcomes := map[rotator.Outcome]int{}
		for _, result := range report.Connections {
			outcomes[result.Outcome]++
		}
		if outcomes[rotator.Refreshed] < 2 || outcomes[rotator.Deferred] < 2 || outcomes[rotator.Refreshed]+outcomes[rotator.Deferred] != many {
			t.Fatalf("outcomes: %v", outcomes)
		}
		if sent := len(s.Reltio.Requests()); sent != outcomes[rotator.Refreshed] {
			t.Errorf("%d token requests for %d refreshes", sent, outcomes[rotator.Refreshed])
		}
		time.Sleep(time.Minute)
		r := s.beat()
		for _, result := range r.report.Connections {
			if result.Outcome != rotator.Refreshed && result.Outcome != rotator.NotDue {
				t.Errorf("%s is %s at the next heartbeat", result.Name, result.Outcome)
			}
		}
		// Two writes a connection, under the account's limit: nothing was throttled.
		s.wantWorking("c00")
		s.wantWorking(fmt.Sprintf("c%02d", many-1))
	})
}

// A heartbeat leaves what it has not begun in time to the next one (tests/scale). An
// operator's event is completed in one run.
func TestAHundredConnectionsInOneRun(t *testing.T) {
	const many = 100
	simulateAWS(t, fakeaws.Options{WritesPerSecond: 3, Latency: 20 * time.Millisecond}, fakereltio.Options{MultiToken: true, RequestsPerSecond: 10, Latency: 150 * time.Millisecond}, func(t *testing.T, s *fixture) {
		for i := range many {
			s.seed(fmt.Sprintf("c%03d", i), clientOnly())
		}
		r := s.invoke(rotator.Event{Action: rotator.ActionRefresh})
		for _, result := range r.report.Connections {
			r.want(result.Name, rotator.Refreshed)
		}
		if r.calls["PutParameter"] != 2*many {
			t.Errorf("%d parameter writes, want %d: some were throttled", r.calls["PutParameter"], 2*many)
		}
		r.wantMetric("Throttles", 0)
		if r.report.DurationMS > 118_000 {
			t.Errorf("it took %d ms", r.report.DurationMS)
		}
	})
}
