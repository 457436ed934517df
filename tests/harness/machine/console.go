package machine

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Console prints what happens, a line each, with the time since the start.
type Console struct {
	out   io.Writer
	start time.Time
}

// NewConsole returns a Console that counts from now.
func NewConsole(out io.Writer) *Console { return &Console{out: out, start: time.Now()} }

// Say prints one line: a subject, and what happened to it.
func (c *Console) Say(who, format string, args ...any) {
	text := strings.ReplaceAll(strings.TrimSpace(fmt.Sprintf(format, args...)), "\n", "\n"+strings.Repeat(" ", 27))
	fmt.Fprintf(c.out, "%6.1f s  %-16s  %s\n", time.Since(c.start).Seconds(), who, text)
}
