package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/binary"
)

// rotate is the real function.
var rotate binary.Once

func TestMain(m *testing.M) { os.Exit(rotate.Run(m)) }

// quick is the smallest scale: times in the secrets are whole seconds.
func quick(t *testing.T) settings {
	t.Helper()
	s, err := readSettings(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	s.runFor, s.heartbeat, s.refreshBefore, s.lifetime = 6*time.Second, 400*time.Millisecond, 2*time.Second, 6*time.Second
	return s
}

// secrets collects everything that must not be printed.
type secrets struct {
	mu  sync.Mutex
	all []string
}

func (s *secrets) watch(st *fixture) {
	collect := func(operation, name string, before bool) {
		if operation != "PutSecretValue" || before {
			return
		}
		s.add(st, name)
	}
	st.aws.OnCall(func(operation, name string, before bool) {
		st.onCall(operation, name, before)
		collect(operation, name, before)
	})
	s.add(st, credentialsSecret)
}

func (s *secrets) add(st *fixture, name string) {
	document, _ := st.aws.Secret(name)
	var fields map[string]any
	_ = json.Unmarshal([]byte(document), &fields)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, field := range []string{"access_token", "refresh_token", "password"} {
		if value, ok := fields[field].(string); ok {
			s.all = append(s.all, value)
		}
	}
}

// mustBeMissing looks for them, and that there were some to look for.
func (s *secrets) mustBeMissing(t *testing.T, output string) {
	t.Helper()
	if len(s.all) < 2 {
		t.Fatalf("only %d secrets were seen", len(s.all))
	}
	for _, secret := range s.all {
		if strings.Contains(output, secret) {
			t.Error("the output holds a secret")
		}
	}
}

func played(t *testing.T, s settings, l looks, ready func(*fixture)) (output string, well bool) {
	t.Helper()
	return playedFrom(t, func() settings { return s }, l, ready)
}

// playedFrom is played with settings of its own for each try: what one changes
// at a server is not there for the next.
func playedFrom(t *testing.T, fresh func() settings, l looks, ready func(*fixture)) (output string, well bool) {
	t.Helper()
	bootstrap := rotate.Path(t)
	calmly(t, func() {
		s := fresh()
		s.bootstrap = bootstrap
		var out bytes.Buffer
		var err error
		if well, err = play(t.Context(), s, newScreen(&out, l), ready); err != nil {
			t.Fatal(err)
		}
		output = out.String()
	})
	return output, well
}

// calmly plays, and plays again where the machine stood still meanwhile: a play
// goes by real time, and then shows the machine and not the program. The fifth
// counts in any case.
func calmly(t *testing.T, play func()) {
	t.Helper()
	const tick, still = 20 * time.Millisecond, 200 * time.Millisecond
	for try := 1; ; try++ {
		stop, longest := make(chan struct{}), make(chan time.Duration)
		go func() {
			var gap time.Duration
			for last := time.Now(); ; last = time.Now() {
				select {
				case <-time.After(tick):
					gap = max(gap, time.Since(last)-tick)
				case <-stop:
					longest <- gap
					return
				}
			}
		}()
		play()
		close(stop)
		gap := <-longest
		if gap < still || try == 5 {
			return
		}
		t.Logf("played again: the machine stood still for %v", gap)
	}
}

func mustContain(t *testing.T, output string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(output, part) {
			t.Errorf("%q is missing in\n%s", part, output)
		}
	}
}

func TestARunInAPipe(t *testing.T) {
	t.Parallel()
	var hidden secrets
	output, well := played(t, quick(t), looks{}, hidden.watch)
	if !well {
		t.Error("it did not go well")
	}
	mustContain(t, output, "heartbeat 1 ", "refreshed: first token ", "refreshed: new token ", "heartbeats ", "not due, ",
		"job               reads the secret: ", " s left", "AWS calls       1 of an idle heartbeat, 5 of a refresh", "All well")
	if strings.ContainsAny(output, "\x1b\r█") {
		t.Errorf("a pipe gets codes for a terminal:\n%q", output)
	}
	for line := range strings.Lines(output) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	hidden.mustBeMissing(t, output)
}

