package faults_test

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// call is one external call of a process, named as "FIELD.METHOD" after the
// field of rotator.Rotator that it goes through, and after what it is about
// where the method alone does not say.
type call struct {
	method string
	about  string
}

func (c call) String() string {
	if c.about == "" {
		return c.method
	}
	return c.method + "(" + c.about + ")"
}

// process is one Lambda process. Every external call passes through it. After its
// death no call does.
type process struct {
	// faultOf is asked about each call just before it is made.
	faultOf func(call) *fault
	dead    atomic.Bool
	// cancel ends the invocation's context. rival runs another heartbeat to its end.
	cancel, rival func()
	server        *fakereltio.Server

	mu    sync.Mutex
	calls []call
	late  *sync.WaitGroup // effects that come after the caller has gone
}

// wrap puts the process between the rotator and everything outside it.
func (p *process) wrap(real rotator.Rotator) *rotator.Rotator {
	real.Lister = lister{p, real.Lister}
	real.Parameters = parameters{p, real.Parameters}
	real.Credentials = credentials{p, real.Credentials}
	real.Saver = saver{p, real.Saver}
	real.Pending = pending{p, real.Pending}
	real.Tokens = tokens{p, real.Tokens}
	real.Endpoint = endpoint{p, real.Endpoint}
	real.Metrics = metrics{p, real.Metrics}
	real.Log = slog.New(logs{p, real.Log.Handler()})
	return &real
}

// made has the calls so far.
func (p *process) made() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// die ends the calling goroutine. Each later call ends its goroutine too, so that
// the process does nothing more.
func (p *process) die() {
	p.dead.Store(true)
	runtime.Goexit()
}

// through makes one external call, or what the fault leaves of it.
func through[T any](ctx context.Context, p *process, c call, do func(context.Context) (T, error)) (T, error) {
	if p.dead.Load() {
		runtime.Goexit()
	}
	p.mu.Lock()
	p.calls = append(p.calls, c)
	p.mu.Unlock()
	f := p.faultOf(c)
	if f == nil {
		return do(ctx)
	}
	if f.before != nil {
		f.before(p)
		return do(ctx)
	}
	if f.server != nil {
		p.server.Script(*f.server)
		return do(ctx)
	}
	if f.slow {
		if c.method == tokenRequest { // ends before its context does
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
		}
		<-ctx.Done()
	}
	switch f.effect {
	case atOnce:
		_, _ = do(ctx)
	case late:
		p.late.Go(func() {
			time.Sleep(lateBy)
			_, _ = do(context.WithoutCancel(ctx))
		})
	}
	if f.kills {
		p.die()
	}
	var nothing T
	return nothing, f.err(c)
}

type none struct{}

// throughError is through for calls that return nothing but an error.
func throughError(ctx context.Context, p *process, c call, do func(context.Context) error) error {
	_, err := through(ctx, p, c, func(ctx context.Context) (none, error) { return none{}, do(ctx) })
	return err
}

// The interfaces of rotator.Rotator, each method through the process.

type lister struct {
	p    *process
	real rotator.Lister
}

func (w lister) List(ctx context.Context) ([]rotator.Parameter, error) {
	return through(ctx, w.p, call{method: "Lister.List"}, w.real.List)
}

type parameters struct {
	p    *process
	real rotator.ParameterWriter
}

func (w parameters) WaitToWrite(ctx context.Context, priority rotator.Priority) error {
	about := "lease"
	if priority == rotator.PriorityRecord {
		about = "state"
	}
	return throughError(ctx, w.p, call{"Parameters.WaitToWrite", about}, func(ctx context.Context) error {
		return w.real.WaitToWrite(ctx, priority)
	})
}

func (w parameters) Put(ctx context.Context, connection string, kind rotator.Kind, value string) (int64, error) {
	return through(ctx, w.p, call{"Parameters.Put", string(kind)}, func(ctx context.Context) (int64, error) {
		return w.real.Put(ctx, connection, kind, value)
	})
}

