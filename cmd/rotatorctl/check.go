package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"reltio-token-rotator/rotator/doctor"
)

// finding is one line of the report, the function's or the operator's.
type finding = doctor.Check

// check is rotatorctl check: the doctor inside the function, and what only an
// operator outside it can see. It changes no value that is in use.
func (o *operator) check(ctx context.Context) error {
	s, err := o.deployed(ctx)
	if err != nil {
		return err
	}
	resources, err := o.resources(ctx)
	if err != nil {
		return err
	}
	var all doctor.Report
	all.Checks = append(all.Checks, o.scheduleFinding(ctx, resources), o.heartbeatFinding(ctx))
	all.Checks = append(all.Checks, o.alarmFindings(ctx, resources)...)
	all.Checks = append(all.Checks, o.topicFinding(ctx, s))
	var inside doctor.Report
	if err := o.invoke(ctx, s.outputs["FunctionName"], event{Action: "check"}, &inside); err != nil {
		inside.Checks = []finding{wrong("function", "%v; see its log: %s", err, o.like("logs"))}
	}
	all.Version = inside.Version
	all.Checks = append(all.Checks, inside.Checks...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if o.json {
		err = o.printJSON(all)
	} else {
		o.showChecks(all.Checks)
	}
	if err != nil {
		return err
	}
	return wrongIf(slices.ContainsFunc(all.Checks, isWrong))
}

func isWrong(f finding) bool { return !f.OK }

func ok(check doctor.CheckName, format string, args ...any) finding {
	return finding{Check: check, OK: true, Message: fmt.Sprintf(format, args...)}
}

func wrong(check doctor.CheckName, format string, args ...any) finding {
	return finding{Check: check, Message: fmt.Sprintf(format, args...)}
}

// showChecks prints what is wrong first, then what is fine: folded to a line a
// connection, or all of it.
func (o *operator) showChecks(checks []finding) {
	bad := 0
	for _, f := range checks {
		if !f.OK {
			bad++
			o.trouble("", "WRONG %s %s", subject(f), f.Check)
			o.trouble("  ", "%s", apart(o.withSeed(f)))
		}
	}
	if bad > 0 {
		o.say("")
	}
	if o.verbose {
		for _, f := range checks {
			if f.OK {
				o.say("ok %s %s", subject(f), f.Check)
				o.indented("  ", "%s", apart(oneLine(f.Message)))
			}
		}
	} else {
		o.showFolded(checks)
	}
	o.say("")
	if bad == 0 {
		o.say("All %d checks are ok.", len(checks))
		return
	}
	o.say("%d of %d checks are not ok.", bad, len(checks))
}

// withSeed is the message of a finding, with seed for the command that writes the
// credentials: the function knows only AWS's own.
func (o *operator) withSeed(f finding) string {
	put := "aws secretsmanager put-secret-value --secret-id " + o.secret(f.Connection, "credentials") + " --secret-string file://credentials.json"
	return strings.ReplaceAll(oneLine(f.Message), put, o.like("seed", "connection", f.Connection))
}

// showFolded prints a line for each connection with the names of what is fine, for
// both of two credential sets.
func (o *operator) showFolded(checks []finding) {
	var order []string
	names := map[string][]string{}
	for _, f := range checks {
		alsoWrong := slices.ContainsFunc(checks, func(other finding) bool {
			return !other.OK && other.Connection == f.Connection && other.Check == f.Check
		})
		if alsoWrong {
			continue
		}
		who := subject(f)
		if names[who] == nil {
			order = append(order, who)
		}
		if !slices.Contains(names[who], string(f.Check)) {
			names[who] = append(names[who], string(f.Check))
		}
	}
	for _, who := range order {
		o.say("ok %s: %s", who, strings.Join(names[who], ", "))
	}
}

func subject(f finding) string { return cmp.Or(f.Connection, "stack") }

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
