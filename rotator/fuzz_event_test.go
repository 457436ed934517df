package rotator

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Whatever the payload of an invocation is, either all of it is understood, or
// nothing is done, and the answer says what is possible and repeats no part of the
// payload.
func FuzzEvent(f *testing.F) {
	for _, payload := range []string{
		`{}`, `{"source":"aws.scheduler","detail":"{}"}`, `{"source":"aws.events","detail":{}}`, `{"source":"aws.s3"}`,
		`{"action":"refresh"}`, `{"action":"refresh","force":true}`, `{"action":"check"}`, `{"action":"check","force":false}`, `{"action":"check","action":"refresh"}`, `{"action":"refresh","connections":["default"],"force":true}`,
		`{"action":"refresh","connections":["default"],"dead_token":"0123456789abcdef"}`,
		`{"action":"refresh","connections":["default"],"dead_token":"@"}`, `{"action":"refresh","connections":["@"]}`,
		`{"action":"refresh","connections":["default","defualt"]}`, `{"action":"refresh","@":1}`, `{"action":"@"}`, `{"@":"@"}`,
		`{"action":"check"}`, `{"action":"check","connections":["default"]}`, `{"action":"check","action":"refresh"}`,
		`{"action":"refresh","action":"@"}`, `{"action":"refresh","force":"@"}`, `{"Action":"refresh"}`, `["@"]`, `"@"`, `@`, `null`, ``, "\ufeff{}",
	} {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		payload = withEcho(payload)
		event, err := ParseEvent([]byte(payload))
		if err != nil {
			if !reflect.DeepEqual(event, Event{}) || !strings.Contains(err.Error(), possibleEvents) {
				t.Errorf("%v beside %+v", err, event)
			}
			wantNoEcho(t, err)
			return
		}
		wantUnderstood(t, event, object(t, payload))
		if event.Action == ActionCheck {
			return // the doctor's, not a run's
		}
		if event.Action == ActionCheck {
			return // a Doctor's
		}
		wantNoMoreThanAsked(t, event)
	})
}

// wantUnderstood checks that the event has the meaning of the payload.
func wantUnderstood(t *testing.T, event Event, fields map[string]any) {
	t.Helper()
	action, _ := fields["action"].(string)
	if event.Action != action || !slices.Contains([]string{"", ActionRefresh, ActionCheck}, action) {
		t.Errorf("action %q out of %v", event.Action, fields)
	}
	if event.Action == ActionCheck {
		if len(fields) > 1 || !reflect.DeepEqual(event, Event{Action: ActionCheck}) {
			t.Errorf("%+v out of %v", event, fields)
		}
		return
	}
	if event.Heartbeat() {
		if source := fields["source"]; len(fields) > 0 && source != "aws.scheduler" && source != "aws.events" || !reflect.DeepEqual(event, Event{}) {
			t.Errorf("%+v out of %v", event, fields)
		}
		return
	}
	force, _ := fields["force"].(bool)
	deadToken, _ := fields["dead_token"].(string)
	named, _ := fields["connections"].([]any)
	if event.Force != force || event.DeadToken != deadToken || len(event.Connections) != len(named) {
		t.Errorf("%+v out of %v", event, fields)
	}
	for name := range fields {
		if !slices.Contains([]string{"action", "connections", "force", "dead_token"}, name) {
			t.Errorf("%s went unseen in %v", name, fields)
		}
	}
	if event.DeadToken != "" && (event.Force || len(event.Connections) == 0 || !isFingerprint(event.DeadToken)) {
		t.Errorf("a report that is none: %+v", event)
	}
}

// wantNoMoreThanAsked runs the event in a stack with one connection, named
// default, that never had a token.
func wantNoMoreThanAsked(t *testing.T, event Event) {
	t.Helper()
	m := newMemory()
	report, err := view{m, "a", func(string) {}}.rotator().Run(t.Context(), "a", event)
	if err != nil {
		if !slices.Equal(m.calls, []string{"a.list"}) {
			t.Errorf("refused with %v, after %v", err, m.calls)
		}
		wantNoEcho(t, err)
		return
	}
	for _, name := range event.Connections {
		if name != "default" {
			t.Errorf("the error does not say that %q is unknown", name)
		}
	}
	want := 1
	if event.DeadToken != "" {
		want = 0 // no token was ever published
	}
	if m.issued != want || len(m.published) != want || len(report.Connections) != 1 {
		t.Errorf("%+v: %d token requests, %d published, %+v", event, m.issued, len(m.published), report.Connections)
	}
}
