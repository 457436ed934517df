package rotatorctl_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"reltio-token-rotator/tests/harness/pty"
)

// screen is a pseudo-terminal with an operator in front of it.
type screen struct {
	t     *testing.T
	keys  *os.File // what is typed goes in here, what is shown comes out
	tty   *os.File
	ended chan error
	read  chan struct{} // closed when all that was shown is read

	mu    sync.Mutex
	shown bytes.Buffer
}

// atTerminal starts a program at a terminal of its own.
func atTerminal(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	s := &screen{t: t, ended: make(chan error, 1), read: make(chan struct{})}
	s.keys, s.tty = pty.Open(t)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.tty, s.tty, s.tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.read)
		chunk := make([]byte, 4096)
		for {
			n, err := s.keys.Read(chunk)
			s.mu.Lock()
			s.shown.Write(chunk[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() { s.ended <- cmd.Wait() }()
	return s
}

func ioctl(t *testing.T, file *os.File, request uintptr, argument unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), request, uintptr(argument)); errno != 0 {
		t.Fatal(errno)
	}
}

// echoes reports whether the terminal shows what is typed.
func (s *screen) echoes() bool {
	var mode syscall.Termios
	ioctl(s.t, s.keys, syscall.TCGETS, unsafe.Pointer(&mode))
	return mode.Lflag&syscall.ECHO != 0
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// after waits until the screen shows a question, and types.
func (s *screen) after(question, keys string) {
	s.t.Helper()
	s.await(question, 1)
	s.enter(keys)
}

// afterAgain is after for a question that is asked the second time.
func (s *screen) afterAgain(question, keys string) {
	s.t.Helper()
	s.await(question, 2)
	s.enter(keys)
}

func (s *screen) await(question string, times int) {
	s.t.Helper()
	deadline := time.After(30 * time.Second)
	for strings.Count(flat(s.text()), question) < times {
		select {
		case <-time.After(10 * time.Millisecond):
		case err := <-s.ended:
			s.t.Fatalf("ended (%v) before %q:\n%s", err, question, s.text())
		case <-deadline:
			s.t.Fatalf("no %q:\n%s", question, s.text())
		}
	}
}

func (s *screen) enter(keys string) {
	s.t.Helper()
	if _, err := s.keys.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the program's end.
func (s *screen) end() error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		// What it printed last may still be on its way to the screen. The screen ends
		// when no process has the terminal open.
		_ = s.tty.Close()
		<-s.read
		return err
	case <-time.After(60 * time.Second):
		s.t.Fatalf("does not end:\n%s", s.text())
		return nil
	}
}
