package rotatorctl_test

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	"reltio-token-rotator/tests/harness"
)

const alarmName = harness.Prefix + "/refresh-overdue"

// fakeStack is a stack as CloudFormation shows it.
type fakeStack struct {
	name, status              string
	created                   time.Time
	parameters, outputs, tags map[string]string
	events                    []fakeEvent
	changeSet                 map[string]string // the parameters of one that is not executed
	changeTags                map[string]string
	connection                string // of connection.yaml
}

type fakeEvent struct{ id, kind, status, reason string }

// mainStack is one of template.yaml.
func mainStack(name, status string) *fakeStack {
	return &fakeStack{
		name: name, status: status, created: time.Now().Add(-time.Hour), tags: map[string]string{},
		parameters: map[string]string{"TokenHosts": "reltio.com", "AlarmEmail": "you@example.com", "RefreshBeforeSeconds": "900", "LogRetentionDays": "7"},
		outputs: map[string]string{
			"FunctionName": "rotate", "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:topic",
			"ReaderPolicyArn": "arn:aws:iam::123456789012:policy/reader", "ReporterPolicyArn": "arn:aws:iam::123456789012:policy/reporter",
		},
	}
}

// cloudformation answers one call. Changes happen at once.
func (a *account) cloudformation(operation string, in url.Values) (string, *queryFailure) {
	name := in.Get("StackName")
	s := a.stacks[name]
	if s == nil && operation != "CreateChangeSet" && operation != "ListStacks" && operation != "DeleteStack" {
		return "", &queryFailure{"ValidationError", "Stack with id " + name + " does not exist"}
	}
	switch operation {
	case "DescribeStacks":
		return "<Stacks>" + s.xml() + "</Stacks>", nil
	case "ListStacks":
		text := ""
		for _, s := range a.stacks {
			text += "<member><StackName>" + s.name + "</StackName><StackStatus>" + s.status + "</StackStatus><CreationTime>2026-11-26T10:00:00Z</CreationTime></member>"
		}
		return "<StackSummaries>" + text + "</StackSummaries>", nil
	case "DescribeStackResources":
		return `<StackResources>
			<member><LogicalResourceId>RotateFunctionHeartbeat</LogicalResourceId><PhysicalResourceId>beat</PhysicalResourceId><ResourceType>AWS::Scheduler::Schedule</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>
			<member><LogicalResourceId>RefreshOverdueAlarm</LogicalResourceId><PhysicalResourceId>` + alarmName + `</PhysicalResourceId><ResourceType>AWS::CloudWatch::Alarm</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>
			</StackResources>`, nil
	case "DescribeStackEvents":
		return "<StackEvents>" + s.eventsXML() + "</StackEvents>", nil
	case "CreateChangeSet":
		return a.createChangeSet(name, in)
	case "DescribeChangeSet":
		if in.Get("ChangeSetName") == "nothing" {
			return "<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes.</StatusReason>", nil
		}
		return "<Status>CREATE_COMPLETE</Status><Changes><member><Type>Resource</Type><ResourceChange><Action>Add</Action><LogicalResourceId>RotateFunction</LogicalResourceId><ResourceType>AWS::Lambda::Function</ResourceType></ResourceChange></member></Changes>", nil
	case "ExecuteChangeSet":
		a.executeChangeSet(s)
	case "DeleteChangeSet":
		s.changeSet = nil
	case "DeleteStack":
		a.deleteStack(s)
	default:
		return "", &queryFailure{"InvalidAction", operation}
	}
	return "", nil
}

func (s *fakeStack) xml() string {
	text := "<StackName>" + s.name + "</StackName><StackId>arn:" + s.name + "</StackId><StackStatus>" + s.status + "</StackStatus><CreationTime>" + s.created.UTC().Format(time.RFC3339) + "</CreationTime>"
	for _, list := range []struct {
		of        map[string]string
		tag, k, v string
	}{{s.outputs, "Outputs", "OutputKey", "OutputValue"}, {s.parameters, "Parameters", "ParameterKey", "ParameterValue"}, {s.tags, "Tags", "Key", "Value"}} {
		text += "<" + list.tag + ">"
		for key, value := range list.of {
			text += fmt.Sprintf("<member><%[1]s>%[2]s</%[1]s><%[3]s>%[4]s</%[3]s></member>", list.k, key, list.v, escape(value))
		}
		text += "</" + list.tag + ">"
	}
	return "<member>" + text + "</member>"
}

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// eventsXML shows the newest first, as AWS does.
func (s *fakeStack) eventsXML() string {
	text := ""
	for i, e := range s.events {
		text = fmt.Sprintf("<member><EventId>%d</EventId><StackId>s</StackId><StackName>%s</StackName><Timestamp>2026-11-26T10:00:00Z</Timestamp><LogicalResourceId>%s</LogicalResourceId><ResourceType>%s</ResourceType><ResourceStatus>%s</ResourceStatus><ResourceStatusReason>%s</ResourceStatusReason></member>",
			i, s.name, e.id, e.kind, e.status, escape(e.reason)) + text
	}
	return text
}

