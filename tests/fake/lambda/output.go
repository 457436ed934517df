package lambda

import (
	"bytes"
	"os"
	"sync"
	"syscall"
)

// output reads a process's output and passes it on line by line. Unlike a pipe with
// a reader behind it, drain makes sure that all that was written so far was
// passed on: with the answer of an invocation come its log lines.
type output struct {
	read *os.File
	tell func(line string)
	done chan struct{}

	mu      sync.Mutex
	fd      int // of read, which does not block; -1 once closed
	partial []byte
}

// newOutput returns the end to write to as well; the caller closes that.
func newOutput(tell func(line string)) (*output, *os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	o := &output{read: read, tell: tell, done: make(chan struct{}), fd: -1}
	conn, err := read.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { o.fd = int(fd) })
	}
	if err != nil {
		_, _ = read.Close(), write.Close()
		return nil, nil, err
	}
	go func() {
		defer close(o.done)
		_ = conn.Read(func(uintptr) (finished bool) { return o.readAll() })
	}()
	return o, write, nil
}

// readAll passes on what can be read. It returns true at the end of the output.
func (o *output) readAll() (ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	buffer := make([]byte, 16<<10)
	for o.fd >= 0 {
		n, err := syscall.Read(o.fd, buffer)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != nil || n == 0:
			return true
		}
		o.take(buffer[:n])
	}
	return true
}

func (o *output) take(data []byte) {
	o.partial = append(o.partial, data...)
	for {
		line, rest, found := bytes.Cut(o.partial, []byte("\n"))
		if !found {
			return
		}
		o.tell(string(line))
		o.partial = rest
	}
}

// drain passes on everything that was written so far.
func (o *output) drain() { o.readAll() }

// close passes on the rest after the process's end. A process's child that still
// holds the pipe is not waited for.
func (o *output) close() {
	o.readAll()
	o.mu.Lock()
	o.fd = -1
	if len(o.partial) > 0 {
		o.tell(string(o.partial))
		o.partial = nil
	}
	o.mu.Unlock()
	_ = o.read.Close()
	<-o.done
}
