package rotator

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseEvent(t *testing.T) {
	for _, c := range []struct {
		payload string
		want    Event
		mistake string
	}{
		{`{}`, Event{}, ""},
		{`{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.scheduler","detail":"{}"}`, Event{}, ""},
		{`{"version":"0","source":"aws.events","detail":{}}`, Event{}, ""},
		{`{"action":"refresh"}`, Event{Action: "refresh"}, ""},
		{`{"action":"refresh","connections":["a","b"],"force":true}`, Event{Action: "refresh", Connections: []string{"a", "b"}, Force: true}, ""},
		{`{"action":"refresh","connections":["a"],"dead_token":"0123456789abcdef"}`, Event{Action: "refresh", Connections: []string{"a"}, DeadToken: "0123456789abcdef"}, ""},
		{`{"action":"check"}`, Event{Action: "check"}, ""},

		{``, Event{}, "not a JSON object"},
		{`null`, Event{}, "not a JSON object"},
		{`[]`, Event{}, "not a JSON object"},
		{`{"source":"aws.s3"}`, Event{}, "is not a schedule's"},
		{`{"force":true}`, Event{}, "is not a schedule's"},
		{`{"action":"restart"}`, Event{}, `"action" must be`},
		{`{"action":""}`, Event{}, `"action" must be`},
		{`{"action":null}`, Event{}, `"action" must be`},
		{`{"Action":"refresh"}`, Event{}, "is not a schedule's"},
		{`{"action":"check","connections":["a"]}`, Event{}, "allows no other field"},
		{`{"action":"check","force":true}`, Event{}, "allows no other field"},
		{`{"action":"check","verbose":true}`, Event{}, `"verbose" is unknown`},
		{`{"action":"refresh","Force":true}`, Event{}, `"Force" is unknown`},
		{`{"action":"refresh","connection":["a"]}`, Event{}, `"connection" is unknown`},
		{`{"action":"refresh","connections":"a"}`, Event{}, "must be a list of names"},
		{`{"action":"refresh","connections":[]}`, Event{}, "must be a list of names"},
		{`{"action":"refresh","force":"true"}`, Event{}, "must be true or false"},
		{`{"action":"refresh","connections":["a"],"dead_token":"0123"}`, Event{}, "first 16 hex digits"},
		{`{"action":"refresh","connections":["a"],"dead_token":""}`, Event{}, "first 16 hex digits"},
		{`{"action":"refresh","dead_token":"0123456789abcdef"}`, Event{}, `needs "connections"`},
		{`{"action":"refresh","connections":["a"],"force":true,"dead_token":"0123456789abcdef"}`, Event{}, `excludes "force"`},
	} {
		got, err := ParseEvent([]byte(c.payload))
		switch {
		case c.mistake == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
			t.Errorf("%s: %+v, %v", c.payload, got, err)
		case c.mistake != "" && (err == nil || !strings.Contains(err.Error(), c.mistake) || !strings.Contains(err.Error(), "possible events")):
			t.Errorf("%s: %v, want it to say %q and what is possible", c.payload, err, c.mistake)
		case c.mistake != "" && !reflect.DeepEqual(got, Event{}):
			t.Errorf("%s: a refused event is half read: %+v", c.payload, got)
		}
	}
}

// A token that was pasted instead of its fingerprint is not repeated in the error.
func TestARefusedEventDoesNotEchoAToken(t *testing.T) {
	_, err := ParseEvent([]byte(`{"action":"refresh","connections":["a"],"dead_token":"canary-token"}`))
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("refused with %v", err)
	}
}
