package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"reltio-token-rotator/tests/fake/lambda"
)

// many is how many connections one run refreshes at most, about (docs/scale.md).
const many = 100

// memory measures how much of it a process has used at most.
func memory(ctx context.Context, b *bench) ([]row, error) {
	packed, err := zipped(b.function)
	if err != nil {
		return nil, err
	}
	rows := []row{{what: "package (zip)", unit: megabytes, figures: []float64{packed}, goal: 4.5e6, count: true}}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		b.note("Memory is not measured: it is read from Linux's /proc.")
		return rows, nil
	}
	st, err := b.newFixture(setting{connections: 1})
	if err != nil {
		return nil, err
	}
	defer st.close()
	if _, err := st.once(ctx, b.function, `{}`, "refreshed"); err != nil {
		return nil, err
	}
	var idle, floors, pythons []float64
	for range max(b.repeat/3, 1) {
		own, err := st.peakOnce(ctx, b.function, `{}`, "not_due")
		if err != nil {
			return nil, err
		}
		floor, err := peakOf(ctx, b.hello, func() (*lambda.Function, error) { return st.start(b.hello) })
		if err != nil {
			return nil, err
		}
		idle, floors = append(idle, own), append(floors, floor)
		if b.python != "" {
			other, err := peakOf(ctx, b.python, func() (*lambda.Function, error) { return b.startPython(st) })
			if err != nil {
				return nil, err
			}
			pythons = append(pythons, other)
		}
	}
	rows = append(rows,
		row{what: "peak of an idle heartbeat", unit: megabytes, figures: idle, goal: 20e6, count: true},
		row{what: "peak of an idle heartbeat", unit: megabytes, figures: idle, references: floors, against: "hello world in Go"})
	if b.python != "" {
		rows = append(rows, row{what: "peak of an idle heartbeat", unit: megabytes, figures: idle, references: pythons, against: "Python, a refresh"})
	}
	return rows, nil
}

// memoryOfMany measures a run that refreshes as many connections as fit into it.
// Writes to Parameter Store are spaced for its limit, so it takes more than a
// minute; a heartbeat would leave the last ones to the next.
func memoryOfMany(ctx context.Context, b *bench) ([]row, error) {
	st, err := b.newFixture(setting{connections: many, latency: inRegion})
	if err != nil {
		return nil, err
	}
	defer st.close()
	// By a name of its own it is told from those that are measured meanwhile.
	function := filepath.Join(b.dir, "many")
	if err := os.Link(b.function, function); err != nil {
		return nil, err
	}
	peak, err := st.peakOnce(ctx, function, forced, "refreshed")
	if err != nil {
		return nil, err
	}
	return []row{{what: fmt.Sprintf("peak of %d refreshes in one run", many), unit: megabytes, figures: []float64{peak}, goal: 40e6, count: true}}, nil
}

// peakOnce is what a new process used at most after an event that has the same
// outcome for every connection.
func (st *fixture) peakOnce(ctx context.Context, program, event, outcome string) (float64, error) {
	f, err := st.start(program)
	if err != nil {
		return 0, err
	}
	defer f.Stop()
	if _, err := invoke(ctx, f, event, outcome); err != nil {
		return 0, err
	}
	return peak(program)
}

// peakOf is the same of another's process, after any event.
func peakOf(ctx context.Context, program string, start func() (*lambda.Function, error)) (float64, error) {
	f, err := start()
	if err != nil {
		return 0, err
	}
	defer f.Stop()
	result, err := f.Invoke(ctx, []byte(`{}`))
	if err == nil {
		err = failure(result)
	}
	if err != nil {
		return 0, err
	}
	return peak(program)
}

// peak reads VmHWM of the only process that runs a program. It is not what wait4
// tells of an ended one: that includes what the parent had when it forked.
func peak(program string) (float64, error) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, line := range lines {
		command, err := os.ReadFile(line)
		if err != nil || !bytes.Contains(append([]byte{0}, command...), []byte("\x00"+program+"\x00")) {
			continue // another's, or gone
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(line), "status"))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			return 0, fmt.Errorf("%s has no VmHWM", line)
		}
		kib, err := strconv.ParseFloat(fields[0], 64)
		return kib * 1024, err
	}
	return 0, fmt.Errorf("no process of %s was found", program)
}

// zipped is the size of a package as sam makes it of a program.
func zipped(program string) (float64, error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return 0, err
	}
	var packed bytes.Buffer
	archive := zip.NewWriter(&packed)
	file, err := archive.Create(filepath.Base(program))
	if err == nil {
		_, err = io.Copy(file, bytes.NewReader(content))
	}
	if err == nil {
		err = archive.Close()
	}
	return float64(packed.Len()), err
}
