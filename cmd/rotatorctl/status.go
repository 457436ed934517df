package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reltio-token-rotator/rotator"
)

// lateHeartbeat is the age of the last heartbeat from which status reports it: two
// minutes, and some seconds until its log line can be read.
const lateHeartbeat = 2*time.Minute + 15*time.Second

// overview is the output of status. With -json it is printed as it is.
type overview struct {
	Account     string             `json:"account"`
	Region      string             `json:"region"`
	Stack       string             `json:"stack"`
	StackStatus types.StackStatus  `json:"stack_status"`
	Heartbeat   time.Time          `json:"last_heartbeat,omitzero"`
	Problems    []string           `json:"problems"`
	Connections []connectionStatus `json:"connections"`
	// created is when the creation of a stack began that need not have run yet.
	created time.Time
}

// status is rotatorctl status: it reads no secret and changes nothing.
func (o *operator) status(ctx context.Context) error {
	s, err := o.deployed(ctx)
	if err != nil {
		return err
	}
	view := overview{
		Account: o.session.account, Region: o.session.region, Stack: o.stack, StackStatus: s.status,
		Problems: []string{}, Connections: []connectionStatus{},
	}
	if s.condition() == stuck {
		view.problem("the stack is %s: an update of it stopped half-way", s.status)
	}
	settings, known := o.functionSettings(ctx, s, &view)
	o.scheduleStatus(ctx, &view)
	o.heartbeatStatus(ctx, s, &view)
	listing, err := o.list(ctx, "/"+o.prefix())
	if err != nil {
		return said(err)
	}
	view.Connections = o.connectionStatuses(listing, settings, known)
	if len(view.Connections) == 0 {
		view.problem("the stack has no connection: no config parameter is below /%s. To make the first one again: %s", o.prefix(), o.like("deploy"))
	}
	if o.json {
		if err := o.printJSON(view); err != nil {
			return err
		}
	} else {
		o.showStatus(view)
	}
	wrong := len(view.Problems) > 0
	for _, c := range view.Connections {
		wrong = wrong || len(c.Problems) > 0
	}
	return wrongIf(wrong)
}

func (v *overview) problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

// unseen adds a problem for something that the operator's own permissions do not
// allow to see.
func (v *overview) unseen(what, action string, err error) {
	if denied(err) {
		v.problem("%s cannot be seen: your own role needs %s", what, action)
		return
	}
	v.problem("%s cannot be seen: %v", what, said(err))
}

// functionSettings returns the settings by which a connection's config is checked.
func (o *operator) functionSettings(ctx context.Context, s stack, view *overview) (settings rotator.Settings, known bool) {
	environment, err := o.functionEnvironment(ctx, s.outputs["FunctionName"])
	switch {
	case answered(err, "ResourceNotFoundException"):
		view.problem("the function %s was deleted. An update does not make it again; delete the stack and deploy it, the secrets stay: %s", s.outputs["FunctionName"], page("restore-a-stack"))
		return settings, false
	case err != nil:
		view.unseen("the function", "lambda:GetFunctionConfiguration", err)
		return settings, false
	}
	settings = settingsOf(environment)
	mistakes := settings.Mistakes()
	for _, mistake := range mistakes {
		view.problem("the function's setting %s: %v", mistake.Variable, mistake.Err)
	}
	return settings, len(mistakes) == 0
}

func (o *operator) scheduleStatus(ctx context.Context, view *overview) {
	resources, err := o.resources(ctx)
	if err != nil {
		view.unseen("the schedule", "cloudformation:DescribeStackResources", err)
		return
	}
	if finding := o.scheduleFinding(ctx, resources); !finding.OK {
		view.problem("%s", finding.Message)
	}
}

func (o *operator) heartbeatStatus(ctx context.Context, s stack, view *overview) {
	last, err := o.lastHeartbeat(ctx)
	switch age := o.now().Sub(last); {
	case err != nil:
		view.unseen("the last heartbeat", "logs:FilterLogEvents", err)
	case last.IsZero() && o.now().Sub(s.created) < firstHeartbeat:
		view.created = s.created
	case last.IsZero():
		view.problem("no heartbeat in the last %s: no run is refreshing tokens. See %s", span(heartbeatsSeen), page("heartbeats-missing"))
	default:
		view.Heartbeat = last.UTC().Truncate(time.Second)
		if age > lateHeartbeat {
			view.problem("the last heartbeat was %s ago: no run is refreshing tokens. See %s", span(age), page("heartbeats-missing"))
		}
	}
}

// firstHeartbeat is until when, from the beginning of its creation, a stack need not
// have had a heartbeat: about two minutes, the schedule's minute, and some for the log.
const firstHeartbeat = 5 * time.Minute

// heartbeatsSeen is how far back the log is searched for a heartbeat.
const heartbeatsSeen = 15 * time.Minute

// lastHeartbeat returns the time of the newest heartbeat's metric line in the log,
// or the zero time if there is none. The log has no delay, as CloudWatch's metrics
// do.
func (o *operator) lastHeartbeat(ctx context.Context) (time.Time, error) {
	lines, err := o.logLines(ctx, o.now().Add(-heartbeatsSeen))
	if answered(err, "ResourceNotFoundException") {
		return time.Time{}, nil
	}
	var last time.Time
	for _, line := range lines {
		var metrics struct{ Heartbeats int }
		if json.Unmarshal([]byte(line.message), &metrics) == nil && metrics.Heartbeats > 0 {
			last = time.UnixMilli(line.at)
		}
	}
	return last, err
}

// showStatus prints the overview.
func (o *operator) showStatus(view overview) {
	if !view.Heartbeat.IsZero() && o.now().Sub(view.Heartbeat) <= lateHeartbeat {
		o.say("The last heartbeat was %s ago.", span(max(o.now().Sub(view.Heartbeat), 0)))
	}
	if !view.created.IsZero() {
		o.say("No heartbeat yet: the creation of the stack began %s ago, and its first heartbeat comes within a minute of its end.", span(o.now().Sub(view.created)))
	}
	for _, problem := range view.Problems {
		o.trouble("", "%s", apart(problem))
	}
	if len(view.Connections) == 0 {
		return
	}
	o.say("")
	names := len("CONNECTION")
	for _, c := range view.Connections {
		names = max(names, len(c.Name))
	}
	o.row(names, "CONNECTION", "TOKEN", "REFRESHED", "REFRESH TOKEN")
	for _, c := range view.Connections {
		o.showConnection(names, c)
	}
}

// row prints a line of the table: at most 32 + 2 + 22 + 13 + 11 characters.
func (o *operator) row(names int, name, token, refreshed, age string) {
	fmt.Fprintln(o.out, plain(strings.TrimRight(fmt.Sprintf("%-*s  %-20s  %-12s  %s", names, name, token, refreshed, age), " ")))
}
