package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"reltio-token-rotator/rotator/doctor"
)

// finding is one line of the report, the function's or the operator's.
type finding = doctor.Check

// check is make check: the doctor inside the function, and what only somebody
// outside it can see. It changes nothing.
func (o *operator) check(ctx context.Context, opts options) error {
	stack, err := o.deployed(ctx)
	if err != nil {
		return err
	}
	resources, err := o.resources(ctx)
	if err != nil {
		return err
	}
	var all doctor.Report
	all.Checks = append(all.Checks, o.schedule(ctx, resources))
	all.Checks = append(all.Checks, o.fired(ctx))
	all.Checks = append(all.Checks, o.alarms(ctx, resources)...)
	all.Checks = append(all.Checks, o.listeners(ctx, stack))
	var inside doctor.Report
	if err := o.invoke(ctx, stack.outputs["FunctionName"], event{Action: "check"}, &inside); err != nil {
		inside.Checks = []finding{wrong("function", "%v; see its log: make logs STACK=%s", err, o.stack)}
	}
	all.Version = inside.Version
	all.Checks = append(all.Checks, inside.Checks...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return o.tell(all, opts.json)
}

// tell prints the report; errWrong when something in it is not ok.
func (o *operator) tell(all doctor.Report, machine bool) error {
	var err error
	if slices.ContainsFunc(all.Checks, func(f finding) bool { return !f.OK }) {
		err = errWrong
	}
	if machine {
		encoder := json.NewEncoder(o.out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		if encodeErr := encoder.Encode(all); encodeErr != nil {
			return encodeErr
		}
		return err
	}
	table := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	for _, f := range all.Checks {
		word := "ok"
		if !f.OK {
			word = "WRONG"
		}
		message := strings.ReplaceAll(strings.ReplaceAll(f.Message, "\t", " "), "\n", " ")
		fmt.Fprintln(table, plain(strings.Join([]string{word, cmp.Or(f.Connection, "stack"), string(f.Check), message}, "\t")))
	}
	if flushErr := table.Flush(); flushErr != nil {
		return flushErr
	}
	return err
}

func ok(check doctor.CheckName, format string, args ...any) finding {
	return finding{Check: check, OK: true, Message: fmt.Sprintf(format, args...)}
}

func wrong(check doctor.CheckName, format string, args ...any) finding {
	return finding{Check: check, Message: fmt.Sprintf(format, args...)}
}

// resource is one thing that the stack made.
type resource struct{ LogicalResourceId, PhysicalResourceId, ResourceType, ResourceStatus string }

func (o *operator) resources(ctx context.Context) ([]resource, error) {
	var answer struct{ StackResources []resource }
	err := o.ask(ctx, &answer, "cloudformation", "describe-stack-resources", "--stack-name", o.stack)
	return answer.StackResources, err
}

func kind(resources []resource, kind string) []resource {
	return slices.DeleteFunc(slices.Clone(resources), func(r resource) bool {
		return r.ResourceType != kind || r.PhysicalResourceId == ""
	})
}

// anew mends what CloudFormation does not: an update makes nothing again that
// somebody deleted by hand.
func (o *operator) anew() string {
	return "make the stack anew, the secrets stay: " + page("restore")
}

// schedule reports whether the heartbeat is switched on.
func (o *operator) schedule(ctx context.Context, resources []resource) finding {
	const check = "schedule"
	found := kind(resources, "AWS::Scheduler::Schedule")
	if len(found) != 1 {
		return wrong(check, "the stack has %d schedules instead of one; %s", len(found), o.anew())
	}
	// Its name, or on some emulators its ARN.
	id := found[0].PhysicalResourceId
	name := id[strings.LastIndex(id, "/")+1:]
	var answer struct{ State, ScheduleExpression string }
	err := o.ask(ctx, &answer, "scheduler", "get-schedule", "--name", name)
	switch {
	case answered(err, "ResourceNotFoundException"):
		return wrong(check, "somebody deleted the schedule %s; %s", name, o.anew())
	case err != nil:
		return unseen(check, "scheduler:GetSchedule", err)
	case answer.State != "ENABLED":
		return wrong(check, "the schedule is %s, so no token is refreshed: %s", answer.State, enable(name))
	}
	return ok(check, "enabled, %s", answer.ScheduleExpression)
}

// enable is the command that switches a schedule on. The API wants all of it
// again.
func enable(name string) string {
	const all = "{Name:Name,Description:Description,ScheduleExpression:ScheduleExpression,FlexibleTimeWindow:FlexibleTimeWindow,Target:Target,State:`\"ENABLED\"`}"
	return `aws scheduler update-schedule --cli-input-json "$(aws scheduler get-schedule --name ` + name + " --output json --query '" + all + `')"`
}

// unseen is the finding where the operator's own permissions do not reach.
func unseen(check doctor.CheckName, action string, err error) finding {
	return wrong(check, "cannot be seen (%v); your own role needs %s", err, action)
}

// recent is how old the last heartbeat may be: two may be missed, and its log
// line takes some seconds.
const recent = 3 * time.Minute

// fired reports whether heartbeats happen. Their metric lines in the log show it
// at once and without CloudWatch's delay.
func (o *operator) fired(ctx context.Context) finding {
	const check = "heartbeat"
	now := o.now()
	events, err := o.logEvents(ctx, now.Add(-15*time.Minute))
	if err != nil {
		return unseen(check, "logs:FilterLogEvents", err)
	}
	var last time.Time
	for _, event := range events {
		var line struct{ Heartbeats int }
		if json.Unmarshal([]byte(event.Message), &line) == nil && line.Heartbeats > 0 {
			last = time.UnixMilli(event.Timestamp)
		}
	}
	switch age := now.Sub(last); {
	case last.IsZero():
		return wrong(check, "none in the last 15 min; see what the function says, make logs STACK=%s, and %s", o.stack, page("heartbeats-missing"))
	case age > recent:
		return wrong(check, "the last was %s ago; see %s", span(age), page("heartbeats-missing"))
	default:
		return ok(check, "the last was %s ago", span(max(age, 0)))
	}
}

// alarms tells which alarms ring, and which could not be heard.
func (o *operator) alarms(ctx context.Context, resources []resource) []finding {
	const check = "alarm"
	alarms := kind(resources, "AWS::CloudWatch::Alarm")
	if len(alarms) == 0 {
		return []finding{wrong(check, "the stack has none; deploy this version: make deploy STACK=%s", o.stack)}
	}
	command := []string{"cloudwatch", "describe-alarms", "--alarm-types", "MetricAlarm", "--alarm-names"}
	for _, alarm := range alarms {
		command = append(command, alarm.PhysicalResourceId)
	}
	var answer struct{ MetricAlarms []alarmState }
	if err := o.ask(ctx, &answer, command...); err != nil {
		return []finding{unseen(check, "cloudwatch:DescribeAlarms", err)}
	}
	var findings []finding
	for _, alarm := range alarms {
		i := slices.IndexFunc(answer.MetricAlarms, func(s alarmState) bool { return s.AlarmName == alarm.PhysicalResourceId })
		if i < 0 {
			findings = append(findings, wrong(check, "%s: somebody deleted it; %s", alarm.LogicalResourceId, o.anew()))
			continue
		}
		findings = append(findings, answer.MetricAlarms[i].finding(check, alarm.LogicalResourceId))
	}
	return findings
}

type alarmState struct {
	AlarmName, StateValue, StateReason string
	ActionsEnabled                     bool
}

// The last part of an alarm's name is its page in the runbook.
func (s alarmState) finding(check doctor.CheckName, id string) finding {
	switch {
	case !s.ActionsEnabled:
		return wrong(check, "%s: it tells nobody; aws cloudwatch enable-alarm-actions --alarm-names %s", id, s.AlarmName)
	case s.StateValue == "ALARM":
		return wrong(check, "%s: it rings (%s); see %s", id, s.StateReason, page(s.AlarmName[strings.LastIndex(s.AlarmName, "/")+1:]))
	case s.StateValue == "INSUFFICIENT_DATA":
		return ok(check, "%s: no data yet", id)
	}
	return ok(check, "%s: quiet", id)
}

// listeners reports whether anybody hears the alarms.
func (o *operator) listeners(ctx context.Context, stack described) finding {
	const check = "notification"
	topic := stack.outputs["AlarmTopicArn"]
	if topic == "" {
		return wrong(check, "the stack has no alarm topic: update it with make deploy STACK=%s", o.stack)
	}
	var answer struct {
		Subscriptions []struct{ SubscriptionArn, Protocol, Endpoint string }
	}
	if err := o.ask(ctx, &answer, "sns", "list-subscriptions-by-topic", "--topic-arn", topic); err != nil {
		return unseen(check, "sns:ListSubscriptionsByTopic", err)
	}
	var confirmed, pending []string
	for _, s := range answer.Subscriptions {
		if strings.HasPrefix(s.SubscriptionArn, "arn:") {
			confirmed = append(confirmed, s.Protocol+" "+s.Endpoint)
		} else {
			pending = append(pending, s.Endpoint)
		}
	}
	switch {
	case len(pending) > 0:
		return wrong(check, "%s has not confirmed: follow the link in the message from AWS Notifications, or have it sent again: aws sns subscribe --topic-arn %s --protocol email --notification-endpoint %s",
			strings.Join(pending, ", "), topic, pending[0])
	case len(confirmed) == 0:
		return wrong(check, "nobody hears the alarms: make deploy STACK=%s PARAMETERS=AlarmEmail=you@example.com, or subscribe what you like to %s", o.stack, topic)
	}
	return ok(check, "alarms go to %s", strings.Join(confirmed, ", "))
}
