package memory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// transcript is what was seen in a scene, in words that do not depend on where
// it was played: values are called by the order in which they appeared.
type transcript struct {
	lines []string
	names map[string]string
}

func newTranscript() *transcript { return &transcript{names: map[string]string{}} }

func (s *transcript) note(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// name calls the first value of a kind kind1, the next kind2.
func (s *transcript) name(kind, value string) string {
	if value == "" {
		return "none"
	}
	if s.names[value] == "" {
		n := 1
		for _, given := range s.names {
			if strings.HasPrefix(given, kind) {
				n++
			}
		}
		s.names[value] = fmt.Sprint(kind, n)
	}
	return s.names[value]
}

// compare fails where the two stages told different stories.
func compare(t *testing.T, memory, real *transcript) {
	t.Helper()
	for i := range max(len(memory.lines), len(real.lines)) {
		var here, there string
		if i < len(memory.lines) {
			here = memory.lines[i]
		}
		if i < len(real.lines) {
			there = real.lines[i]
		}
		if here != there {
			t.Errorf("line %d\n  memory: %s\n  real:   %s", i+1, here, there)
		}
	}
	if len(memory.lines) == 0 {
		t.Error("nothing was seen")
	}
}

const day = 24 * time.Hour
