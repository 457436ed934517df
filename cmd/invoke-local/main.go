// Command invoke-local runs event files with the real binary under `sam local
// invoke`, with Docker, against the fakes for Reltio and AWS: `make
// invoke-local EVENT=events/refresh-now.json`.
//
// Each event gets new fakes, with one connection that has credentials and no
// token. The exit status is 1 if the function rejects the event, or does not
// refresh when it should. If no Docker engine responds and the user is root, the
// command starts one and stops it at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"reltio-token-rotator/tests/harness/machine"
)

// timeout is the time limit of the run.
const timeout = 10 * time.Minute

func main() {
	own := flag.Bool("own", false, "always start a Docker engine for this run; it needs no registry")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	console := machine.NewConsole(os.Stdout)
	if err := run(ctx, console, *own, flag.Args()); err != nil {
		console.Say("FAILED", "%v", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, console *machine.Console, own bool, events []string) (err error) {
	project, err := machine.Project()
	if err != nil {
		return err
	}
	if len(events) == 0 {
		known, err := filepath.Glob(filepath.Join(project, "events", "*.json"))
		for i := range known {
			known[i] = "EVENT=events/" + filepath.Base(known[i])
		}
		return errors.Join(fmt.Errorf("say which event: %s", strings.Join(known, " or ")), err)
	}
	if _, err := os.Stat(filepath.Join(project, ".tools", "bin", "sam")); err != nil {
		return errors.New("no SAM CLI in .tools: run make tools")
	}
	work, err := os.MkdirTemp("", "reltio-invoke-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	engine, err := findEngine(ctx, console, own, project, work)
	if err != nil {
		return err
	}
	defer engine.stop()

	built := filepath.Join(work, "build")
	command := machine.Command{Dir: project, Env: machine.Environment(project, "", engine.env...)}
	if _, err := command.Run(ctx, "sam", "build", "--build-dir", built); err != nil {
		return err
	}
	console.Say("sam build", "built the function")
	for _, event := range events {
		if err := invoke(ctx, console, command, engine, built, event); errors.Is(ctx.Err(), context.Canceled) {
			return errors.New("interrupted")
		} else if err != nil {
			return fmt.Errorf("%s: %w", event, err)
		}
	}
	return nil
}
