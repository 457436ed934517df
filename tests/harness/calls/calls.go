// Package calls puts a test between a rotator and everything outside it, so that the
// test can make any external call fail, or let the process die at it.
package calls

import (
	"context"
	"io"
	"log/slog"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// TokenRequest is the Method of a token request.
const TokenRequest = "Endpoint.RequestToken"

// Call is one external call of a process.
type Call struct {
	// Method is "FIELD.METHOD", after the field of rotator.Rotator that the call goes
	// through.
	Method string
	// About is what the call is about where the method alone does not say: the kind of
	// a parameter, or the grant type.
	About string
}

func (c Call) String() string {
	if c.About == "" {
		return c.Method
	}
	return c.Method + "(" + c.About + ")"
}

// Process is one Lambda process, as the test lets it work.
type Process interface {
	// Through makes a call with do, or does something else in its place. A result
	// that is nil stands for the zero value.
	Through(ctx context.Context, c Call, do func(context.Context) (any, error)) (any, error)
	// Dead reports whether the process has died. Its log is silent from then on.
	Dead() bool
}

// Wrap returns a rotator whose external calls go through a process.
func Wrap(real rotator.Rotator, p Process) *rotator.Rotator {
	w := wrapped{real, p}
	real.Lister, real.Parameters, real.Credentials, real.Saver = w, w, w, w
	real.Pending, real.Tokens, real.Endpoint, real.Metrics = w, w, w, w
	real.Log = slog.New(logs{p, real.Log.Handler()})
	return &real
}

// value makes a call that returns a value.
func value[T any](ctx context.Context, w wrapped, c Call, do func(context.Context) (T, error)) (T, error) {
	got, err := w.process.Through(ctx, c, func(ctx context.Context) (any, error) { return do(ctx) })
	result, _ := got.(T)
	return result, err
}

// wrapped has the interfaces of rotator.Rotator.
type wrapped struct {
	real    rotator.Rotator
	process Process
}

// do makes a call that returns nothing but an error.
func (w wrapped) do(ctx context.Context, c Call, do func(context.Context) error) error {
	_, err := w.process.Through(ctx, c, func(ctx context.Context) (any, error) { return nil, do(ctx) })
	return err
}

func (w wrapped) List(ctx context.Context) ([]rotator.Parameter, error) {
	return value(ctx, w, Call{Method: "Lister.List"}, w.real.Lister.List)
}

func (w wrapped) WaitToWrite(ctx context.Context, priority rotator.Priority) error {
	about := "lease"
	if priority == rotator.PriorityRecord {
		about = "state"
	}
	return w.do(ctx, Call{"Parameters.WaitToWrite", about}, func(ctx context.Context) error {
		return w.real.Parameters.WaitToWrite(ctx, priority)
	})
}

func (w wrapped) Put(ctx context.Context, connection string, kind rotator.Kind, text string) (int64, error) {
	return value(ctx, w, Call{"Parameters.Put", string(kind)}, func(ctx context.Context) (int64, error) {
		return w.real.Parameters.Put(ctx, connection, kind, text)
	})
}

func (w wrapped) At(ctx context.Context, connection string, kind rotator.Kind, version int64) (string, error) {
	return value(ctx, w, Call{"Parameters.At", string(kind)}, func(ctx context.Context) (string, error) {
		return w.real.Parameters.At(ctx, connection, kind, version)
	})
}

func (w wrapped) Read(ctx context.Context, connection string) (rotator.SecretVersion, error) {
	return value(ctx, w, Call{Method: "Credentials.Read"}, func(ctx context.Context) (rotator.SecretVersion, error) {
		return w.real.Credentials.Read(ctx, connection)
	})
}

func (w wrapped) ReadVersion(ctx context.Context, connection, versionID string) (rotator.SecretVersion, error) {
	return value(ctx, w, Call{Method: "Credentials.ReadVersion"}, func(ctx context.Context) (rotator.SecretVersion, error) {
		return w.real.Credentials.ReadVersion(ctx, connection, versionID)
	})
}

func (w wrapped) Save(ctx context.Context, connection, versionID string, document secret.Value) error {
	return w.do(ctx, Call{Method: "Saver.Save"}, func(ctx context.Context) error {
		return w.real.Saver.Save(ctx, connection, versionID, document)
	})
}

func (w wrapped) Labels(ctx context.Context, connection string) (rotator.VersionLabels, error) {
	return value(ctx, w, Call{Method: "Saver.Labels"}, func(ctx context.Context) (rotator.VersionLabels, error) {
		return w.real.Saver.Labels(ctx, connection)
	})
}

func (w wrapped) RestorePrevious(ctx context.Context, connection, from, to string) error {
	return w.do(ctx, Call{Method: "Saver.RestorePrevious"}, func(ctx context.Context) error {
		return w.real.Saver.RestorePrevious(ctx, connection, from, to)
	})
}

func (w wrapped) PutPending(ctx context.Context, connection string, document secret.Value) error {
	return w.do(ctx, Call{Method: "Pending.PutPending"}, func(ctx context.Context) error {
		return w.real.Pending.PutPending(ctx, connection, document)
	})
}

func (w wrapped) DeletePending(ctx context.Context, connection string) error {
	return w.do(ctx, Call{Method: "Pending.DeletePending"}, func(ctx context.Context) error {
		return w.real.Pending.DeletePending(ctx, connection)
	})
}

func (w wrapped) Publish(ctx context.Context, connection, versionID string, document secret.Value) error {
	return w.do(ctx, Call{Method: "Tokens.Publish"}, func(ctx context.Context) error {
		return w.real.Tokens.Publish(ctx, connection, versionID, document)
	})
}

func (w wrapped) RequestToken(ctx context.Context, request rotator.TokenRequest) (rotator.TokenResponse, error) {
	return value(ctx, w, Call{TokenRequest, string(request.GrantType)}, func(ctx context.Context) (rotator.TokenResponse, error) {
		return w.real.Endpoint.RequestToken(ctx, request)
	})
}

// Write has no deadline: it goes to standard output.
func (w wrapped) Write(now time.Time, m rotator.Metrics) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return w.do(ctx, Call{Method: "Metrics.Write"}, func(context.Context) error {
		return w.real.Metrics.Write(now, m)
	})
}

// logs keeps a dead process silent.
type logs struct {
	process Process
	slog.Handler
}

func (l logs) Handle(ctx context.Context, record slog.Record) error {
	if l.process.Dead() {
		return io.ErrClosedPipe
	}
	return l.Handler.Handle(ctx, record)
}
