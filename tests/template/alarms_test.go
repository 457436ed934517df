package template_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/emf"
)

// Only CloudWatch may publish, and only for this stack's alarms. tests/alarms
// shows when the alarms fire.
func TestTopic(t *testing.T) {
	s := newStack(t, nil)
	got := s.properties(t, "AlarmTopicPolicy")["PolicyDocument"].(object)["Statement"]
	want := []any{object{
		"Sid": "AllowAlarmsOfThisStack", "Effect": "Allow",
		"Principal": object{"Service": "cloudwatch.amazonaws.com"},
		"Action":    "sns:Publish", "Resource": "AlarmTopic",
		"Condition": object{
			"StringEquals": object{"AWS:SourceAccount": "123456789012"},
			"ArnLike":      object{"AWS:SourceArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:reltio-token-rotator/STACK/*"},
		},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the topic's policy is %v, want %v", got, want)
	}
	// With alias/aws/sns no alarm would arrive, without any error.
	if got := s.properties(t, "AlarmTopic")["KmsMasterKeyId"]; got != nil {
		t.Errorf("without a customer key the topic is encrypted with %v", got)
	}
	if got := newStack(t, map[string]string{"KmsKeyArn": key}).properties(t, "AlarmTopic")["KmsMasterKeyId"]; got != key {
		t.Errorf("with a customer key the topic is encrypted with %v", got)
	}
	if got := s.resource(t, "AlarmEmailSubscription"); got != nil {
		t.Errorf("without an e-mail address there is the subscription %v", got)
	}
	mail := newStack(t, map[string]string{"AlarmEmail": "oncall@example.com"}).properties(t, "AlarmEmailSubscription")
	if !reflect.DeepEqual(mail, object{"TopicArn": "AlarmTopic", "Protocol": "email", "Endpoint": "oncall@example.com"}) {
		t.Errorf("the subscription is %v", mail)
	}
}

// With a topic of the operator's, the stack creates none.
func TestExistingTopic(t *testing.T) {
	const topic = "arn:aws:sns:eu-west-1:123456789012:alarms"
	s := newStack(t, map[string]string{"ExistingAlarmTopicArn": topic})
	for _, id := range []string{"AlarmTopic", "AlarmTopicPolicy", "AlarmEmailSubscription"} {
		if got := s.resource(t, id); got != nil {
			t.Errorf("%s is created: %v", id, got)
		}
	}
	alarms := 0
	for id, raw := range s.template["Resources"].(object) {
		if raw.(object)["Type"] != "AWS::CloudWatch::Alarm" {
			continue
		}
		alarms++
		for _, actions := range []string{"AlarmActions", "OKActions"} {
			if got := s.properties(t, id)[actions]; !reflect.DeepEqual(got, []any{topic}) {
				t.Errorf("%s: %s are %v", id, actions, got)
			}
		}
	}
	if alarms == 0 {
		t.Error("there are no alarms")
	}
	if got := s.render(s.template["Outputs"].(object)["AlarmTopicArn"].(object)["Value"]); got != topic {
		t.Errorf("AlarmTopicArn is %v", got)
	}
}

type widget struct {
	Type                string
	X, Y, Width, Height int
	Properties          struct {
		Title, Region, View, Query string
		Metrics                    [][]any
		Annotations                struct {
			Horizontal []struct{ Value float64 }
		}
	}
}

func dashboard(t *testing.T) []widget {
	t.Helper()
	var body struct{ Widgets []widget }
	text := newStack(t, nil).properties(t, "Dashboard")["DashboardBody"].(string)
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		t.Fatalf("the dashboard is not JSON: %v\n%s", err, text)
	}
	return body.Widgets
}

