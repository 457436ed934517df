package contract_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long an emulator may take to answer its first request.
const patience = 60 * time.Second

// ministackURL gives MINISTACK_URL, or a MiniStack of the test's own.
func ministackURL(t *testing.T) string {
	if url := os.Getenv("MINISTACK_URL"); url != "" {
		return url
	}
	command := find(t, "ministack")
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	launch(t, command, nil, []string{"BIND_HOST=127.0.0.1", "GATEWAY_PORT=" + port}, url+"/_ministack/health")
	return url
}

func motoURL(t *testing.T) string {
	command := find(t, "moto_server")
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	launch(t, command, []string{"-H", "127.0.0.1", "-p", port}, nil, url+"/moto-api/data.json")
	return url
}

// find looks where make tools puts it, then on PATH.
func find(t *testing.T, command string) string {
	t.Helper()
	name := strings.TrimSuffix(command, "_server")
	own, err := filepath.Abs(filepath.Join("../../.tools", name, "bin", command))
	if err != nil {
		t.Fatal(err)
	}
	for _, candidate := range []string{own, command} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	absent(t, name)
	return ""
}

// launch runs an emulator until the test ends and waits for it to answer.
func launch(t *testing.T, command string, args, env []string, ready string) {
	t.Helper()
	var output bytes.Buffer // read only once the process has ended
	process := exec.Command(command, args...)
	process.Env = append(os.Environ(), env...)
	process.Dir = t.TempDir()
	process.Stdout, process.Stderr = &output, &output
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a launcher's children end with it
	process.WaitDelay = 5 * time.Second
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = process.Wait() }()
	t.Cleanup(func() {
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			_ = syscall.Kill(-process.Process.Pid, signal)
			select {
			case <-ended:
				return
			case <-time.After(5 * time.Second):
			}
		}
	})

	client := http.Client{Timeout: 2 * time.Second}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for {
		if answer, err := client.Get(ready); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("%s ended:\n%s", command, output.String())
		case <-timeout:
			t.Fatalf("%s did not answer within %s", command, patience)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
