package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	alarmtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	scheduletypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"reltio-token-rotator/rotator/doctor"
)

// again says how to restore a deleted resource, because an update of the stack does
// not create it again.
const again = "an update does not make it again; delete the stack and deploy it, the secrets stay: "

// unseen is the finding if the operator's own permissions are not sufficient.
func unseen(check doctor.CheckName, action string, err error) finding {
	if denied(err) {
		return wrong(check, "the %s cannot be seen: your own role needs %s", check, action)
	}
	return wrong(check, "the %s cannot be seen: %v", check, said(err))
}

// scheduleFinding reports whether the schedule is enabled.
func (o *operator) scheduleFinding(ctx context.Context, resources []types.StackResource) finding {
	const check = "schedule"
	found := ofType(resources, "AWS::Scheduler::Schedule")
	if len(found) != 1 {
		return wrong(check, "the stack has %d schedules instead of one; %s%s", len(found), again, page("restore-a-stack"))
	}
	// This is its name, or on some emulators its ARN.
	id := aws.ToString(found[0].PhysicalResourceId)
	name := id[strings.LastIndex(id, "/")+1:]
	out, err := o.aws.schedules.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &name})
	switch {
	case answered(err, "ResourceNotFoundException"):
		return wrong(check, "the schedule %s was deleted; %s%s", name, again, page("restore-a-stack"))
	case err != nil:
		return unseen(check, "scheduler:GetSchedule", err)
	case out.State != scheduletypes.ScheduleStateEnabled:
		return wrong(check, "the schedule is %s, so no token is refreshed: %s", out.State, enable(name))
	}
	return ok(check, "enabled, %s", aws.ToString(out.ScheduleExpression))
}

// enable is the command that switches a schedule on. The API wants all of it
// again.
func enable(name string) string {
	const all = "{Name:Name,Description:Description,ScheduleExpression:ScheduleExpression,FlexibleTimeWindow:FlexibleTimeWindow,Target:Target,State:`\"ENABLED\"`}"
	return `aws scheduler update-schedule --cli-input-json "$(aws scheduler get-schedule --name ` + name + " --output json --query '" + all + `')"`
}

// recent is how old the last heartbeat may be for check: two may be missed, and
// its log line takes some seconds.
const recent = 3 * time.Minute

// heartbeatFinding reports whether heartbeats happen.
func (o *operator) heartbeatFinding(ctx context.Context) finding {
	const check = "heartbeat"
	last, err := o.lastHeartbeat(ctx)
	switch age := o.now().Sub(last); {
	case err != nil:
		return unseen(check, "logs:FilterLogEvents", err)
	case last.IsZero():
		return wrong(check, "none in the last %s; see %s, and the function's log: %s", span(heartbeatsSeen), page("heartbeats-missing"), o.like("logs"))
	case age > recent:
		return wrong(check, "the last was %s ago; see %s", span(age), page("heartbeats-missing"))
	default:
		return ok(check, "the last was %s ago", span(max(age, 0)))
	}
}

// alarmFindings says which alarms fire, and which could not notify.
func (o *operator) alarmFindings(ctx context.Context, resources []types.StackResource) []finding {
	const check = "alarm"
	declared := ofType(resources, "AWS::CloudWatch::Alarm")
	if len(declared) == 0 {
		return []finding{wrong(check, "the stack has none; deploy this version: %s", o.like("deploy"))}
	}
	var names []string
	for _, alarm := range declared {
		names = append(names, aws.ToString(alarm.PhysicalResourceId))
	}
	out, err := o.aws.alarms.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: names, AlarmTypes: []alarmtypes.AlarmType{alarmtypes.AlarmTypeMetricAlarm},
	})
	if err != nil {
		return []finding{unseen(check, "cloudwatch:DescribeAlarms", err)}
	}
	var findings []finding
	for _, alarm := range declared {
		id, name := aws.ToString(alarm.LogicalResourceId), aws.ToString(alarm.PhysicalResourceId)
		i := slices.IndexFunc(out.MetricAlarms, func(a alarmtypes.MetricAlarm) bool { return aws.ToString(a.AlarmName) == name })
		if i < 0 {
			findings = append(findings, wrong(check, "%s: it was deleted; %s%s", id, again, page("restore-a-stack")))
			continue
		}
		findings = append(findings, alarmFinding(check, id, name, out.MetricAlarms[i]))
	}
	return findings
}

// alarmFinding judges one alarm. The last part of its name is its page in the
// runbook.
func alarmFinding(check doctor.CheckName, id, name string, a alarmtypes.MetricAlarm) finding {
	switch {
	case !aws.ToBool(a.ActionsEnabled):
		return wrong(check, "%s: it notifies no subscriber: aws cloudwatch enable-alarm-actions --alarm-names %s", id, name)
	case a.StateValue == alarmtypes.StateValueAlarm:
		return wrong(check, "%s: it fires (%s); see %s", id, aws.ToString(a.StateReason), page(name[strings.LastIndex(name, "/")+1:]))
	case a.StateValue == alarmtypes.StateValueInsufficientData:
		return ok(check, "%s: no data yet", id)
	}
	return ok(check, "%s: OK", id)
}

// topicFinding reports whether the alarms reach a subscriber.
func (o *operator) topicFinding(ctx context.Context, s stack) finding {
	const check = "notification"
	topic := s.outputs["AlarmTopicArn"]
	if topic == "" {
		return wrong(check, "the stack has no alarm topic; deploy this version: %s", o.like("deploy"))
	}
	var confirmed, pending []string
	pages := sns.NewListSubscriptionsByTopicPaginator(o.aws.topics, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return unseen(check, "sns:ListSubscriptionsByTopic", err)
		}
		for _, s := range page.Subscriptions {
			if strings.HasPrefix(aws.ToString(s.SubscriptionArn), "arn:") {
				confirmed = append(confirmed, aws.ToString(s.Protocol)+" "+aws.ToString(s.Endpoint))
			} else {
				pending = append(pending, aws.ToString(s.Endpoint))
			}
		}
	}
	switch {
	case len(pending) > 0:
		return wrong(check, "%s has not confirmed: follow the link in the message from AWS Notifications, or have it sent again: aws sns subscribe --topic-arn %s --protocol email --notification-endpoint %s",
			strings.Join(pending, ", "), topic, pending[0])
	case len(confirmed) == 0:
		return wrong(check, "the alarms have no subscriber; subscribe to %s, or give an address: %s", topic, o.like("deploy", "parameter", "AlarmEmail=you@example.com"))
	}
	return ok(check, "alarms go to %s", strings.Join(confirmed, ", "))
}
