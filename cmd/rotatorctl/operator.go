package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// defaultConnection is the one that the stack itself makes.
const defaultConnection = "default"

// operator is someone with AWS credentials, and one stack.
type operator struct {
	options
	aws     clients
	session session
	out     io.Writer
	errors  io.Writer
	now     func() time.Time
	zone    *time.Location
	// terminal asks the operator.
	terminal func() (asker, error)
	// inMake: make started the program, so the messages name make targets.
	inMake bool
	color  bool
	// document is what seed was given; empty where it asks.
	document secret.Value
	// settings are fields of a connection's config that were given.
	settings map[string]any
}

func newOperator(opts options) *operator {
	return &operator{
		options: opts, out: os.Stdout, errors: os.Stderr, now: time.Now, zone: time.Local,
		terminal: terminalOnce(), settings: map[string]any{}, inMake: os.Getenv("MAKELEVEL") != "",
		color: isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}

var (
	stackName      = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]{0,127}$`)
	connectionName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
)

// checkNames checks the names that every command may be given.
func (o *operator) checkNames(command string) error {
	switch {
	case o.stack == "":
		return fmt.Errorf("name the stack: %s", o.like(command, "stack", "reltio-tokens"))
	case !stackName.MatchString(o.stack):
		return errors.New("that is not a stack's name: use up to 128 letters, digits and hyphens, beginning with a letter")
	case o.connection != "" && !connectionName.MatchString(o.connection):
		return errors.New("that is not a connection's name: use 1 to 32 lower-case letters, digits and hyphens, beginning with a letter or digit")
	}
	return nil
}

// prefix begins the names of the stack's secrets and, after a slash, of its
// parameters.
func (o *operator) prefix() string { return "reltio-token-rotator/" + o.stack }

func (o *operator) secret(connection, kind string) string {
	return o.prefix() + "/" + connection + "/" + kind
}

func (o *operator) parameter(connection, kind string) string {
	return "/" + o.secret(connection, kind)
}

func (o *operator) logGroup() string { return "/aws/lambda/" + o.prefix() }

// like is a command for the operator to type, for this stack: as a make target
// where make started this program. Arguments are flags and their values.
func (o *operator) like(command string, arguments ...string) string {
	stack := cmp.Or(o.stack, "reltio-tokens")
	if len(arguments) > 0 && arguments[0] == "stack" {
		stack, arguments = arguments[1], arguments[2:]
	}
	text := "rotatorctl " + command + " -stack " + stack
	if o.inMake {
		text = "make " + command + " STACK=" + stack
	}
	for i := 0; i+1 < len(arguments); i += 2 {
		name, value := arguments[i], arguments[i+1]
		switch {
		case o.inMake && name == "parameter":
			text += ` PARAMETERS="` + value + `"`
		case o.inMake:
			text += " " + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "=" + cmp.Or(value, "true")
		default:
			text += " -" + name
			if value != "" {
				text += " " + value
			}
		}
	}
	return text
}

// page is where the runbook describes an error code or an alarm.
func page(name string) string { return "docs/runbook.md#" + strings.ToLower(name) }

// deploying is a section of docs/deploying.md.
func deploying(section string) string { return "docs/deploying.md#" + section }