// The dashboard shows every metric that the function writes, and no other.
func TestDashboardShowsEveryMetric(t *testing.T) {
	var line strings.Builder
	everything := rotator.Metrics{TokenSecondsRemaining: []float64{1}, RefreshTokenAgeDays: []float64{1}, GrantMilliseconds: []float64{1}}
	if err := emf.New(&line, "STACK").Write(time.Now(), everything); err != nil {
		t.Fatal(err)
	}
	var written struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Namespace string
				Metrics   []struct{ Name string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal([]byte(line.String()), &written); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, metric := range written.AWS.CloudWatchMetrics[0].Metrics {
		want[fmt.Sprintf("%s %s Stack STACK", written.AWS.CloudWatchMetrics[0].Namespace, metric.Name)] = true
	}
	got := map[string]bool{}
	for _, w := range dashboard(t) {
		for _, metric := range w.Properties.Metrics {
			got[fmt.Sprint(metric[0], " ", metric[1], " ", metric[2], " ", metric[3])] = true
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("the dashboard shows\n  %v\nthe function writes\n  %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

func TestDashboard(t *testing.T) {
	var shown []string
	lines := map[string][]float64{}
	for _, w := range dashboard(t) {
		if w.Properties.Region != "eu-west-1" || w.X+w.Width > 24 {
			t.Errorf("%q: region %q, from %d to %d of 24", w.Properties.Title, w.Properties.Region, w.X, w.X+w.Width)
		}
		for _, metric := range w.Properties.Metrics {
			shown = append(shown, fmt.Sprint(metric[1], " ", metric[4].(map[string]any)["stat"]))
			for _, line := range w.Properties.Annotations.Horizontal {
				lines[metric[1].(string)] = append(lines[metric[1].(string)], line.Value)
			}
		}
		if w.Type == "log" && !strings.Contains(w.Properties.Query, "SOURCE '/aws/lambda/reltio-token-rotator/STACK'") {
			t.Errorf("%q queries another log group: %s", w.Properties.Title, w.Properties.Query)
		}
	}
	for _, want := range []string{
		"TokenSecondsRemaining Minimum", "RefreshOverdue Maximum", "ActionRequired Maximum", "Refreshes Sum", "Failures Sum",
		"GrantMilliseconds p50", "GrantMilliseconds p99", "Throttles Sum", "RefreshTokenAgeDays Maximum",
	} {
		if !slices.Contains(shown, want) {
			t.Errorf("%s is not shown; there are %v", want, shown)
		}
	}
	if !slices.Contains(lines["RefreshTokenAgeDays"], 28) {
		t.Errorf("the lines of RefreshTokenAgeDays are %v", lines["RefreshTokenAgeDays"])
	}
}

// The log query reads fields of the report, which the code may rename.
func TestDashboardQueryReadsTheReport(t *testing.T) {
	line, err := json.Marshal(object{"msg": "run", "report": rotator.Report{Connections: []rotator.Result{{
		Name: "default", Outcome: rotator.Failed, Error: rotator.Throttled,
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"msg":"run"`, `"report":{`, `"connections":[{`, `"name":`, `"outcome":"failed"`, `"error":`} {
		if !strings.Contains(string(line), part) {
			t.Errorf("a log line does not hold %s: %s", part, line)
		}
	}
	for _, w := range dashboard(t) {
		if w.Type != "log" {
			continue
		}
		for _, part := range []string{"msg = 'run'", "line.report.connections into c", "c.outcome = 'failed'", "c.name", "c.error"} {
			if !strings.Contains(w.Properties.Query, part) {
				t.Errorf("the query does not hold %s: %s", part, w.Properties.Query)
			}
		}
	}
}

func TestConsoleOfEachPartition(t *testing.T) {
	for partition, host := range map[string]string{
		"aws": "console.aws.amazon.com", "aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com",
	} {
		s := newStack(t, nil)
		s.Pseudo["AWS::Partition"] = partition
		got := s.render(s.template["Outputs"].(object)["DashboardUrl"].(object)["Value"])
		if want := "https://" + host + "/cloudwatch/home?region=eu-west-1#dashboards/dashboard/Dashboard"; got != want {
			t.Errorf("in %s the dashboard is at %v, want %s", partition, got, want)
		}
	}
}
