package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
)

// command is one row of the table of commands.
type command struct {
	name, summary string
	flags         func(*flag.FlagSet, *options)
	// before checks what can be checked without AWS.
	before func(*operator) error
	run    func(*operator, context.Context) error
	// offline says that the command needs no stack and no AWS account.
	offline bool
}

// commands is the table.
func commands() []command {
	return []command{
		{name: "deploy", summary: "deploy a new stack, or update one", flags: deployFlags, before: (*operator).checkDeploy, run: (*operator).deploy},
		{name: "delete", summary: "delete the stack; its secrets are kept", flags: yesFlag, run: (*operator).delete},
		{name: "seed", summary: "write Reltio credentials and prove them", flags: seedFlags, before: (*operator).checkSeed, run: (*operator).seed},
		{name: "status", summary: "show how each connection is", flags: jsonFlag, run: (*operator).status},
		{name: "check", summary: "find out what is wrong; changes no value in use", flags: checkFlags, run: (*operator).check},
		{name: "refresh", summary: "get new tokens now; the old ones may end", flags: refreshFlags, run: (*operator).refresh},
		{name: "logs", summary: "show what the function logged", flags: logsFlags, run: (*operator).logs},
		{name: "add-connection", summary: "add a connection, or update one", flags: addFlags, before: (*operator).checkAdd, run: (*operator).addConnection},
		{name: "remove-connection", summary: "remove a connection and its secrets", flags: removeFlags, run: (*operator).removeConnection},
		{name: "probe", summary: "find out what a Reltio tenant does; needs no AWS account", flags: probeFlags, run: (*operator).probe, offline: true},
		{name: "version", summary: "print the version", run: (*operator).version, offline: true},
	}
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// options are the values of the flags. None of them is secret.
type options struct {
	stack, region, profile, source string
	connection                     string
	set                            rotator.SetName
	file                           string
	tokenURL, apiURL, saveTo       string
	parameters, tags               pairs
	since                          time.Duration
	follow, metrics, verbose       bool
	checkOnly                      bool
	json, yes, keep, keepSecrets   bool
}

func flagSet(c command, o *options) *flag.FlagSet {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	if !c.offline {
		flags.StringVar(&o.stack, "stack", "", "`name` of the stack")
		flags.StringVar(&o.region, "region", "", "AWS `region`; otherwise AWS_REGION, or the profile's")
		flags.StringVar(&o.profile, "profile", "", "AWS `profile`; otherwise AWS_PROFILE, or the default one")
	}
	if c.flags != nil {
		c.flags(flags, o)
	}
	return flags
}

func yesFlag(flags *flag.FlagSet, o *options) {
	flags.BoolVar(&o.yes, "yes", false, "do not ask, for pipelines")
}

func jsonFlag(flags *flag.FlagSet, o *options) {
	flags.BoolVar(&o.json, "json", false, "print JSON")
}

func connectionFlag(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.connection, "connection", "", "`name` of the connection")
}

func setFlag(flags *flag.FlagSet, o *options) {
	flags.Func("set", "credential `set`: primary or alternate", func(value string) error {
		o.set = rotator.SetName(value)
		if o.set != "" && o.set != rotator.Primary && o.set != rotator.Alternate {
			return errors.New("must be primary or alternate")
		}
		return nil
	})
}

func templateFlags(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.source, "source", ".", "`folder` of the project, which holds template.yaml and connection.yaml")
	flags.Func("parameter", "a parameter of the template as `Name=Value`; repeat it for more", o.parameters.add)
	flags.Func("parameters", "several parameters as `\"Name=Value Name=Value\"`", o.parameters.addAll)
	flags.Func("tag", "a tag for everything in the stack as `Key=Value`; repeat it for more", o.tags.add)
	flags.Func("tags", "several tags as `\"Key=Value Key=Value\"`", o.tags.addAll)
}

func deployFlags(flags *flag.FlagSet, o *options) {
	templateFlags(flags, o)
	yesFlag(flags, o)
	flags.BoolVar(&o.checkOnly, "check-only", false, "check the names and values and end, before anything is installed")
}

func seedFlags(flags *flag.FlagSet, o *options) {
	connectionFlag(flags, o)
	flags.StringVar(&o.file, "file", "", "JSON `file` with the credentials; - is standard input")
	flags.BoolVar(&o.keep, "keep", false, "leave credentials current that Reltio rejects")
}

func checkFlags(flags *flag.FlagSet, o *options) {
	jsonFlag(flags, o)
	flags.BoolVar(&o.verbose, "v", false, "show what is fine, too")
}

func refreshFlags(flags *flag.FlagSet, o *options) {
	connectionFlag(flags, o)
	setFlag(flags, o)
	jsonFlag(flags, o)
}

func logsFlags(flags *flag.FlagSet, o *options) {
	o.since = time.Hour
	flags.Func("since", "how far back, such as 90s, 30m, 6h or 2d (1h)", func(value string) (err error) {
		o.since, err = parseSpan(value)
		return err
	})
	flags.BoolVar(&o.follow, "follow", false, "continue until Ctrl-C")
	flags.BoolVar(&o.metrics, "metrics", false, "show the lines that hold metrics, too")
}

func addFlags(flags *flag.FlagSet, o *options) {
	connectionFlag(flags, o)
	flags.StringVar(&o.tokenURL, "token-url", "", "token endpoint of the connection as a `URL`; otherwise the stack's")
	templateFlags(flags, o)
}

func removeFlags(flags *flag.FlagSet, o *options) {
	connectionFlag(flags, o)
	yesFlag(flags, o)
	flags.BoolVar(&o.keepSecrets, "keep-secrets", false, "leave its secrets")
}

// pairs are NAME=VALUE arguments, in the order given.
type pairs struct{ list []pair }

type pair struct{ name, value string }

func (p *pairs) add(argument string) error {
	name, value, ok := strings.Cut(argument, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q is not of the form Name=Value", argument)
	}
	for i := range p.list {
		if p.list[i].name == name {
			p.list[i].value = value
			return nil
		}
	}
	p.list = append(p.list, pair{name, value})
	return nil
}

// addAll reads the content of a make variable. A word without an equals sign belongs
// to the value before it, so that values may contain blanks.
func (p *pairs) addAll(argument string) error {
	current := ""
	flush := func() error {
		if current == "" {
			return nil
		}
		return p.add(strings.TrimRight(current, " "))
	}
	for _, word := range strings.Split(strings.TrimSpace(argument), " ") {
		if !strings.Contains(word, "=") && current != "" {
			current += " " + word
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		current = word
	}
	return flush()
}

func (p pairs) get(name string) (string, bool) {
	for _, pair := range p.list {
		if pair.name == name {
			return pair.value, true
		}
	}
	return "", false
}

// parseSpan reads a Go duration or a number of days such as 2d.
func parseSpan(text string) (time.Duration, error) {
	wrong := fmt.Errorf("%q is not a time span such as 30m, 6h or 2d", text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		hours, err := time.ParseDuration(days + "h")
		if err != nil || hours <= 0 {
			return 0, wrong
		}
		return 24 * hours, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, wrong
	}
	return d, nil
}

// version is rotatorctl version.
func (o *operator) version(context.Context) error {
	if release == "" {
		o.say("rotatorctl (development)")
		return nil
	}
	o.say("rotatorctl %s", release)
	return nil
}
