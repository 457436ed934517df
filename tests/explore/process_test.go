package explore_test

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	"reltio-token-rotator/rotator/secret"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// wrap puts an invocation between the rotator and everything outside it. Every
// external call passes through it. After the death of the process, no call does.
func (v *invocation) wrap(real rotator.Rotator) *rotator.Rotator {
	real.Lister = lister{v, real.Lister}
	real.Parameters = parameters{v, real.Parameters}
	real.Credentials = credentials{v, real.Credentials}
	real.Saver = saver{v, real.Saver}
	real.Pending = pending{v, real.Pending}
	real.Tokens = tokens{v, real.Tokens}
	real.Endpoint = endpoint{v, real.Endpoint}
	real.Metrics = metrics{v, real.Metrics}
	real.Log = slog.New(logs{v, real.Log.Handler()})
	return &real
}

// through makes one external call, or what the fault leaves of it.
func through[T any](ctx context.Context, v *invocation, name string, do func(context.Context) (T, error)) (T, error) {
	v.stopIfDead()
	f, found := v.meet(name)
	v.stopIfDead()
	if !found {
		got, err := do(ctx)
		v.stopIfDead()
		return got, err
	}
	if f.server != nil {
		if f.again {
			v.h.Reltio.SetFaults(func() fakereltio.Fault { return *f.server })
			defer v.h.Reltio.SetFaults(nil)
		} else {
			v.h.Reltio.Script(*f.server)
		}
		got, err := do(ctx)
		v.troubled(f.lastEffect())
		v.stopIfDead()
		return got, err
	}
	if f.slow > 0 {
		wait(ctx, f.slow)
	}
	v.troubled(f.lastEffect())
	switch {
	case f.effect && f.late > 0:
		v.running.Go(func() {
			time.Sleep(f.late)
			_, _ = do(context.WithoutCancel(ctx))
		})
	case f.effect && !f.fails && !f.kills:
		got, err := do(ctx)
		v.stopIfDead()
		return got, err
	case f.effect:
		_, _ = do(ctx)
	}
	if f.kills {
		v.dead.Store(true)
	}
	v.stopIfDead()
	var nothing T
	if isTokenRequest(name) {
		return nothing, &rotator.Error{Code: rotator.AnswerLost, Message: "the answer was lost.", TokenEnded: true}
	}
	return nothing, &awsstore.CallError{Operation: name, Code: "InternalServiceError"}
}

