// Command fake-aws runs the AWS fake on loopback. It prints its URL, for
// AWS_ENDPOINT_URL, and stops on SIGINT or SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"reltio-token-rotator/tests/fake/aws"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("fake-aws", flag.ExitOnError)
	var options aws.Options
	address := flags.String("addr", "127.0.0.1:0", "`address` to listen on; port 0 is a free port")
	flags.Float64Var(&options.WritesPerSecond, "writes-per-second", 0, "limit of PutParameter calls; 0 is no limit, AWS has 3")
	flags.BoolVar(&options.EmptyPages, "empty-pages", false, "return an empty page before every page of a listing")
	flags.BoolVar(&options.StaleReads, "stale-reads", false, "the first read after a write returns the previous version")
	flags.DurationVar(&options.Latency, "latency", 0, "duration of every call")
	flags.DurationVar(&options.RecreateAfter, "recreate-after", 0, "how long the name of a deleted parameter cannot be used; AWS recommends 30s")
	_ = flags.Parse(args) // ExitOnError

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "http://%s\n", listener.Addr())
	server := &http.Server{Handler: aws.New(options), ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(grace)
		_ = server.Close() // connections that a fault keeps open
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-stopped
	return nil
}