func (w parameters) At(ctx context.Context, connection string, kind rotator.Kind, version int64) (string, error) {
	return through(ctx, w.p, call{"Parameters.At", string(kind)}, func(ctx context.Context) (string, error) {
		return w.real.At(ctx, connection, kind, version)
	})
}

type credentials struct {
	p    *process
	real rotator.CredentialsReader
}

func (w credentials) Read(ctx context.Context, connection string) (rotator.SecretVersion, error) {
	return through(ctx, w.p, call{method: "Credentials.Read"}, func(ctx context.Context) (rotator.SecretVersion, error) {
		return w.real.Read(ctx, connection)
	})
}

func (w credentials) ReadVersion(ctx context.Context, connection, versionID string) (rotator.SecretVersion, error) {
	return through(ctx, w.p, call{method: "Credentials.ReadVersion"}, func(ctx context.Context) (rotator.SecretVersion, error) {
		return w.real.ReadVersion(ctx, connection, versionID)
	})
}

type saver struct {
	p    *process
	real rotator.CredentialsSaver
}

func (w saver) Save(ctx context.Context, connection, versionID string, document secret.Value) error {
	return throughError(ctx, w.p, call{method: "Saver.Save"}, func(ctx context.Context) error {
		return w.real.Save(ctx, connection, versionID, document)
	})
}

func (w saver) Labels(ctx context.Context, connection string) (rotator.VersionLabels, error) {
	return through(ctx, w.p, call{method: "Saver.Labels"}, func(ctx context.Context) (rotator.VersionLabels, error) {
		return w.real.Labels(ctx, connection)
	})
}

func (w saver) RestorePrevious(ctx context.Context, connection, from, to string) error {
	return throughError(ctx, w.p, call{method: "Saver.RestorePrevious"}, func(ctx context.Context) error {
		return w.real.RestorePrevious(ctx, connection, from, to)
	})
}

type pending struct {
	p    *process
	real rotator.PendingStore
}

func (w pending) PutPending(ctx context.Context, connection string, document secret.Value) error {
	return throughError(ctx, w.p, call{method: "Pending.PutPending"}, func(ctx context.Context) error {
		return w.real.PutPending(ctx, connection, document)
	})
}

func (w pending) DeletePending(ctx context.Context, connection string) error {
	return throughError(ctx, w.p, call{method: "Pending.DeletePending"}, func(ctx context.Context) error {
		return w.real.DeletePending(ctx, connection)
	})
}

type tokens struct {
	p    *process
	real rotator.TokenPublisher
}

func (w tokens) Publish(ctx context.Context, connection, versionID string, document secret.Value) error {
	return throughError(ctx, w.p, call{method: "Tokens.Publish"}, func(ctx context.Context) error {
		return w.real.Publish(ctx, connection, versionID, document)
	})
}

type endpoint struct {
	p    *process
	real rotator.TokenEndpoint
}

func (w endpoint) RequestToken(ctx context.Context, request rotator.TokenRequest) (rotator.TokenResponse, error) {
	return through(ctx, w.p, call{tokenRequest, string(request.GrantType)}, func(ctx context.Context) (rotator.TokenResponse, error) {
		return w.real.RequestToken(ctx, request)
	})
}

type metrics struct {
	p    *process
	real rotator.MetricsWriter
}

// Write has no deadline: it goes to standard output.
func (w metrics) Write(now time.Time, m rotator.Metrics) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return throughError(ctx, w.p, call{method: "Metrics.Write"}, func(context.Context) error {
		return w.real.Write(now, m)
	})
}

// logs keeps a dead process silent.
type logs struct {
	p *process
	slog.Handler
}

func (l logs) Handle(ctx context.Context, record slog.Record) error {
	if l.p.dead.Load() {
		return io.ErrClosedPipe
	}
	return l.Handler.Handle(ctx, record)
}
