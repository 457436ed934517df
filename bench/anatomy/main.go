// Command anatomy shows what the function's binary is made of, and which of its
// packages take the time before main: `go run ./bench/anatomy`. Another
// main package can be named, to compare.
package main

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// starts is how often the program is started for the times.
	starts = 25
	// least is what is not worth a line of its own: bytes, and milliseconds.
	leastBytes, leastReserve = 20e3, 0.03
)

func main() {
	if err := run(context.Background(), cmp.Or(slices.Concat(os.Args[1:], []string{"", ""})[0], "./functions/rotate")); err != nil {
		fmt.Fprintln(os.Stderr, "anatomy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program string) error {
	dir, err := os.MkdirTemp("", "anatomy-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// With the symbols that the deployed one has not; the rest is the same.
	path := filepath.Join(dir, "program")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "lambda.norpc", "-o", path, program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, output)
	}
	if err := sizes(path); err != nil {
		return err
	}
	return inits(ctx, path)
}

// sizes prints the file's sections, and code and data by package.
func sizes(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	fmt.Println("sections of the file, MB")
	for _, s := range file.Sections {
		if s.Type != elf.SHT_NOBITS && s.Flags&elf.SHF_ALLOC != 0 && s.Size > leastBytes {
			fmt.Printf("%8.2f  %s\n", float64(s.Size)/1e6, s.Name)
		}
	}
	symbols, err := file.Symbols()
	if err != nil {
		return err
	}
	bySize := map[string]float64{}
	for _, s := range symbols {
		inFile := int(s.Section) < len(file.Sections) && file.Sections[s.Section].Type != elf.SHT_NOBITS
		if name := packageOf(s.Name); inFile && name != "" {
			bySize[group(name)] += float64(s.Size)
		}
	}
	fmt.Println("code and data by package, MB (without the tables of functions and types)")
	print(bySize, func(name string, bytes float64) {
		if bytes >= leastBytes {
			fmt.Printf("%8.2f  %s\n", bytes/1e6, name)
		}
	})
	return nil
}

// packageOf is the import path in a symbol's name; "" for what the linker made.
func packageOf(symbol string) string {
	if strings.HasPrefix(symbol, "go:") || strings.HasPrefix(symbol, "type:") {
		return ""
	}
	symbol, _, _ = strings.Cut(symbol, "[") // type arguments have paths too
	slash := strings.LastIndexByte(symbol, '/') + 1
	last, _, found := strings.Cut(symbol[slash:], ".")
	if !found {
		return ""
	}
	return symbol[:slash] + last
}

// group is a package and those that come with it.
func group(name string) string {
	name = strings.TrimPrefix(name, "vendor/golang.org/x/")
	parts := strings.Split(strings.TrimPrefix(name, "github.com/aws/"), "/")
	switch {
	case strings.HasPrefix(name, "reltio-token-rotator"), name == "main", strings.HasPrefix(name, "golang.org/x/time"):
		return "this function"
	case strings.HasPrefix(name, "github.com/aws/aws-sdk-go-v2/service/") && parts[2] != "internal":
		return "aws-sdk-go-v2/service/" + parts[2]
	case strings.HasPrefix(name, "github.com/aws/aws-sdk-go-v2/feature"), strings.HasPrefix(name, "github.com/aws/aws-sdk-go-v2/c"):
		return "aws-sdk-go-v2/config, credentials, imds"
	case strings.HasPrefix(name, "github.com/aws/aws-sdk-go-v2"), strings.HasPrefix(name, "github.com/aws/smithy-go"):
		return "aws-sdk-go-v2, its core, and smithy-go"
	case strings.HasPrefix(name, "github.com/"):
		return parts[0]
	}
	return "Go: " + parts[0]
}

// inits prints the median time that each package takes before main.
func inits(ctx context.Context, path string) error {
	times, memory := map[string][]float64{}, map[string]float64{}
	for range starts {
		// Without its environment the function ends as soon as main begins.
		program := exec.CommandContext(ctx, path)
		program.Env = []string{"GODEBUG=inittrace=1"}
		output, _ := program.CombinedOutput()
		for line := range bytes.Lines(output) {
			var name string
			var at, took, bytes float64
			if n, _ := fmt.Sscanf(string(line), "init %s @%f ms, %f ms clock, %f bytes", &name, &at, &took, &bytes); n == 4 {
				times[name] = append(times[name], took)
				memory[name] = bytes
			}
		}
	}
	if len(times) == 0 {
		return fmt.Errorf("%s told nothing of its packages", path)
	}
	medians, together, bytes := map[string]float64{}, 0.0, 0.0
	for name, all := range times {
		slices.Sort(all)
		medians[name] = all[len(all)/2]
		together += medians[name]
		bytes += memory[name]
	}
	fmt.Printf("before main, median of %d starts: %.2f ms and %.2f MB of memory\n", starts, together, bytes/1e6)
	print(medians, func(name string, took float64) {
		if took >= leastReserve {
			fmt.Printf("%8.2f ms %6.2f MB  %s\n", took, memory[name]/1e6, name)
		}
	})
	return nil
}

// print goes through a map, the largest first.
func print(values map[string]float64, line func(string, float64)) {
	for _, name := range slices.SortedFunc(maps.Keys(values), func(a, b string) int { return cmp.Compare(values[b], values[a]) }) {
		line(name, values[name])
	}
}
