package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"reltio-token-rotator/tests/harness/binary"
)

// bench is what the measurements share.
type bench struct {
	// repeat is how often each time is measured.
	repeat int
	// function and hello are programs, built as the function is deployed; python
	// is "" where it is not installed.
	function, hello, python string
	// dir goes away at the end.
	dir string
	// aside are the measurements that go on beside others.
	aside sync.WaitGroup

	mu sync.Mutex
	// notes stand below the table.
	notes []string
}

func newBench(ctx context.Context, repeat int) (*bench, error) {
	dir, err := os.MkdirTemp("", "bench-*")
	if err != nil {
		return nil, err
	}
	b := &bench{repeat: repeat, dir: dir}
	b.say("building …")
	if b.function, err = b.build(ctx, "function", "reltio-token-rotator/functions/rotate"); err == nil {
		b.hello, err = b.build(ctx, "hello", "reltio-token-rotator/bench/hello")
	}
	if err == nil {
		b.python, err = b.preparePython(ctx)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) build(ctx context.Context, name, program string) (string, error) {
	path := filepath.Join(b.dir, name)
	return path, binary.BuildProgram(ctx, program, path)
}

// say tells on standard error how far the run is.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// note adds a line below the table.
func (b *bench) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

func (b *bench) close() { _ = os.RemoveAll(b.dir) }
