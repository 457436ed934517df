// Command demo is `make run`. It shows the function keeping tokens fresh on this
// machine, without AWS.
//
// It builds functions/rotate, starts it behind a Lambda Runtime API between fakes
// of AWS and of Reltio, sends it heartbeats, and lets jobs call an API with the
// tokens. It ends by itself with a table of the jobs, or on Ctrl-C; exit status 1
// says that something did not happen as it is told.
//
// With CREDENTIALS it uses a real token endpoint. Variables, of the environment or
// of make's command line:
//
//	CREDENTIALS=credentials.json   a real client's credentials, as the credentials
//	TOKEN_URL=https://…            secret holds them, and where to use them
//	API_URL=https://…              an API that takes the tokens; none when left out
//	SAVE_TO=file                   where a refresh token goes that the server changed
//	PROXY=http://host:3128         a proxy to that endpoint; none when left out
//	RUN_FOR=5m                     how long; 30 s when left out
//	YES=true                       go on without asking
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
	to := newScreen(os.Stdout, looksOf(os.Stdout, os.Getenv))
	well, err := run(ctx, settings, to)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !well {
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, to *screen) (well bool, err error) {
	if !s.real {
		return show(ctx, s, to, nil)
	}
	introduceOwn(to, s)
	if !s.yes {
		if err := confirm(ctx, os.Stdin, to); err != nil {
			return false, err
		}
	}
	to.line("")
	return useOwn(ctx, s, to, nil)
}
