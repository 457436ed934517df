// Package machine gives the deployment tests access to the machine they run on: the
// project's folder and tools, other programs, and lines for the terminal.
//
// Programs that it starts never see the AWS settings of the user, so that no call
// can reach a real account.
package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Region is the region of an emulator.
const Region = "us-east-1"

// Project returns the folder with go.mod: the working folder or one above it.
func Project() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("start it inside the project: no go.mod here or above")
		}
		dir = up
	}
}

// Environment returns the environment without AWS settings and Reltio credentials.
// It has .tools/bin first in PATH, the emulator's access keys, its endpoint if there
// is one, and the variables in more.
func Environment(project, endpoint string, more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "AWS_") || strings.HasPrefix(entry, "RELTIO_") || strings.HasPrefix(entry, "PATH=")
	})
	env = append(
		env,
		"PATH="+filepath.Join(project, ".tools", "bin")+string(os.PathListSeparator)+os.Getenv("PATH"),
		"AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_PAGER=",
		"AWS_DEFAULT_REGION="+Region,
		"AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test",
		"SAM_CLI_TELEMETRY=0",
	)
	if endpoint != "" {
		env = append(env, "AWS_ENDPOINT_URL="+endpoint)
	}
	return append(env, more...)
}

// Command says how a program is run.
type Command struct {
	Dir   string
	Env   []string
	Stdin io.Reader
	// Stderr gets the program's standard error if it is set.
	Stderr io.Writer
}

// Run runs a program to its end and returns its standard output. An error contains
// the end of its output. When ctx ends, the program first gets SIGTERM.
func (c Command) Run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := c.command(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, &stdout, &stderr
	if c.Stderr != nil {
		cmd.Stderr = io.MultiWriter(&stderr, c.Stderr)
	}
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err,
			lastLines(stdout.String()+stderr.String(), 30))
	}
	return stdout.String(), nil
}

func (c Command) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.find(name), args...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	// The program gets a process group of its own, so that Ctrl-C reaches only this
	// program, which then ends what it started in the right order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// find looks up name in the command's own PATH. Package exec would use the PATH of
// this program.
func (c Command) find(name string) string {
	if strings.ContainsRune(name, filepath.Separator) {
		return name
	}
	for _, entry := range c.Env {
		path, ok := strings.CutPrefix(entry, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(path) {
			full := filepath.Join(dir, name)
			if info, err := os.Stat(full); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
				return full
			}
		}
	}
	return name
}

// Process is a program that runs until Stop.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// Start starts a program whose output goes to the file log.
func (c Command) Start(log, name string, args ...string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := c.command(context.Background(), name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Pid is the program's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Until waits until ready returns true, the program ends, or ctx ends.
func (p *Process) Until(ctx context.Context, ready func(context.Context) bool) error {
	for {
		if ready(ctx) {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended:\n%s", filepath.Base(p.cmd.Path), p.Log(30))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", filepath.Base(p.cmd.Path), ctx.Err(), p.Log(30))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Stop ends the program and everything that it started, and waits until they have
// ended.
func (p *Process) Stop() {
	_ = syscall.Kill(-p.Pid(), syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
	}
	// The rest of its group is ended too, also if the program itself has already
	// ended.
	_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
	<-p.done
}

// Log returns the last lines of the program's output.
func (p *Process) Log(lines int) string {
	text, _ := os.ReadFile(p.log)
	return lastLines(string(text), lines)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// FreePort returns a TCP port of loopback on which nothing listens now.
func FreePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
