package rotator

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// memory is a store and a token endpoint without faults. Each call waits at a gate,
// so that a test decides in which order two runs continue.
type memory struct {
	mu         sync.Mutex
	parameters map[string][]string // by name: the values of versions 1, 2, …
	secrets    map[string]SecretVersion
	published  []string
	issued     int
	calls      []string
}

func newMemory() *memory {
	m := &memory{parameters: map[string][]string{}, secrets: map[string]SecretVersion{}}
	for _, kind := range []Kind{KindConfig, KindState, KindLease} {
		m.parameters["default/"+string(kind)] = []string{"{}"}
	}
	m.secrets["default"] = SecretVersion{ID: "v1", Document: secret.New(`{"client_id":"i","client_secret":"s","refresh_token":"r"}`)}
	return m
}

// view is the memory as one run calls it.
type view struct {
	*memory
	run  string
	gate func(run string)
}

func (v view) call(what string) func() {
	v.gate(v.run)
	v.mu.Lock()
	v.calls = append(v.calls, v.run+"."+what)
	return v.mu.Unlock
}

func (v view) List(context.Context) ([]Parameter, error) {
	defer v.call("list")()
	var listing []Parameter
	for name, values := range v.parameters {
		connection, kind, _ := strings.Cut(name, "/")
		listing = append(listing, Parameter{connection, Kind(kind), secret.New(values[len(values)-1]), int64(len(values))})
	}
	return listing, nil
}

func (v view) WaitToWrite(context.Context, Priority) error { return nil }

func (v view) Put(_ context.Context, connection string, kind Kind, value string) (int64, error) {
	defer v.call("put " + string(kind))()
	name := connection + "/" + string(kind)
	v.parameters[name] = append(v.parameters[name], value)
	return int64(len(v.parameters[name])), nil
}

func (v view) At(_ context.Context, connection string, kind Kind, version int64) (string, error) {
	defer v.call("at")()
	values := v.parameters[connection+"/"+string(kind)]
	if version > int64(len(values)) {
		return "", ErrNotFound
	}
	return values[version-1], nil
}

func (v view) Read(_ context.Context, connection string) (SecretVersion, error) {
	defer v.call("read")()
	return v.secrets[connection], nil
}

func (v view) ReadVersion(ctx context.Context, connection, _ string) (SecretVersion, error) {
	return v.Read(ctx, connection)
}

func (v view) RequestToken(context.Context, TokenRequest) (TokenResponse, error) {
	defer v.call("grant")()
	v.issued++
	return TokenResponse{
		AccessToken: secret.New(fmt.Sprintf("token-%d", v.issued)), TokenType: "bearer",
		ExpiresIn: time.Hour, SentAt: time.Now(),
	}, nil
}

func (v view) Publish(_ context.Context, _, _ string, document secret.Value) error {
	defer v.call("publish")()
	v.published = append(v.published, document.Reveal())
	return nil
}

func (v view) Write(time.Time, Metrics) error { return nil }

func (v view) rotator() *Rotator {
	return &Rotator{
		Settings: settings, Lister: v, Parameters: v, Credentials: v, Tokens: v, Endpoint: v, Metrics: v,
		Log: slog.New(slog.DiscardHandler),
	}
}

// Two runs that begin at the same instant make exactly one token request, whatever
// the order of their calls is. The lease needs no lock service.
func TestTwoRunsMakeOneTokenRequestInEveryInterleaving(t *testing.T) {
	twoSets := func(validUntil string) func() *memory {
		return func() *memory {
			m := newMemory()
			m.secrets["default"] = SecretVersion{ID: "v1", Document: secret.New(`{"client_id":"i","client_secret":"s","refresh_token":"r",
				"alternate":{"client_id":"i","client_secret":"s","refresh_token":"r2"}}`)}
			m.parameters["default/state"] = []string{`{"published":{"set":"primary","issued_at":"1999-12-31T23:20:00Z","expires_at":"2000-01-01T00:20:00Z",
				"valid_until":"` + validUntil + `","fingerprint":"0123456789abcdef"},"primary":{"version":"v1"},"alternate":{"version":"v1"}}`}
			return m
		}
	}
	for _, c := range []struct {
		name   string
		memory func() *memory
	}{
		{"one set", newMemory},
		{"two sets, a turn", twoSets("2000-01-01T00:18:00Z")}, // a bubble begins in 2000
		{"two sets, valid_until has passed", twoSets("1999-12-31T23:59:00Z")},
	} {
		t.Run(c.name, func(t *testing.T) { interleaveAll(t, c.memory) })
	}
}

func interleaveAll(t *testing.T, newMemory func() *memory) {
	count := 0
	for prefix := ""; ; count++ {
		taken := interleave(t, newMemory, prefix)
		// The next order: the last turn that a could have had and b got becomes a's.
		last := strings.LastIndexByte(taken, 'a')
		if last < 0 {
			break
		}
		prefix = taken[:last] + "b"
	}
	if count < 100 {
		t.Errorf("only %d interleavings: something is not seen", count)
	}
	t.Logf("%d interleavings", count+1)
}

// interleave runs a and b with the choices in prefix, and then always lets a
// continue first if it can. It returns the choices that were made: 'a' or 'b' for
// each turn for which both waited.
func interleave(t *testing.T, newMemory func() *memory, prefix string) (taken string) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		waiting := map[string]chan struct{}{}
		var mu sync.Mutex
		gate := func(run string) {
			slot := make(chan struct{})
			mu.Lock()
			waiting[run] = slot
			mu.Unlock()
			<-slot
		}
		var running sync.WaitGroup
		outcomes := map[string]Outcome{}
		for _, run := range []string{"a", "b"} {
			running.Go(func() {
				report, err := view{m, run, gate}.rotator().Run(t.Context(), run, Event{})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("run %s: %v", run, err)
					return
				}
				outcomes[run] = report.Connections[0].Outcome
			})
		}
		for {
			synctest.Wait()
			mu.Lock()
			next := "a"
			switch {
			case len(waiting) == 0:
				mu.Unlock()
				running.Wait()
				check(t, m, outcomes)
				return
			case waiting["a"] == nil:
				next = "b"
			case waiting["b"] != nil:
				if len(taken) < len(prefix) {
					next = prefix[len(taken) : len(taken)+1]
				}
				taken += next
			}
			slot := waiting[next]
			delete(waiting, next)
			mu.Unlock()
			close(slot)
		}
	})
	return taken
}

func check(t *testing.T, m *memory, outcomes map[string]Outcome) {
	refreshed := 0
	for _, outcome := range outcomes {
		if outcome == Refreshed {
			refreshed++
		}
	}
	recorded := slices.ContainsFunc(m.calls, func(call string) bool { return strings.HasSuffix(call, "put state") })
	if m.issued != 1 || len(m.published) != 1 || refreshed != 1 || !recorded {
		t.Errorf("%d token requests, %d published, %v\n%s", m.issued, len(m.published), outcomes, strings.Join(m.calls, "\n"))
	}
	after := Connections(must(view{m, "c", func(string) {}}.List(t.Context())), settings, time.Now())[0]
	if d := after.decide(time.Now(), Event{}, minute, nil); d.outcome != NotDue {
		t.Errorf("afterwards it is decided %+v\n%s", d, strings.Join(m.calls, "\n"))
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
