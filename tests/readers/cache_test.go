package readers_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"reltio-token-rotator/tests/harness"
)

// The examples keep a token for five minutes, and never past its end.
func TestWhenTheExamplesReadAgain(t *testing.T) {
	for _, kind := range []string{"python", "shell"} {
		t.Run(kind, func(t *testing.T) {
			s := deploy(t)
			ahead, folder := filepath.Join(t.TempDir(), "ahead"), t.TempDir()
			clock := "#!/bin/sh\nPATH=${PATH#*:}\nexec date -d \"@$(($(date +%s) + $(cat \"$CLOCK_AHEAD\")))\" \"$@\"\n"
			if err := os.WriteFile(filepath.Join(folder, "date"), []byte(clock), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("CLOCK_AHEAD", ahead)
			s.firstOnPath = folder
			j := s.start(t, kind, s.apiURL)
			s.aws.ResetCalls()
			for _, step := range []struct {
				at    time.Duration
				does  func(t *testing.T)
				reads int
			}{
				{at: 0, reads: 1},
				{at: 290 * time.Second, reads: 1},
				{at: 310 * time.Second, reads: 2},
				{at: 600 * time.Second, reads: 2, does: s.expire},
				{at: 620 * time.Second, reads: 3},
				{at: 620 * time.Second, reads: 4}, // it is over, and nothing newer is there
			} {
				if err := os.WriteFile(ahead, []byte(strconv.Itoa(int(step.at.Seconds()))), 0o600); err != nil {
					t.Fatal(err)
				}
				if step.does != nil {
					step.does(t)
				}
				if status, err := j.call(); err != nil || status != "200" {
					t.Fatalf("%s, %v", status, err)
				}
				if got := s.aws.Calls()["GetSecretValue"]; got != step.reads {
					t.Errorf("after %v the secret has been read %d times, want %d", step.at, got, step.reads)
				}
			}
		})
	}
}

// expire writes the secret as if its token had ended now.
func (s *stack) expire(t *testing.T) {
	t.Helper()
	name := harness.SecretName("default", "token")
	document, _ := s.aws.Secret(name)
	var fields map[string]any
	if err := json.Unmarshal([]byte(document), &fields); err != nil {
		t.Fatal(err)
	}
	fields["expires_at"] = time.Now().UTC().Format(time.RFC3339)
	changed, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	s.aws.PutSecret(name, string(changed))
}
