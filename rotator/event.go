package rotator

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// Event is what an invocation asks for. The zero Event is a heartbeat over all
// connections.
type Event struct {
	// Action is ActionRefresh, ActionCheck, or "" for a heartbeat.
	Action string
	// Connections are the names of the connections. If there is none, the event is
	// for all.
	Connections []string
	// Force ignores the window, every backoff and a rejected login.
	Force bool
	// Set is the credential set of a forced refresh. If it is empty, the rotator
	// chooses the set.
	Set SetName
	// DeadToken is the fingerprint of a token for which a job got 401.
	DeadToken string
}

// The actions of an event.
const (
	// ActionRefresh refreshes the connections that are due, or with Force all that
	// the event names.
	ActionRefresh = "refresh"
	// ActionCheck runs the doctor (package rotator/doctor).
	ActionCheck = "check"
)

// Heartbeat reports whether the schedule sent the event.
func (e Event) Heartbeat() bool { return e.Action == "" }

// possibleEvents is in the error for every other event.
const possibleEvents = `possible events: {} or a schedule's event (a heartbeat); ` +

	`{"action":"refresh"}, optionally with "connections":["NAME"] and either "force":true (and "set":"primary" or "alternate") or "dead_token":"FINGERPRINT"; ` +
	`{"action":"check"} and no other field (the doctor)`

// ParseEvent reads an invocation's payload. It rejects unknown fields, because a
// misspelt field would change what the event means.
func ParseEvent(payload []byte) (Event, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil || fields == nil {
		return Event{}, badEvent("the payload is not a JSON object")
	}
	if _, ok := fields["action"]; !ok {
		if len(fields) == 0 || scheduled(fields) {
			return Event{}, nil
		}
		return Event{}, badEvent(`it has no "action" and is not a schedule's`)
	}
	var e Event
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := e.read(name, fields[name]); err != nil {
			return Event{}, err
		}
	}
	if e.DeadToken != "" && (e.Force || len(e.Connections) == 0) {
		return Event{}, badEvent(`"dead_token" needs "connections" and excludes "force"`)
	}
	if e.Set != "" && !e.Force {
		return Event{}, badEvent(`"set" needs "force":true`)
	}
	if e.Action == ActionCheck && len(fields) > 1 {
		return Event{}, badEvent(`"check" allows no other field; it checks all connections`)
	}
	return e, nil
}

// ParseReport is ParseEvent for an invocation that may only report a dead token.
func ParseReport(payload []byte) (Event, error) {
	e, err := ParseEvent(payload)
	if err == nil && e.DeadToken == "" {
		return Event{}, errors.New(`the alias "report" accepts only reports of dead tokens: ` +
			`{"action":"refresh","connections":["NAME"],"dead_token":"FINGERPRINT"}; for other events invoke the function without an alias`)
	}
	return e, err
}

func (e *Event) read(name string, value json.RawMessage) error {
	switch name {
	case "action":
		if !decode(value, &e.Action) || e.Action != ActionRefresh && e.Action != ActionCheck {
			return badEvent(`"action" must be "refresh" or "check"`)
		}
	case "connections":
		if !decode(value, &e.Connections) || len(e.Connections) == 0 {
			return badEvent(`"connections" must be a list of names, or be left out for all`)
		}
	case "force":
		if !decode(value, &e.Force) {
			return badEvent(`"force" must be true or false`)
		}
	case "set":
		if !decode(value, &e.Set) || e.Set != Primary && e.Set != Alternate {
			return badEvent(`"set" must be "primary" or "alternate"`)
		}
	case "dead_token":
		if !decode(value, &e.DeadToken) || !isFingerprint(e.DeadToken) {
			return badEvent(`"dead_token" must be the first 16 hex digits (lower case) of the token's SHA-256, never the token`)
		}
	default:
		return badEvent("field " + quoted(name) + " is unknown")
	}
	return nil
}

// scheduled recognises the payloads of EventBridge Scheduler and of an
// EventBridge rule.
func scheduled(fields map[string]json.RawMessage) bool {
	var source string
	return decode(fields["source"], &source) && (source == "aws.scheduler" || source == "aws.events")
}

func badEvent(what string) error {
	return errors.New("unknown event: " + what + "; " + possibleEvents)
}
