// Command deploy proves the deployment without an AWS account: `make
// deploy-local`.
//
// It starts MiniStack, an emulator of AWS, and the Reltio fake on loopback,
// runs the real `sam build` and `sam deploy`, and seeds credentials as the
// README says. From then on nobody invokes the function: the stack's own
// schedule has to fill the token secret and to refresh it while a job reads it.
// With -auth the emulator enforces the IAM policies of the template. It ends
// with exit status 1 if any of that did not happen, and leaves nothing running.
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

// atMost ends a run that hangs.
const atMost = 25 * time.Minute

func main() {
	auth := flag.Bool("auth", false, "let the emulator enforce IAM policies")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()

	console := machine.NewConsole(os.Stdout)
	if err := run(ctx, console, *auth); err != nil {
		console.Say("FAILED", "%v", err)
		os.Exit(1)
	}
	console.Say("done", "everything above happened; all is cleaned up")
}

func run(ctx context.Context, console *machine.Console, auth bool) (err error) {
	project, err := machine.Project()
	if err != nil {
		return err
	}
	if err := present(project); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "reltio-deploy-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	w, err := newWorld(ctx, console, project, work, auth)
	if err != nil {
		return err
	}
	defer w.close()
	err = w.story(ctx)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return errors.New("interrupted")
	case err != nil:
		w.explain()
	}
	return err
}

// present tells what is missing, and how to get it.
func present(project string) error {
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
