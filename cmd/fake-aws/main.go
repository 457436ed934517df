// Command serve runs the fake for AWS on loopback: it prints its URL, for
// AWS_ENDPOINT_URL, and ends on SIGINT or SIGTERM.
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
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	var options aws.Options
	address := flags.String("addr", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	flags.Float64Var(&options.WritesPerSecond, "writes-per-second", 0, "limit of PutParameter; 0 is none, AWS has 3")
	flags.BoolVar(&options.EmptyPages, "empty-pages", false, "put an empty page before every page of a listing")
	flags.BoolVar(&options.StaleReads, "stale-reads", false, "the first read after a write shows the version before it")
	flags.DurationVar(&options.Latency, "latency", 0, "how long every call takes")
	flags.DurationVar(&options.RecreateAfter, "recreate-after", 0, "how long a deleted parameter's name is refused; AWS asks for 30s")
	_ = flags.Parse(args) // ExitOnError

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "http://%s\n", listener.Addr())
	server := &http.Server{Handler: aws.New(options), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(grace)
		_ = server.Close() // what a hanging fault still holds
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-ended
	return nil
}
