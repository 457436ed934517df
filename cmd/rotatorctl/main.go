// Command rotatorctl is the operator's program. It deploys a stack, writes and
// proves credentials, shows the status of each connection, and finds problems. The
// make targets of the same names call it.
//
// It calls AWS through the AWS SDK with one session, so with one profile, region and
// login for everything. The only program that it starts is sam, to build and to
// upload the function. Credentials of Reltio are only in memory, and not in an
// argument, the environment, a file or a log.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit statuses.
const (
	exitWrong = 1 // it was done or looked at, and something is not as it should be
	exitNot   = 2 // it could not be done
)

// errWrong ends a command whose output already says what is wrong.
var errWrong = errors.New("something is not as it should be")

// release is set by the Makefile.
var release string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err == nil:
		return
	case interrupted:
		fmt.Fprintln(os.Stderr, "interrupted")
	case errors.Is(err, errWrong):
		os.Exit(exitWrong)
	default:
		fmt.Fprintln(os.Stderr, plain(wrap(apart(err.Error()), width, "")))
	}
	os.Exit(exitNot)
}

// run parses the arguments and runs one command.
func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		list(os.Stderr)
		return errors.New("name a command")
	}
	if args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help" {
		list(os.Stdout)
		return nil
	}
	c, ok := find(args[0])
	if !ok {
		return fmt.Errorf("there is no command %q; rotatorctl -h lists them", args[0])
	}
	var opts options
	flags := flagSet(c, &opts)
	switch err := flags.Parse(args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		help(os.Stdout, c, flags)
		return nil
	case err != nil:
		return fmt.Errorf("%w; rotatorctl %s -h lists the flags", err, c.name)
	case flags.NArg() > 0:
		return fmt.Errorf("%q is not a flag; rotatorctl %s -h lists the flags", flags.Arg(0), c.name)
	}
	o := newOperator(opts)
	if c.offline {
		return c.run(o, ctx)
	}
	if err := o.checkNames(c.name); err != nil {
		return err
	}
	if c.before != nil {
		if err := c.before(o); err != nil {
			return err
		}
	}
	if o.checkOnly {
		return nil
	}
	if err := o.open(ctx); err != nil {
		return err
	}
	return c.run(o, ctx)
}

// list prints the commands.
func list(to io.Writer) {
	fmt.Fprintln(to, "rotatorctl COMMAND [flags]; rotatorctl COMMAND -h lists a command's flags")
	fmt.Fprintln(to)
	for _, c := range commands() {
		fmt.Fprintf(to, "  %-18s %s\n", c.name, c.summary)
	}
}

// help prints one command and its flags.
func help(to io.Writer, c command, flags *flag.FlagSet) {
	fmt.Fprintf(to, "rotatorctl %s: %s\n\n", c.name, c.summary)
	flags.VisitAll(func(f *flag.Flag) {
		name, usage := flag.UnquoteUsage(f)
		if name != "" {
			name = " " + name
		}
		fmt.Fprintln(to, "  -"+f.Name+name)
		fmt.Fprintln(to, wrap(usage, width, "      "))
	})
}
