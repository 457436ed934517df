package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/tests/harness/binary"
)

// rotate is the real function.
var rotate binary.Once

func TestMain(m *testing.M) {
	// These tests wait more than they compute.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(rotate.Run(m))
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
	s.add(st, secretName(connection, "credentials"))
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

// played runs show or useOwn, which is to go well or not. The settings are of its own
// for each try: what one changes at a server is not there for the next.
func played(t *testing.T, want bool, play func(context.Context, settings, *screen, func(*fixture)) (bool, error), fresh func() settings, ready func(*fixture)) (output string) {
	t.Helper()
	bootstrap := rotate.Path(t)
	calmly(t, func() bool {
		s := fresh()
		s.bootstrap = bootstrap
		var out bytes.Buffer
		well, err := play(t.Context(), s, newScreen(&out, looks{}), ready)
		if err != nil {
			t.Fatal(err)
		}
		output = out.String()
		return well == want
	})
	return output
}

// calmly plays until it ends as wanted. It plays again where the machine stood still
// meanwhile: a play goes by real time, and then shows the machine and not the
// program. The third counts in any case.
func calmly(t *testing.T, play func() (asWanted bool)) {
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
		asWanted := play()
		close(stop)
		switch gap := <-longest; {
		case asWanted:
			return
		case gap < still || try == 3:
			t.Error("it did not end as wanted")
			return
		default:
			t.Logf("played again: the machine stood still for %v", gap)
		}
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
