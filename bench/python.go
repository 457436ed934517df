package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"reltio-token-rotator/tests/fake/lambda"
)

//go:embed peer/peer.py
var peer []byte

// peerLauncher is what the image of Lambda's Python runtime does: its interface
// client loads the handler and asks for events.
const peerLauncher = "#!%s\nimport sys\nfrom awslambdaric.__main__ import main\nmain(['awslambdaric', 'peer.handler'])\n"

// preparePython returns the Python function, ready to start, or "" and a note where
// its tools are not installed.
func (b *bench) preparePython(ctx context.Context) (program string, err error) {
	found, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	interpreter := filepath.Join(string(found[:len(found)-1]), ".tools", "python", "bin", "python")
	if exec.CommandContext(ctx, interpreter, "-c", "import boto3, awslambdaric").Run() != nil {
		b.note("Not compared with Python: make tools installs what that needs.")
		return "", nil
	}
	program = filepath.Join(b.dir, "python")
	if err := os.WriteFile(filepath.Join(b.dir, "peer.py"), peer, 0o600); err != nil {
		return "", err
	}
	return program, os.WriteFile(program, fmt.Appendf(nil, peerLauncher, interpreter), 0o700)
}

// startPython deploys the Python function for a fixture's first connection.
func (b *bench) startPython(st *fixture) (*lambda.Function, error) {
	return st.start(b.python,
		"CREDENTIALS_SECRET="+secretName(0, "credentials"), "TOKEN_SECRET="+secretName(0, "token"),
		"PYTHONPATH="+b.dir, "AWS_CA_BUNDLE="+st.certificates)
}