func (a *account) createChangeSet(name string, in url.Values) (string, *queryFailure) {
	s := a.stacks[name]
	create := in.Get("ChangeSetType") == "CREATE"
	switch {
	case create && s != nil && s.status != "REVIEW_IN_PROGRESS":
		return "", &queryFailure{"AlreadyExistsException", "Stack [" + name + "] already exists"}
	case !create && s == nil:
		return "", &queryFailure{"ValidationError", "Stack [" + name + "] does not exist"}
	case s == nil:
		s = mainStack(name, "REVIEW_IN_PROGRESS")
		s.parameters = map[string]string{}
		a.stacks[name] = s
	}
	s.changeSet, s.changeTags = map[string]string{}, map[string]string{}
	for i := 1; in.Has(fmt.Sprintf("Parameters.member.%d.ParameterKey", i)); i++ {
		at := fmt.Sprintf("Parameters.member.%d.", i)
		key := in.Get(at + "ParameterKey")
		s.changeSet[key] = in.Get(at + "ParameterValue")
		if in.Get(at+"UsePreviousValue") == "true" {
			previous, ok := s.parameters[key]
			if !ok {
				return "", &queryFailure{"ValidationError", "Invalid input for parameter key " + key + ". Cannot specify usePreviousValue as true for a parameter key not in the previous template"}
			}
			s.changeSet[key] = previous
		}
	}
	for i := 1; in.Has(fmt.Sprintf("Tags.member.%d.Key", i)); i++ {
		s.changeTags[in.Get(fmt.Sprintf("Tags.member.%d.Key", i))] = in.Get(fmt.Sprintf("Tags.member.%d.Value", i))
	}
	if strings.Contains(in.Get("TemplateBody"), "Adds a connection to a running") {
		s.connection = s.changeSet["Connection"]
	}
	id := "changes"
	if !create && same(s.changeSet, s.parameters) && same(s.changeTags, s.tags) {
		id = "nothing"
	}
	return "<Id>" + id + "</Id><StackId>arn:" + name + "</StackId>", nil
}

func same(a, b map[string]string) bool {
	for key, value := range a {
		if b[key] != value {
			return false
		}
	}
	return true
}

// executeChangeSet makes the stack, or lets its creation fail.
func (a *account) executeChangeSet(s *fakeStack) {
	create := s.status == "REVIEW_IN_PROGRESS"
	if why, fails := a.fails[s.name]; fails {
		delete(a.fails, s.name)
		s.events = append(s.events, why, fakeEvent{"Other", "AWS::IAM::Role", "CREATE_FAILED", "Resource creation cancelled"})
		s.status = "UPDATE_ROLLBACK_COMPLETE"
		if create {
			s.status, s.parameters = "ROLLBACK_COMPLETE", s.changeSet
		}
		return
	}
	for key, value := range s.changeSet {
		s.parameters[key] = value
	}
	if !create && !same(s.changeTags, s.tags) {
		// As at AWS, the parameter gets the stack's tags. When they change,
		// CloudFormation also writes the template's value again.
		a.AWS.PutParameter(harness.ParameterName(cmp.Or(s.connection, "default"), "config"), "{}")
	}
	s.tags, s.status = s.changeTags, "UPDATE_COMPLETE"
	if create {
		s.status = "CREATE_COMPLETE"
	}
	s.events = append(s.events, fakeEvent{s.name, "AWS::CloudFormation::Stack", s.status, ""})
	if s.connection == "" || !create {
		return
	}
	a.Add(s.connection)
}

// deleteStack leaves the secrets, as the templates' DeletionPolicy says.
func (a *account) deleteStack(s *fakeStack) {
	if s == nil {
		return
	}
	if why, fails := a.fails[s.name]; fails {
		delete(a.fails, s.name)
		s.events = append(s.events, why)
		s.status = "DELETE_FAILED"
		return
	}
	connection := s.connection
	if connection == "" && s.outputs["FunctionName"] != "" {
		connection = "default"
	}
	if s.status != "REVIEW_IN_PROGRESS" && s.status != "ROLLBACK_COMPLETE" {
		for _, kind := range []string{"config", "state", "lease"} {
			a.AWS.DeleteParameter(harness.ParameterName(connection, kind))
		}
	}
	delete(a.stacks, s.name)
}