func TestARunAtATerminal(t *testing.T) {
	t.Parallel()
	s := quick(t)
	s.runFor = 2 * time.Second
	var hidden secrets
	output, well := played(t, s, looks{terminal: true, unicode: true}, hidden.watch)
	if !well {
		t.Error("it did not go well")
	}
	mustContain(t, output, "\x1b[32mrefreshed", "█", "░", "\r\x1b[K", " to go")
	if i := strings.LastIndex(output, "\x1b[?7l"); i > strings.LastIndex(output, "\x1b[?7h") || strings.Contains(output[strings.LastIndex(output, "Summary"):], "█") {
		t.Error("the terminal is not left as it was")
	}
	hidden.mustBeMissing(t, output)
}

func TestWhatIsBrokenEndsBadly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		runFor time.Duration
		ready  func(*fixture)
		says   []string
	}{
		{
			"a server that ends tokens early, so that the published one is dead", 3 * time.Second,
			func(st *fixture) { time.AfterFunc(time.Second, st.reltio.EndAccessTokens) },
			[]string{"left with dead token", "Not well: the job was left with a dead token"},
		},
		{
			"a function that does not see a token's end", 5 * time.Second,
			func(st *fixture) {
				st.reltio.SetOptions(func(o *fakereltio.Options) { o.Lifetime = 2 * time.Second })
				st.reltio.EndAccessTokens()
				time.AfterFunc(500*time.Millisecond, func() {
					st.aws.PutParameter("/"+prefix+"/"+connection+"/config", `{"enabled":false}`)
				})
			},
			[]string{"disabled", "expired", "Not well: the job was left with a dead token"},
		},
		{
			"a token endpoint that is down", 2 * time.Second,
			func(st *fixture) {
				for range 200 {
					st.reltio.Script(fakereltio.Fault{Name: "down", Status: 503, Body: "down"})
				}
			},
			[]string{"failed: answer_lost", "Not well: ", "the job never saw a live token"},
		},
		{
			"credentials that are refused: it ends at once", time.Hour,
			func(st *fixture) {
				st.aws.PutSecret(credentialsSecret, `{"client_id":"client","client_secret":"wrong","refresh_token":"x"}`)
			},
			[]string{"failed: client_rejected", "1 failed"},
		},
		{
			"a token secret that the job cannot read", 2 * time.Second,
			func(st *fixture) {
				st.aws.Inject(fakeaws.Fault{Operation: "GetSecretValue", Name: "/token", Code: "AccessDeniedException", Times: -1})
			},
			[]string{"job               cannot work: ", "AccessDenied", "for another reason"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := quick(t)
			s.runFor = test.runFor
			var hidden secrets
			output, well := played(t, s, looks{}, func(st *fixture) {
				hidden.watch(st)
				test.ready(st)
			})
			if well {
				t.Errorf("it went well:\n%s", output)
			}
			mustContain(t, output, test.says...)
			for _, secret := range hidden.all {
				if strings.Contains(output, secret) {
					t.Error("the output holds a secret")
				}
			}
		})
	}
}

func TestAFunctionThatCannotStart(t *testing.T) {
	t.Parallel()
	s := quick(t)
	s.runFor, s.refreshBefore = time.Second, time.Millisecond
	output, well := played(t, s, looks{}, nil)
	if well {
		t.Error("it went well")
	}
	mustContain(t, output, "the function cannot start", "REFRESH_BEFORE", "Runtime.ExitError", "heartbeats failed")
}

func TestCtrlCEndsIt(t *testing.T) {
	t.Parallel()
	s := quick(t)
	s.runFor, s.bootstrap = time.Hour, rotate.Path(t)
	var out bytes.Buffer
	calmly(t, func() {
		out.Reset()
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		well, err := play(ctx, s, newScreen(&out, looks{}), func(st *fixture) {
			// In the middle of a refresh: what was granted must be stored all the same.
			st.aws.OnCall(func(operation, name string, before bool) {
				st.onCall(operation, name, before)
				if operation == "PutSecretValue" && before {
					interrupt()
				}
			})
		})
		if err != nil || !well {
			t.Errorf("well %v, %v", well, err)
		}
	})
	mustContain(t, out.String(), "refreshed", "1: 0 not due, 1 refreshed, 0 failed", "All well")
}
