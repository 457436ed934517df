package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
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
		b.hello, err = b.build(ctx, "hello", "reltio-token-rotator/tests/bench/hello")
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

// build compiles a program with the flags of the Makefile's build-RotateFunction,
// for this machine's system. The version is given, as there: to find out its own
// would take the function time at every start.
func (b *bench) build(ctx context.Context, name, program string) (string, error) {
	path := filepath.Join(b.dir, name)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
		"-ldflags", "-s -w -X main.release=bench", "-o", path, program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return path, nil
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
