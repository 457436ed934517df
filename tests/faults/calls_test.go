package faults_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/calls"
)

// call is one external call of a process.
type call = calls.Call

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

// Dead reports whether the process has died.
func (p *process) Dead() bool { return p.dead.Load() }

// Through makes one external call, or what the fault leaves of it.
func (p *process) Through(ctx context.Context, c call, do func(context.Context) (any, error)) (any, error) {
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
		if c.Method == tokenRequest { // ends before its context does
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
	return nil, f.err(c)
}
