// Command local is `make run`: it shows the real function keeping a token fresh
// on this machine, without AWS.
//
// It builds functions/rotate, starts it behind a Lambda Runtime API between
// fakes for AWS and for Reltio, sends it heartbeats, and lets a job use the
// token secret. It ends by itself, or on Ctrl-C, with a summary; exit status 1
// says that the job was left with a dead token or that something failed.
//
// Variables, of the environment or of make's command line:
//
//	RUN_FOR=5m                     how long; 30 s when left out
//	CREDENTIALS=credentials.json   a real client's credentials, as the credentials
//	TOKEN_URL=https://…            secret holds them, and where to use them
//	SAVE_TO=file                   where a refresh token goes that the server changed
//	PROXY=http://host:3128         a proxy to that endpoint; none when left out
//
// The credentials file is only read. What is kept of AWS lives in this process
// and ends with it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Once it is ending, a second Ctrl-C ends it at once.
	context.AfterFunc(ctx, stop)
	settings, err := readSettings(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	well, err := play(ctx, settings, newScreen(os.Stdout, looksOf(os.Stdout, os.Getenv)), nil)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !well {
		os.Exit(1)
	}
}
