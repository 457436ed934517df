package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator/doctor"
)

const (
	describeStacks    = "cloudformation describe-stacks --stack-name tokens"
	describeResources = "cloudformation describe-stack-resources"
	getSchedule       = "scheduler get-schedule"
	describeAlarms    = "cloudwatch describe-alarms"
	listSubscriptions = "sns list-subscriptions-by-topic"
	filterLog         = "logs filter-log-events"
	invokeFunction    = "lambda invoke"
)

// well is a stack in which nothing is wrong.
func well() map[string]string {
	return map[string]string{
		describeStacks: `{"Stacks":[{"StackStatus":"CREATE_COMPLETE","Outputs":[
			{"OutputKey":"FunctionName","OutputValue":"rotate"},{"OutputKey":"AlarmTopicArn","OutputValue":"arn:topic"}]}]}`,
		describeResources: `{"StackResources":[
			{"LogicalResourceId":"RotateFunctionHeartbeat","PhysicalResourceId":"beat","ResourceType":"AWS::Scheduler::Schedule"},
			{"LogicalResourceId":"LateAlarm","PhysicalResourceId":"reltio-token-rotator/tokens/late","ResourceType":"AWS::CloudWatch::Alarm"}]}`,
		getSchedule:       `{"State":"ENABLED","ScheduleExpression":"rate(1 minute)"}`,
		describeAlarms:    `{"MetricAlarms":[{"AlarmName":"reltio-token-rotator/tokens/late","StateValue":"OK","ActionsEnabled":true}]}`,
		listSubscriptions: `{"Subscriptions":[{"SubscriptionArn":"arn:aws:sns:x","Protocol":"email","Endpoint":"you@example.com"}]}`,
		filterLog:         heartbeat(40 * time.Second),
		invokeFunction:    `{"version":"v1","checks":[{"connection":"default","check":"config","ok":true,"message":"valid"}]} {"StatusCode":200}`,
	}
}

// heartbeat is a log with one metric line of this age.
func heartbeat(age time.Duration) string {
	return fmt.Sprintf(`{"events":[{"eventId":"1","timestamp":%d,"message":"{\"Heartbeats\":1}"},{"eventId":"2","timestamp":%d,"message":"START"}]}`,
		now.Add(-age).UnixMilli(), now.UnixMilli())
}