// stopIfDead ends the calling goroutine if its process is dead, so that it does
// nothing more.
func (v *invocation) stopIfDead() {
	if v.dead.Load() {
		runtime.Goexit()
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

type none struct{}

// throughError is through for calls that return nothing but an error.
func throughError(ctx context.Context, v *invocation, name string, do func(context.Context) error) error {
	_, err := through(ctx, v, name, func(ctx context.Context) (none, error) { return none{}, do(ctx) })
	return err
}

// The interfaces of rotator.Rotator, each method through the invocation.

type lister struct {
	v    *invocation
	real rotator.Lister
}

func (w lister) List(ctx context.Context) ([]rotator.Parameter, error) {
	return through(ctx, w.v, "Lister.List", func(ctx context.Context) ([]rotator.Parameter, error) {
		listing, err := w.real.List(ctx)
		w.v.listed(listing)
		return listing, err
	})
}

type parameters struct {
	v    *invocation
	real rotator.ParameterWriter
}

// WaitToWrite is no external call.
func (w parameters) WaitToWrite(ctx context.Context, priority rotator.Priority) error {
	w.v.stopIfDead()
	return w.real.WaitToWrite(ctx, priority)
}

func (w parameters) Put(ctx context.Context, connection string, kind rotator.Kind, value string) (int64, error) {
	return through(ctx, w.v, "Parameters.Put("+string(kind)+")", func(ctx context.Context) (int64, error) {
		w.v.putting(kind)
		version, err := w.real.Put(ctx, connection, kind, value)
		w.v.put(kind, value, version, err)
		return version, err
	})
}

func (w parameters) At(ctx context.Context, connection string, kind rotator.Kind, version int64) (string, error) {
	return through(ctx, w.v, "Parameters.At", func(ctx context.Context) (string, error) {
		return w.real.At(ctx, connection, kind, version)
	})
}

type credentials struct {
	v    *invocation
	real rotator.CredentialsReader
}

func (w credentials) Read(ctx context.Context, connection string) (rotator.SecretVersion, error) {
	return through(ctx, w.v, "Credentials.Read", func(ctx context.Context) (rotator.SecretVersion, error) {
		w.v.reading()
		return w.real.Read(ctx, connection)
	})
}

func (w credentials) ReadVersion(ctx context.Context, connection, versionID string) (rotator.SecretVersion, error) {
	return through(ctx, w.v, "Credentials.ReadVersion", func(ctx context.Context) (rotator.SecretVersion, error) {
		return w.real.ReadVersion(ctx, connection, versionID)
	})
}

type saver struct {
	v    *invocation
	real rotator.CredentialsSaver
}

func (w saver) Save(ctx context.Context, connection, versionID string, document secret.Value) error {
	return throughError(ctx, w.v, "Saver.Save", func(ctx context.Context) error {
		return w.real.Save(ctx, connection, versionID, document)
	})
}

func (w saver) Labels(ctx context.Context, connection string) (rotator.VersionLabels, error) {
	return through(ctx, w.v, "Saver.Labels", func(ctx context.Context) (rotator.VersionLabels, error) {
		return w.real.Labels(ctx, connection)
	})
}

func (w saver) RestorePrevious(ctx context.Context, connection, from, to string) error {
	return throughError(ctx, w.v, "Saver.RestorePrevious", func(ctx context.Context) error {
		return w.real.RestorePrevious(ctx, connection, from, to)
	})
}

type pending struct {
	v    *invocation
	real rotator.PendingStore
}

func (w pending) PutPending(ctx context.Context, connection string, document secret.Value) error {
	return throughError(ctx, w.v, "Pending.PutPending", func(ctx context.Context) error {
		return w.real.PutPending(ctx, connection, document)
	})
}

func (w pending) DeletePending(ctx context.Context, connection string) error {
	return throughError(ctx, w.v, "Pending.DeletePending", func(ctx context.Context) error {
		return w.real.DeletePending(ctx, connection)
	})
}

type tokens struct {
	v    *invocation
	real rotator.TokenPublisher
}

func (w tokens) Publish(ctx context.Context, connection, versionID string, document secret.Value) error {
	return throughError(ctx, w.v, "Tokens.Publish", func(ctx context.Context) error {
		return w.real.Publish(ctx, connection, versionID, document)
	})
}

type endpoint struct {
	v    *invocation
	real rotator.TokenEndpoint
}

func (w endpoint) RequestToken(ctx context.Context, request rotator.TokenRequest) (rotator.TokenResponse, error) {
	name := tokenRequest + "(" + string(request.GrantType) + ")"
	delivered := false
	response, err := through(ctx, w.v, name, func(ctx context.Context) (rotator.TokenResponse, error) {
		w.v.asking(request)
		response, err := w.real.RequestToken(ctx, request)
		w.v.asked(request)
		return response, err
	})
	delivered = !w.v.dead.Load()
	if delivered {
		w.v.answered(request, response, err)
	}
	return response, err
}

type metrics struct {
	v    *invocation
	real rotator.MetricsWriter
}

func (w metrics) Write(now time.Time, m rotator.Metrics) error {
	w.v.stopIfDead()
	return w.real.Write(now, m)
}

// logs keeps a dead process silent.
type logs struct {
	v *invocation
	slog.Handler
}

func (l logs) Handle(ctx context.Context, record slog.Record) error {
	if l.v.dead.Load() {
		return io.ErrClosedPipe
	}
	return l.Handler.Handle(ctx, record)
}
