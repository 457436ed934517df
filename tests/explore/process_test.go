package explore_test

import (
	"context"
	"runtime"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/calls"
)

// wrap puts an invocation between the rotator and everything outside it. Every
// external call passes through it. After the death of the process, no call does.
func (v *invocation) wrap(real rotator.Rotator) *rotator.Rotator {
	w := watched{v, real.Lister, real.Parameters, real.Credentials, real.Endpoint}
	real.Lister, real.Parameters, real.Credentials, real.Endpoint = w, w, w, w
	wrapped := calls.Wrap(real, v)
	wrapped.Endpoint = endpoint{v, wrapped.Endpoint}
	return wrapped
}

// Dead reports whether the process has died.
func (v *invocation) Dead() bool { return v.dead.Load() }

// Through makes one external call, or what the fault leaves of it.
func (v *invocation) Through(ctx context.Context, c calls.Call, do func(context.Context) (any, error)) (any, error) {
	v.stopIfDead()
	if c.Method == "Parameters.WaitToWrite" || c.Method == "Metrics.Write" {
		return do(ctx) // no fault is injected into these
	}
	name := c.String()
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
	if isTokenRequest(name) {
		return nil, &rotator.Error{Code: rotator.AnswerLost, Message: "the answer was lost.", TokenEnded: true}
	}
	return nil, &awsstore.CallError{Operation: name, Code: "InternalServiceError"}
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

// watched notes what the calls that take effect do.
type watched struct {
	v *invocation
	rotator.Lister
	rotator.ParameterWriter
	rotator.CredentialsReader
	rotator.TokenEndpoint
}

func (w watched) List(ctx context.Context) ([]rotator.Parameter, error) {
	listing, err := w.Lister.List(ctx)
	w.v.listed(listing)
	return listing, err
}

func (w watched) Put(ctx context.Context, connection string, kind rotator.Kind, value string) (int64, error) {
	w.v.putting(kind)
	version, err := w.ParameterWriter.Put(ctx, connection, kind, value)
	w.v.put(kind, value, version, err)
	return version, err
}

func (w watched) Read(ctx context.Context, connection string) (rotator.SecretVersion, error) {
	w.v.reading()
	return w.CredentialsReader.Read(ctx, connection)
}

func (w watched) RequestToken(ctx context.Context, request rotator.TokenRequest) (rotator.TokenResponse, error) {
	w.v.asking(request)
	response, err := w.TokenEndpoint.RequestToken(ctx, request)
	w.v.asked(request)
	return response, err
}

// endpoint notes which answers the rotator gets.
type endpoint struct {
	v *invocation
	rotator.TokenEndpoint
}

func (w endpoint) RequestToken(ctx context.Context, request rotator.TokenRequest) (rotator.TokenResponse, error) {
	response, err := w.TokenEndpoint.RequestToken(ctx, request)
	if !w.v.dead.Load() {
		w.v.answered(request, response, err)
	}
	return response, err
}