func TestCheck(t *testing.T) {
	const stackWrong = `WRONG  stack`
	for _, test := range []struct {
		name string
		// instead replaces answers of a stack that is well; an error stands as
		// its code after an exclamation mark.
		instead map[string]string
		says    []string
	}{
		{"all is well", nil, []string{"ok  stack    schedule      enabled, rate(1 minute)", "the last was 40 s ago", "LateAlarm: quiet", "email you@example.com", "default  config"}},
		{
			"schedule switched off",
			map[string]string{getSchedule: `{"State":"DISABLED"}`},
			[]string{stackWrong, "the schedule is DISABLED", "aws scheduler update-schedule", "--name beat"},
		},
		{"schedule deleted", map[string]string{getSchedule: "!ResourceNotFoundException"}, []string{stackWrong, "somebody deleted the schedule beat", "docs/runbook.md#restore"}},
		{"schedule not in the stack", map[string]string{describeResources: `{"StackResources":[]}`}, []string{stackWrong, "0 schedules", "docs/runbook.md#restore"}},
		{"schedule may not be seen", map[string]string{getSchedule: "!AccessDeniedException"}, []string{stackWrong, "your own role needs scheduler:GetSchedule"}},
		{"no heartbeat for long", map[string]string{filterLog: heartbeat(4 * time.Minute)}, []string{stackWrong, "the last was 4 min ago", "docs/runbook.md#heartbeats"}},
		{"no heartbeat at all", map[string]string{filterLog: `{"events":[]}`}, []string{stackWrong, "none in the last 15 min", "docs/runbook.md#heartbeats"}},
		{
			"an alarm rings",
			map[string]string{describeAlarms: `{"MetricAlarms":[{"AlarmName":"reltio-token-rotator/tokens/late","StateValue":"ALARM","StateReason":"1 is too much","ActionsEnabled":true}]}`},
			[]string{stackWrong, "LateAlarm: it rings (1 is too much)", "docs/runbook.md#late"},
		},
		{
			"an alarm that tells nobody",
			map[string]string{describeAlarms: `{"MetricAlarms":[{"AlarmName":"reltio-token-rotator/tokens/late","StateValue":"OK","ActionsEnabled":false}]}`},
			[]string{stackWrong, "aws cloudwatch enable-alarm-actions --alarm-names reltio-token-rotator/tokens/late"},
		},
		{"an alarm that was deleted", map[string]string{describeAlarms: `{"MetricAlarms":[]}`}, []string{stackWrong, "LateAlarm: somebody deleted it"}},
		{
			"an e-mail address that was not confirmed",
			map[string]string{listSubscriptions: `{"Subscriptions":[{"SubscriptionArn":"PendingConfirmation","Protocol":"email","Endpoint":"you@example.com"}]}`},
			[]string{stackWrong, "you@example.com has not confirmed", "aws sns subscribe --topic-arn arn:topic --protocol email --notification-endpoint you@example.com"},
		},
		{"nobody listens", map[string]string{listSubscriptions: `{"Subscriptions":[]}`}, []string{stackWrong, "nobody hears the alarms", "PARAMETERS=AlarmEmail="}},
		{
			"the doctor finds something",
			map[string]string{invokeFunction: `{"version":"v1","checks":[{"connection":"emea","check":"credentials","ok":false,"message":"field\tclient_id\u001b[2J is missing"}]} {"StatusCode":200}`},
			[]string{"WRONG  emea", "field client_id?[2J is missing"},
		},
		{
			"the function fails",
			map[string]string{invokeFunction: `{"errorType":"RotationFailed","errorMessage":"state_unavailable"} {"StatusCode":200,"FunctionError":"Unhandled"}`},
			[]string{stackWrong, "RotationFailed state_unavailable", "make logs STACK=tokens"},
		},
	} {
		a := &account{answers: well(), errors: map[string]error{}}
		for command, answer := range test.instead {
			if code, isError := strings.CutPrefix(answer, "!"); isError {
				a.errors[command] = absent(code)
			} else {
				a.answers[command] = answer
			}
		}
		o, out := person(a)
		err := o.check(t.Context(), options{})
		if wrong := test.instead != nil; errors.Is(err, errWrong) != wrong || (err != nil && !errors.Is(err, errWrong)) {
			t.Errorf("%s: check ends with %v", test.name, err)
		}
		says(t, test.name, out.String(), test.says...)
		if !a.did(invokeFunction) {
			t.Errorf("%s: the doctor was not asked", test.name)
		}
		if found := strings.Count(out.String(), "WRONG"); test.instead != nil && found == 0 || test.instead == nil && found != 0 {
			t.Errorf("%s: %d lines are wrong:\n%s", test.name, found, out)
		}

		// The same for machines.
		o, out = person(a)
		jsonErr := o.check(t.Context(), options{json: true})
		var report doctor.Report
		if decodeErr := json.Unmarshal(out.Bytes(), &report); decodeErr != nil || len(report.Checks) < 4 {
			t.Errorf("%s: no report: %v\n%s", test.name, decodeErr, out)
		}
		if errors.Is(jsonErr, errWrong) != errors.Is(err, errWrong) {
			t.Errorf("%s: for machines it ends with %v", test.name, jsonErr)
		}
	}
}

func TestCheckOfAStackThatIsNotThere(t *testing.T) {
	answers := maps.Clone(well())
	delete(answers, describeStacks)
	o, _ := person(&account{answers: answers, errors: map[string]error{describeStacks: absent("ValidationError")}})
	err := o.check(t.Context(), options{})
	if err == nil || errors.Is(err, errWrong) {
		t.Fatalf("check ends with %v", err)
	}
	says(t, "no stack", err.Error(), "there is no stack tokens", "make deploy STACK=tokens")
}
