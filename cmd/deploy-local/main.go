// Command deploy-local tests the deployment without an AWS account: `make
// deploy-local`.
//
// It starts MiniStack, an AWS emulator, and the Reltio fake on loopback. It runs
// the real `sam build` and `sam deploy`, and seeds credentials as the README
// says. From then on only the stack's schedule invokes the function, which must
// publish a token and refresh it while a job reads it. With -auth the emulator
// enforces the IAM policies of the template. The exit status is 1 if a step
// fails. It stops everything that it started.
//
// With -keep it deploys, waits for the first token, says how to use the stack from
// another terminal, and leaves it running until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"reltio-token-rotator/tests/harness/machine"
)

// timeout is the time limit of the run.
const timeout = 25 * time.Minute

func main() {
	auth := flag.Bool("auth", false, "enforce IAM policies in the emulator")
	keep := flag.Bool("keep", false, "leave the stack running until it is interrupted")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	console := machine.NewConsole(os.Stdout)
	if err := run(ctx, console, *auth, *keep); err != nil {
		console.Say("FAILED", "%v", err)
		os.Exit(1)
	}
	console.Say("done", "all steps succeeded, and everything is cleaned up")
}

func run(ctx context.Context, console *machine.Console, auth, keep bool) (err error) {
	project, err := machine.Project()
	if err != nil {
		return err
	}
	if err := checkTools(project); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "reltio-deploy-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	lifetime := shortLifetime
	if keep {
		lifetime = idleLifetime
	}
	h, err := newHarness(ctx, console, project, work, auth, lifetime)
	if err != nil {
		return err
	}
	defer h.stop()
	steps, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if keep {
		err = h.deployed(steps)
	} else {
		err = h.scenario(steps)
	}
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case err != nil:
		h.showLogs()
	case keep:
		h.sayHowToUse()
		<-ctx.Done()
	}
	return err
}

// checkTools returns an error that says which tool is missing and how to get it.
func checkTools(project string) error {
	for _, tool := range []string{"sam", "aws", "ministack"} {
		if _, err := os.Stat(filepath.Join(project, ".tools", "bin", tool)); err != nil {
			return fmt.Errorf("no %s in .tools: run make tools", tool)
		}
	}
	for _, tool := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("no %s, which the job uses: install it (Debian: apt-get install %s)", tool, tool)
		}
	}
	return nil
}
