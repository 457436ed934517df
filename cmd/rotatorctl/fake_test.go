package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// account is an AWS CLI whose answers a test chooses: by the service and the
// operation or, where a test needs more than one, by more of the command.
type account struct {
	answers map[string]string
	errors  map[string]error
	asked   []string
}

func (a *account) run(_ context.Context, stdin []byte, args ...string) ([]byte, error) {
	command := strings.Join(args, " ")
	a.asked = append(a.asked, strings.TrimSpace(command+" "+string(stdin)))
	longest := ""
	for key := range a.answers {
		if strings.HasPrefix(command, key) && len(key) > len(longest) {
			longest = key
		}
	}
	for key, err := range a.errors {
		if strings.HasPrefix(command, key) && len(key) >= len(longest) {
			return nil, err
		}
	}
	if longest == "" {
		return nil, fmt.Errorf("unexpected: aws %s", command)
	}
	return []byte(a.answers[longest]), nil
}

// did reports whether a command that begins like this was run.
func (a *account) did(command string) bool {
	for _, asked := range a.asked {
		if strings.HasPrefix(asked, command) {
			return true
		}
	}
	return false
}

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// person is an operator of the stack "tokens" at ten o'clock.
func person(a *account) (*operator, *bytes.Buffer) {
	out := &bytes.Buffer{}
	return &operator{stack: "tokens", cli: a, out: out, now: func() time.Time { return now }}, out
}

func absent(code string) error { return &awsError{code, "Operation", "there is none"} }

// says fails the test unless text holds every part.
func says(t *testing.T, name, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: %q is missing in\n%s", name, part, text)
		}
	}
}
