// Package contract_test has one table of the behaviour of AWS on which the rotator
// relies. Each row is tried with the real SDK against the fake, and against the
// emulators MiniStack and moto if they are installed (make tools). So each behaviour
// of the fake is confirmed by an emulator, or by an AWS page that the row cites.
package contract_test

import (
	"net/http/httptest"
	"os"
	"testing"

	"reltio-token-rotator/tests/fake/aws"
)

// contractCase is one behaviour. Trying it returns a line that describes the result.
type contractCase struct {
	does string
	try  func(account) string
	// want is the result at AWS, and so at the fake.
	want string
	// page is the AWS page that says so. It is required if no emulator behaves as
	// AWS does.
	page string
	// differs has the different results of emulators, if they are known. They are
	// asserted too, so that the test shows when an emulator was corrected and its
	// entry can be removed.
	differs map[string]string
}

// The emulators' names in the tables.
const (
	ministack = "ministack"
	moto      = "moto"
)

func cases() []contractCase {
	return append(append(secretCases(), labelCases()...), parameterCases()...)
}

func TestFake(t *testing.T) {
	server := httptest.NewServer(aws.New(aws.Options{}))
	t.Cleanup(server.Close)
	for _, c := range cases() {
		t.Run(c.does, func(t *testing.T) {
			if got := c.try(newAccount(t.Context(), server.URL)); got != c.want {
				t.Errorf("saw  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestMiniStack(t *testing.T) { testEmulator(t, ministack, ministackURL) }

func TestMoto(t *testing.T) { testEmulator(t, moto, motoURL) }

func testEmulator(t *testing.T, name string, start func(*testing.T) string) {
	url := start(t)
	for _, c := range cases() {
		t.Run(c.does, func(t *testing.T) {
			got := c.try(newAccount(t.Context(), url))
			want, differs := c.differs[name]
			switch {
			case differs && got == c.want:
				t.Errorf("%s does as AWS does now: remove the difference from the table", name)
			case differs && got != want:
				t.Errorf("saw  %s\nknown difference  %s\nAWS  %s", got, want, c.want)
			case !differs && got != c.want:
				t.Errorf("saw  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestTable holds the table to its own rules.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, c := range cases() {
		if names[c.does] {
			t.Errorf("two cases are called %q", c.does)
		}
		names[c.does] = true
		if len(c.differs) > 1 && c.page == "" {
			t.Errorf("%q: no emulator confirms it and no page is cited", c.does)
		}
		for emulator, shows := range c.differs {
			if emulator != ministack && emulator != moto || shows == c.want {
				t.Errorf("%q: not a difference: %s shows %q", c.does, emulator, shows)
			}
		}
	}
}

// absent skips, or fails where nothing may be skipped.
func absent(t *testing.T, name string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: run make tools", name)
	}
	t.Skipf("%s is not installed; make tools gets it", name)
}
