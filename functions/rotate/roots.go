package main

import "os"

// rootsBundle is where Lambda's system, Amazon Linux 2023, keeps the root
// certificates.
const rootsBundle = "/etc/pki/tls/certs/ca-bundle.crt"

// readRootsOnce makes crypto/x509 read the root certificates once before a process's
// first call. By default it reads the first bundle that it finds and then every file
// in /etc/ssl/certs and /etc/pki/tls/certs, which on Lambda hold the same
// certificates again, and takes most of that call's time for it
// (https://go.dev/issue/79018). On other systems, and where the environment names other
// certificates, nothing changes.
func readRootsOnce(bundle string) {
	if os.Getenv("SSL_CERT_FILE") != "" || os.Getenv("SSL_CERT_DIR") != "" {
		return
	}
	if _, err := os.Stat(bundle); err == nil {
		_ = os.Setenv("SSL_CERT_DIR", os.DevNull) // a valid name that is no folder
	}
}
