package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
)

// lookAgain is how often a followed log is read.
const lookAgain = 5 * time.Second

// logEvent is one line of the function's log.
type logEvent struct {
	Timestamp int64 // milliseconds since 1970
	EventID   string
	Message   string
}

// logEvents returns what the function logged since an instant, oldest first.
func (o *operator) logEvents(ctx context.Context, since time.Time) ([]logEvent, error) {
	var answer struct{ Events []logEvent }
	err := o.ask(ctx, &answer, "logs", "filter-log-events", "--log-group-name", o.logGroup(),
		"--start-time", strconv.FormatInt(since.UnixMilli(), 10))
	slices.SortStableFunc(answer.Events, func(a, b logEvent) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return answer.Events, err
}

// logs is make logs.
func (o *operator) logs(ctx context.Context, opts options) error {
	since, shown, lines := o.now().Add(-opts.since), map[logEvent]bool{}, 0
	for {
		events, err := o.logEvents(ctx, since)
		if answered(err, "ResourceNotFoundException") {
			return fmt.Errorf("there is no log %s in this account and region: make deploy STACK=%s", o.logGroup(), o.stack)
		}
		if err != nil {
			return err
		}
		for _, event := range events {
			if shown[event] {
				continue
			}
			shown[event] = true
			at := time.UnixMilli(event.Timestamp).UTC().Format("2006-01-02 15:04:05")
			for _, line := range readable(event.Message) {
				o.say("%s  %s", at, line)
				lines++
			}
		}
		if !opts.follow {
			if lines == 0 {
				o.say("nothing but idle heartbeats in the last %s; SINCE=24h looks further back", span(opts.since))
			}
			return nil
		}
		// Lines may arrive late.
		since = o.now().Add(-max(time.Minute, lookAgain))
		select {
		case <-ctx.Done():
			return nil // Ctrl-C is how it ends
		case <-time.After(lookAgain):
		}
	}
}

// readable turns a line of the log into lines for a person; none for one that
// says only that a heartbeat had nothing to do.
func readable(message string) []string {
	message = strings.TrimSpace(message)
	var fields map[string]any
	if json.Unmarshal([]byte(message), &fields) != nil {
		if message == "" {
			return nil
		}
		return []string{message} // Lambda's own, or a crash
	}
	var run struct {
		Level, Msg string
		Report     *rotator.Report
	}
	_ = json.Unmarshal([]byte(message), &run)
	switch {
	case fields["_aws"] != nil:
		return nil
	case run.Msg == "run" && run.Report != nil:
		return runLines(run.Level, *run.Report)
	case run.Msg == "":
		return []string{message}
	}
	line := fmt.Sprintf("%-5s  %s", run.Level, run.Msg)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch name {
		case "time", "level", "msg", "requestId":
		default:
			line += fmt.Sprintf(" %s=%v", name, fields[name])
		}
	}
	return []string{line}
}

func runLines(level string, report rotator.Report) []string {
	var lines []string
	if report.Error != "" {
		lines = append(lines, fmt.Sprintf("%-5s  %s: %s", level, report.Error, report.Message))
	}
	for _, r := range report.Connections {
		if r.Outcome == rotator.NotDue {
			continue
		}
		line := fmt.Sprintf("%-5s  %s  %s", level, r.Name, r.Outcome)
		if r.Reason != "" {
			line += fmt.Sprintf(" (%s)", r.Reason)
		}
		if r.SecondsRemaining != nil {
			line += fmt.Sprintf(", %d s left", *r.SecondsRemaining)
		}
		if r.Error != "" {
			line += fmt.Sprintf("  %s: %s", r.Error, r.Message)
		}
		lines = append(lines, line)
	}
	return lines
}
