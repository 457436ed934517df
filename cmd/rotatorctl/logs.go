package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// lookAgain is how often a followed log is read.
const lookAgain = 5 * time.Second

// logLine is one line of the function's log.
type logLine struct {
	at      int64 // milliseconds since 1970
	id      string
	message string
}

// logLines returns what the function logged since an instant, oldest first.
func (o *operator) logLines(ctx context.Context, since time.Time) ([]logLine, error) {
	var lines []logLine
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(o.aws.logs, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: aws.String(o.logGroup()), StartTime: aws.Int64(since.UnixMilli()),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			lines = append(lines, logLine{aws.ToInt64(e.Timestamp), aws.ToString(e.EventId), aws.ToString(e.Message)})
		}
	}
	slices.SortStableFunc(lines, func(a, b logLine) int { return cmp.Compare(a.at, b.at) })
	return lines, nil
}

// logs is rotatorctl logs.
func (o *operator) logs(ctx context.Context) error {
	since, shown, count := o.now().Add(-o.since), map[logLine]bool{}, 0
	for {
		lines, err := o.logLines(ctx, since)
		switch {
		case answered(err, "ResourceNotFoundException"):
			return fmt.Errorf("there is no log %s in account %s and region %s: either the stack is elsewhere, or the function has never run", o.logGroup(), o.session.account, o.session.region)
		case err != nil && (ctx.Err() == nil || !o.follow):
			return said(err)
		}
		for _, line := range lines {
			if shown[line] {
				continue
			}
			shown[line] = true
			at := time.UnixMilli(line.at).In(o.zone).Format("2006-01-02 15:04:05 -07:00")
			for i, text := range o.readable(line.message) {
				if i == 0 {
					text = at + "  " + text
				}
				fmt.Fprintln(o.out, plain(text))
				count++
			}
		}
		if !o.follow {
			if count == 0 {
				o.say("only idle heartbeats in the last %s; to look further back: %s", span(o.options.since), o.like("logs", "since", "2d"))
			}
			return nil
		}
		since = o.now().Add(-max(time.Minute, lookAgain)) // lines may arrive late
		if sleep(ctx, lookAgain) != nil {
			return nil // Ctrl-C is how it ends
		}
	}
}

// readable turns a line of the log into lines that fit the screen. It returns none
// if the line says only that a heartbeat had nothing to do.
func (o *operator) readable(message string) []string {
	const indent = "  "
	message = strings.TrimSpace(message)
	var fields map[string]any
	if json.Unmarshal([]byte(message), &fields) != nil {
		if message == "" {
			return nil
		}
		return strings.Split(wrap(message, width, indent), "\n") // Lambda's own, or a crash
	}
	var run struct {
		Level, Msg string
		Report     *report
	}
	_ = json.Unmarshal([]byte(message), &run)
	switch {
	case fields["_aws"] != nil:
		if !o.metrics {
			return nil
		}
		return o.metricLines(fields)
	case run.Msg == "run" && run.Report != nil:
		return o.runLines(run.Level, *run.Report)
	case run.Msg == "":
		return strings.Split(wrap(message, width, indent), "\n")
	}
	text := run.Msg
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch name {
		case "time", "level", "msg", "requestId":
		default:
			value, _ := json.Marshal(fields[name])
			text += fmt.Sprintf(" %s=%s", name, strings.Trim(string(value), `"`))
		}
	}
	return entry(run.Level, text)
}

// entry returns the time, the level and the text. If they do not fit on one line,
// the text is below.
func entry(level, text string) []string {
	const beside = width - len("2006-01-02 15:04:05 -07:00  INFO   ")
	first := fmt.Sprintf("%-5s", level)
	lines := strings.Split(wrap(text, width, "  "), "\n")
	if len(lines) == 1 && len(strings.TrimSpace(lines[0])) <= beside {
		return []string{first + "  " + strings.TrimSpace(lines[0])}
	}
	return append([]string{first}, lines...)
}

func (o *operator) metricLines(fields map[string]any) []string {
	text := "metrics"
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "_aws" {
			value, _ := json.Marshal(fields[name])
			text += " " + name + "=" + string(value)
		}
	}
	return entry("", text)
}

func (o *operator) runLines(level string, report report) []string {
	var lines []string
	if report.Error != "" {
		lines = entry(level, fmt.Sprintf("%s: %s", report.Error, report.Message))
	}
	for _, r := range report.Connections {
		if r.Outcome == "not_due" && r.Error == "" {
			continue
		}
		text := fmt.Sprintf("%s %s", r.Name, r.Outcome)
		if r.Reason != "" {
			text += fmt.Sprintf(" (%s)", r.Reason)
		}
		if r.Set != "" {
			text += " with " + string(r.Set)
		}
		if r.SecondsRemaining != nil {
			text += fmt.Sprintf(", %d s left", *r.SecondsRemaining)
		}
		if r.Error != "" {
			text += ". "
			if r.FailingSet != "" {
				text += string(r.FailingSet) + ": "
			}
			text += fmt.Sprintf("%s: %s", r.Error, r.Message)
		}
		more := entry(level, text)
		if len(lines) > 0 {
			for i, line := range more {
				more[i] = "  " + strings.TrimPrefix(line, "  ")
			}
		}
		lines = append(lines, more...)
	}
	return lines
}
