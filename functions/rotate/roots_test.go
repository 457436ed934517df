package main

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestRootsAreReadOnce(t *testing.T) {
	there := filepath.Join(t.TempDir(), "ca-bundle.crt")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ bundle, file, dir, want string }{
		"on Lambda":                   {bundle: there, want: os.DevNull},
		"no bundle where Lambda's is": {bundle: there + "x"},
		"a file was chosen":           {bundle: there, file: "/own.pem"},
		"folders were chosen":         {bundle: there, dir: "/own", want: "/own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SSL_CERT_FILE", row.file)
			t.Setenv("SSL_CERT_DIR", row.dir)
			readRootsOnce(row.bundle)
			if got := os.Getenv("SSL_CERT_DIR"); got != row.want {
				t.Errorf("SSL_CERT_DIR is %q, want %q", got, row.want)
			}
		})
	}
}

// crypto/x509 then reads the bundle and none of the folders. It reads them once in a
// process, so this test starts a process of its own.
func TestWithoutFoldersTheBundleIsEnough(t *testing.T) {
	if bundle := os.Getenv("SSL_CERT_FILE"); os.Getenv("SSL_CERT_DIR") == os.DevNull && bundle != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(bundle)
		if err != nil {
			t.Fatal(err)
		}
		want := x509.NewCertPool()
		if !want.AppendCertsFromPEM(text) || !pool.Equal(want) {
			t.Error("the roots are not those of the bundle")
		}
		return
	}
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	alone := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	alone.Env = append(os.Environ(), "SSL_CERT_FILE="+bundle, "SSL_CERT_DIR="+os.DevNull)
	if output, err := alone.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
