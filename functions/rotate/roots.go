package main

import "os"

// rootsBundle is where Lambda's system, Amazon Linux 2023, keeps the root
// certificates.
const rootsBundle = "/etc/pki/tls/certs/ca-bundle.crt"

// readRootsOnce keeps crypto/x509 from reading the root certificates again and
// again before a process's first call, which would be most of that call's time:
// besides the first bundle that it finds it reads every file in /etc/ssl/certs and
// /etc/pki/tls/certs, and on Lambda they hold the same certificates once more
// (https://go.dev/issue/79018). Elsewhere, and where the environment names other
// certificates, nothing changes.
func readRootsOnce(bundle string) {
	if os.Getenv("SSL_CERT_FILE") != "" || os.Getenv("SSL_CERT_DIR") != "" {
		return
	}
	if _, err := os.Stat(bundle); err == nil {
		_ = os.Setenv("SSL_CERT_DIR", os.DevNull) // no folder; the name is a valid one
	}
}
