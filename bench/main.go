// Command bench measures the function against what people would use in its
// place, and against its limits: `make bench`.
//
// Everything is the real function, built as it is deployed, under a Lambda
// Runtime API on this machine, between fakes for AWS and Reltio. A figure
// and its reference are measured by turns in the same run, so that their ratio
// holds on any machine. The run fails when a count is above its goal (calls,
// bytes in memory, bytes of the package); a time that misses its goal is only
// marked, since a busy machine can make it do so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// atMost ends a run that hangs.
const atMost = 10 * time.Minute

func main() {
	repeat := flag.Int("repeat", 15, "how often each time is measured")
	only := flag.String("only", "", "measure only the sections that match this pattern")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	if err := run(ctx, *repeat, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures, prints the table, and fails when a count is above its goal.
func run(ctx context.Context, repeat int, only string) error {
	pattern, err := regexp.Compile("(?i)" + only)
	if err != nil {
		return err
	}
	if repeat < 1 {
		return errors.New("-repeat must be at least 1")
	}
	b, err := newBench(ctx, repeat)
	if err != nil {
		return err
	}
	defer b.close()

	ctx, stop := context.WithCancel(ctx)
	defer b.aside.Wait()
	defer stop()
	var collected []func() (string, []row, error)
	for _, m := range measurements() {
		if pattern.MatchString(m.section) {
			collected = append(collected, b.start(ctx, m))
		}
	}
	var t table
	for _, collect := range collected {
		section, rows, err := collect()
		if err != nil {
			return fmt.Errorf("%s: %w", section, err)
		}
		t.add(section, rows)
	}
	fmt.Print(&t)
	for _, note := range b.notes {
		fmt.Println(note)
	}
	return t.failure()
}

// start measures, and returns what gives the result.
func (b *bench) start(ctx context.Context, m measurement) func() (string, []row, error) {
	b.say("%s …", m.section)
	var rows []row
	var err error
	measure := func() { rows, err = m.measure(ctx, b) }
	if !m.aside {
		measure()
		return func() (string, []row, error) { return m.section, rows, err }
	}
	done := make(chan struct{})
	b.aside.Go(func() {
		defer close(done)
		measure()
	})
	return func() (string, []row, error) { <-done; return m.section, rows, err }
}

// measurement is a section of the table, or a part of one.
type measurement struct {
	section string
	// aside: it mostly waits, and goes on beside those after it.
	aside   bool
	measure func(context.Context, *bench) ([]row, error)
}

// measurements are in the order of the table. Rows of sections with the same
// name stand together where they follow each other.
func measurements() []measurement {
	return []measurement{
		{section: "Cold start", measure: coldStart},
		{section: "Memory and size", measure: memory},
		{section: "Memory and size", measure: memoryOfMany, aside: true},
		{section: "Calls", measure: callCounts},
		{section: "Many connections", measure: manyConnections, aside: true},
		{section: "Many connections", measure: steady},
		{section: "Reaction", measure: reaction},
	}
}
