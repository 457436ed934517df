package alarms_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/emf"
	"reltio-token-rotator/tests/alarms"
	"reltio-token-rotator/tests/harness/cfn"
)

// The alarms as text.
func TestAlarmsAreThese(t *testing.T) {
	want := map[string]string{
		"heartbeats-missing":     "Sum of Heartbeats LessThanThreshold 1 in 2 of 2 periods of 5m0s, missing is breaching, after 15m0s",
		"action-required":        "Maximum of ActionRequired GreaterThanOrEqualToThreshold 1 in 2 of 3 periods of 1m0s, missing is notBreaching, after 0s",
		"refresh-overdue":        "Maximum of RefreshOverdue GreaterThanOrEqualToThreshold 1 in 2 of 3 periods of 1m0s, missing is notBreaching, after 0s",
		"refresh-token-expiring": "Maximum of RefreshTokenAgeDays GreaterThanOrEqualToThreshold 21 in 1 of 1 periods of 1h0m0s, missing is notBreaching, after 0s",
		"no-credentials":         "Maximum of NoCredentials GreaterThanOrEqualToThreshold 1 in 13 of 13 periods of 5m0s, missing is notBreaching, after 0s",
	}
	got := map[string]string{}
	for name, a := range definitions(t) {
		metric := strings.TrimSuffix(strings.TrimPrefix(string(a.Series), "ReltioTokenRotator/"), "{Stack=STACK}")
		got[name] = fmt.Sprintf("%s of %s %s %v in %d of %d periods of %v, missing is %s, after %v",
			a.Statistic, metric, a.Comparison, a.Threshold, a.Datapoints, a.Periods, a.Period, a.Missing, a.WarmUp)
	}
	if !maps.Equal(got, want) {
		for _, name := range slices.Sorted(maps.Keys(got)) {
			t.Errorf("%s: %s\nwant %s", name, got[name], want[name])
		}
	}
}

// Each alarm watches a metric that the function writes.
func TestAlarmsWatchWrittenMetrics(t *testing.T) {
	written := alarms.NewRecord()
	everything := rotator.Metrics{TokenSecondsRemaining: []float64{1}, RefreshTokenAgeDays: []float64{1}, GrantMilliseconds: []float64{1}}
	if err := emf.New(written, stackName).Write(time.Now(), everything); err != nil {
		t.Fatal(err)
	}
	for name, a := range definitions(t) {
		if !written.Has(a.Series) {
			t.Errorf("%s watches %s, which is not written", name, a.Series)
		}
	}
}

// Each alarm's text says what happened, what to do first, and where the runbook is.
func TestAlarmTexts(t *testing.T) {
	template, err := cfn.Load(filepath.Join("..", "..", "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	stack, err := cfn.New(template, nil)
	if err != nil {
		t.Fatal(err)
	}
	runbook, err := os.ReadFile(filepath.Join("..", "..", "docs", "runbook.md"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for id, raw := range template["Resources"].(cfn.Object) {
		if raw.(cfn.Object)["Type"] != "AWS::CloudWatch::Alarm" {
			continue
		}
		resource, _ := stack.Resource(id)
		properties := resource["Properties"].(cfn.Object)
		name := properties["AlarmName"].(string)
		page, named := strings.CutPrefix(name, "reltio-token-rotator/STACK/")
		if !named {
			t.Errorf("%s is named %s, which the topic policy does not allow", id, name)
		}
		text := properties["AlarmDescription"].(string)
		for _, part := range []string{"STACK", "First: ", "Runbook: docs/runbook.md#" + page} {
			if !strings.Contains(text, part) {
				t.Errorf("%s does not say %q: %s", id, part, text)
			}
		}
		if len(text) > 1024 {
			t.Errorf("%s: the description has %d characters, CloudWatch accepts 1024", id, len(text))
		}
		if runbook != nil && !slices.Contains(anchors(string(runbook)), page) {
			t.Errorf("docs/runbook.md has no page %s", page)
		}
		for _, actions := range []string{"AlarmActions", "OKActions"} {
			if got := fmt.Sprint(properties[actions]); got != "[AlarmTopic]" {
				t.Errorf("%s: %s are %s", id, actions, got)
			}
		}
		if resource["DependsOn"] != "RotateFunctionHeartbeat" {
			t.Errorf("%s may be created before the schedule", id)
		}
	}
}

// anchors are the anchors of a page: those of its headings, and explicit ones.
func anchors(page string) []string {
	var all []string
	for _, match := range regexp.MustCompile(`<a (?:id|name)="([^"]+)">`).FindAllStringSubmatch(page, -1) {
		all = append(all, match[1])
	}
	for line := range strings.Lines(page) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			title = strings.ToLower(strings.TrimSpace(title))
			title = strings.Map(func(r rune) rune {
				switch {
				case r == ' ':
					return '-'
				case r == '-' || r == '_' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
					return r
				}
				return -1
			}, title)
			all = append(all, title)
		}
	}
	return all
}
