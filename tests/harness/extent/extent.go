// Package extent says how much of the suites runs. The short run, of make test and
// go test, has every kind of case; the full run, of make test-all and the gate, has
// every case.
package extent

import (
	"os"
	"testing"
)

// Full reports whether every case runs: TESTS=all is in the environment.
func Full() bool { return os.Getenv("TESTS") == "all" }

// Has reports whether the nth case runs: in the short run one in each of so many.
func Has(n, each int) bool { return Full() || n%each == 0 }

// OnlyFull skips a test in the short run.
func OnlyFull(t testing.TB) {
	t.Helper()
	if !Full() {
		t.Skip("only in the full run: make test-all")
	}
}
