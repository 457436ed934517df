package readers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A job with reltio.sh that is killed in the middle of a call leaves no files behind.
func TestAKilledShellJobLeavesNoFiles(t *testing.T) {
	for name, command := range map[string]func(*testing.T) *exec.Cmd{"bash": shell("bash"), "sh": shell("dash", "busybox")} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGKILL} {
			t.Run(name+" "+sig.String(), func(t *testing.T) {
				if signal.Ignored(sig) {
					t.Skipf("needs a process that does not ignore the signal %v: run it in the foreground", sig)
				}
				t.Parallel()
				called := make(chan struct{})
				once := sync.OnceFunc(func() { close(called) })
				server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					once()
					<-r.Context().Done()
				}))
				t.Cleanup(server.Close)
				temporary, job := t.TempDir(), command(t)
				p := startProcess(t, job, server.URL, "TMPDIR="+temporary)
				if _, err := io.WriteString(p.orders, "call get "+server.URL+" 1\n"); err != nil {
					t.Fatal(err)
				}
				select {
				case <-called:
				case <-time.After(callTimeout):
					t.Fatalf("no call within %v\n%s", callTimeout, p.output)
				}
				if err := syscall.Kill(-job.Process.Pid, sig); err != nil {
					t.Fatal(err)
				}
				if err := p.wait(); err == nil {
					t.Error("the signal did not end the job")
				}
				left, err := os.ReadDir(temporary)
				if err != nil || len(left) > 0 {
					t.Errorf("it left %v, %v", left, err)
				}
			})
		}
	}
}
