// Command operate is what a person does with a deployed stack: put credentials,
// see how it is, refresh now, read the log, find out what is wrong, add and
// remove connections. The make targets of the same names call it; `make help`
// lists them.
//
// It talks to AWS through the AWS CLI, so that it uses the profile, region and
// login that the shell uses. Credentials alone go through the AWS SDK: the CLI
// can be told to keep a history of what it sends (cli_history), and a secret
// must not end up there, nor in an argument, the environment or a file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// The exit statuses.
const (
	exitWrong = 1 // it was done or looked at, and something is not as it should be
	exitNot   = 2 // it could not be done
)

// errWrong ends a command whose output has said already what is wrong.
var errWrong = errors.New("something is wrong")

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
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(exitNot)
}

// options are what the commands can be told. None of them is secret.
type options struct {
	connection  string
	file        string
	tokenURL    string
	parameters  string
	since       time.Duration
	follow      bool
	json        bool
	yes         bool
	keepSecrets bool
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say what to do; make help lists it")
	}
	name := args[0]
	act := command(name)
	if act == nil {
		return fmt.Errorf("unknown command %q; make help lists what there is", name)
	}
	var o options
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	stack := flags.String("stack", "", "the stack's `name`")
	flags.StringVar(&o.connection, "connection", "", "the connection's `name`")
	flags.StringVar(&o.file, "file", "", "seed: a JSON `file` with the credentials; - is standard input")
	flags.StringVar(&o.tokenURL, "token-url", "", "add-connection: its token endpoint; empty for the stack's")
	flags.StringVar(&o.parameters, "parameters", "", "add-connection: more parameters of connection.yaml, `NAME=VALUE` separated by blanks")
	flags.DurationVar(&o.since, "since", time.Hour, "logs: how far back")
	flags.BoolVar(&o.follow, "follow", false, "logs: go on until Ctrl-C")
	flags.BoolVar(&o.json, "json", false, "check: for machines")
	flags.BoolVar(&o.yes, "yes", false, "remove-connection: do not ask")
	flags.BoolVar(&o.keepSecrets, "keep-secrets", false, "remove-connection: leave its secrets")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return errors.New("arguments without a flag are not understood")
	case *stack == "":
		return fmt.Errorf("say which stack: make %s STACK=reltio-tokens", name)
	case !stackName.MatchString(*stack):
		return errors.New("STACK is not a stack's name: letters, digits and hyphens, beginning with a letter")
	case o.connection != "" && !connectionName.MatchString(o.connection):
		return errors.New("CONNECTION is not a connection's name: 1 to 32 lower-case letters, digits and hyphens, beginning with a letter or digit")
	}
	return act(&operator{stack: *stack, cli: awsCLI{}, in: os.Stdin, out: os.Stdout, now: time.Now}, ctx, o)
}

func command(name string) func(*operator, context.Context, options) error {
	switch name {
	case "seed":
		return (*operator).seed
	case "status":
		return (*operator).status
	case "refresh":
		return (*operator).refresh
	case "logs":
		return (*operator).logs
	case "check":
		return (*operator).check
	case "add-connection":
		return (*operator).addConnection
	case "remove-connection":
		return (*operator).removeConnection
	}
	return nil
}

// Also what keeps a name from being taken for a flag of the AWS CLI.
var (
	stackName      = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]{0,127}$`)
	connectionName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
)
