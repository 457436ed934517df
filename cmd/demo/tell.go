package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

func rawJSON(document string) json.RawMessage { return json.RawMessage(document) }

// minutes is how long so many minutes take here.
func (d *demo) minutes(n float64) time.Duration {
	return time.Duration(n * float64(d.settings.minute))
}

// span is a time that passed here, in the minutes that it stands for.
func (d *demo) span(t time.Duration) string {
	return count(int(math.Round(t.Seconds()/d.settings.minute.Seconds())), "minute")
}

// minutesUntil is how many minutes are left until an instant.
func (d *demo) minutesUntil(t time.Time) float64 {
	return time.Until(t).Seconds() / d.settings.minute.Seconds()
}

// clock is the time since the start, in hours and minutes.
func (d *demo) clock() string {
	minutes := int(time.Since(d.start) / d.settings.minute)
	return fmt.Sprintf("  %d:%02d  ", minutes/60, minutes%60)
}

func (d *demo) title(text string) {
	d.line("")
	d.line(d.paint(bold, text))
}

func (d *demo) say(format string, args ...any) {
	d.line(d.paint(dim, d.clock()) + fmt.Sprintf(format, args...))
}

// more goes on below what was said.
func (d *demo) more(format string, args ...any) {
	d.line(strings.Repeat(" ", 8) + fmt.Sprintf(format, args...))
}

// refused is how often each kind of job was answered with 401.
func (d *demo) refused(rows ...*row) string {
	var parts []string
	for _, r := range rows {
		parts = append(parts, fmt.Sprintf("%s %d of %d", r.short, r.refused, r.calls))
	}
	return strings.Join(parts, ", ")
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return count(n, "time")
}

// lastMessage is what the function said last of a connection that has an error.
func (d *demo) lastMessage() string {
	for _, result := range d.last {
		if result.Error != "" {
			return string(result.Error) + ": " + result.Message
		}
	}
	return count(d.failedBeats, "failed heartbeat")
}

// drawLive draws the live line: what is left of the token, and who was refused.
func (d *demo) drawLive() {
	const width = 10
	left := time.Until(d.token.ExpiresAt)
	st := green
	switch {
	case left <= 0:
		st = red
	case left <= d.minutes(window):
		st = yellow
	}
	text := d.clock() + d.bar(left.Seconds()/d.minutes(lifetime).Seconds(), width, st)
	text += fmt.Sprintf(" %2d min", max(int(d.minutesUntil(d.token.ExpiresAt)), 0))
	for _, r := range d.rows {
		if r.calls == 0 {
			continue
		}
		st := plain
		if r.refused > 0 {
			st = red
		}
		text += "  " + r.short + " " + d.paint(st, fmt.Sprintf("%d/%d", r.refused, r.calls))
	}
	d.live(text)
}

// table is what became of each job's calls.
func (d *demo) table() {
	d.line("")
	d.line(d.paint(bold, fmt.Sprintf("%-48s %7s %7s %7s", "the job", "calls", "401s", "failed")))
	for _, r := range d.rows {
		number := func(n int, wrong style) string {
			st := wrong
			if n == 0 {
				st = plain
			}
			return d.paint(st, fmt.Sprintf("%7d", n))
		}
		d.line(fmt.Sprintf("%-48s %7d ", r.name, r.calls) + number(r.refused, yellow) + " " + number(r.failed, red))
	}
}

// age makes the published token look a minute older in the function's state. A job's
// report counts when the last refresh is over a minute old, which is the one time
// that does not pass faster here.
func (d *demo) age() {
	name := parameterName(connection, "state")
	document, _, _ := d.fixture.aws.Parameter(name)
	var state map[string]json.RawMessage
	var published map[string]any
	if err := cmp.Or(json.Unmarshal([]byte(document), &state), json.Unmarshal(state["published"], &published)); err != nil {
		return // the report is then refused, and that is told
	}
	published["issued_at"] = d.token.IssuedAt.Add(-time.Minute).UTC().Format(time.RFC3339)
	state["published"], _ = json.Marshal(published)
	changed, _ := json.Marshal(state)
	d.fixture.aws.PutParameter(name, string(changed))
}
