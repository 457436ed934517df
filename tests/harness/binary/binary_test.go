package binary_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"reltio-token-rotator/tests/harness/binary"
)

func TestTheBuiltFunctionNamesWhatItMisses(t *testing.T) {
	var rotate binary.Once
	path := rotate.Path(t)
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(path)) })
	if again := rotate.Path(t); again != path {
		t.Errorf("a second Path is %s, want %s again", again, path)
	}

	function := exec.CommandContext(t.Context(), path)
	function.Env = []string{}
	output, err := function.CombinedOutput()
	if err == nil {
		t.Fatal("it started without any setting")
	}
	if !strings.Contains(string(output), "TOKEN_URL: is missing") {
		t.Errorf("it said %s", output)
	}
}
