package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/doctor"
	"reltio-token-rotator/tests/fake/proxy"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

const reltioHost = "auth.reltio.com:443"

// behindProxy deploys the function in a network whose only way out is a proxy.
// Behind the proxy are the token endpoint and AWS, with their real names.
func behindProxy(t *testing.T) (*deployed, *proxy.Proxy) {
	t.Helper()
	certificate := certificateOf(t, "auth.reltio.com", "secretsmanager.us-east-1.amazonaws.com", "ssm.us-east-1.amazonaws.com")
	authority := filepath.Join(t.TempDir(), "authority.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	through := &proxy.Proxy{}
	front := httptest.NewServer(through)
	t.Cleanup(front.Close)
	d := deploy(t, fakereltio.Options{},
		"TOKEN_URL=https://auth.reltio.com/oauth/token", "TOKEN_HOSTS=reltio.com", "AWS_ENDPOINT_URL=",
		"HTTPS_PROXY="+front.URL, "SSL_CERT_FILE="+authority)
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "auth.reltio.com" {
			d.Reltio.ServeHTTP(w, r)
			return
		}
		d.AWS.ServeHTTP(w, r)
	}))
	backend.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	backend.Config.ErrorLog = log.New(io.Discard, "", 0)
	backend.StartTLS()
	t.Cleanup(backend.Close)
	through.Backend = backend.Listener.Addr().String()
	return d, through
}

// certificateOf returns a self-signed certificate for these hosts.
func certificateOf(t *testing.T, hosts ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: hosts, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Token requests and calls to AWS go through the proxy, which sees the hosts and
// nothing secret.
func TestTheRealFunctionBehindAProxy(t *testing.T) {
	t.Parallel()
	d, through := behindProxy(t)
	if got := d.outcome(t, `{}`); got != rotator.Refreshed {
		t.Fatalf("the heartbeat ends with %s: %s", got, d.printed())
	}
	hosts := through.Hosts()
	slices.Sort(hosts)
	if got, want := slices.Compact(hosts), []string{reltioHost, "secretsmanager.us-east-1.amazonaws.com:443", "ssm.us-east-1.amazonaws.com:443"}; !slices.Equal(got, want) {
		t.Errorf("the proxy was asked for %q, want %q", got, want)
	}
	credentials, _ := d.AWS.Secret(harness.SecretName("default", "credentials"))
	token, _ := d.AWS.Secret(harness.SecretName("default", "token"))
	seen := through.Seen()
	for _, secret := range append(quoted(credentials), quoted(token)...) {
		if len(secret) > 8 && strings.Contains(seen, secret) {
			t.Errorf("the proxy saw %q", secret)
		}
	}
	for _, part := range []string{"Authorization", "AWS4-HMAC", "/oauth/token", "grant_type"} {
		if strings.Contains(seen, part) {
			t.Errorf("the proxy saw %q", part)
		}
	}
	c := d.check(t, `{"action":"check"}`)
	c.wantWrong(nil)
	c.says(doctor.CheckTokenHost, "auth.reltio.com:443 was reached through the proxy 127.0.0.1:")
}

// quoted returns the strings in a JSON document.
func quoted(document string) []string { return strings.Split(document, `"`) }

// The report and the doctor say whether the proxy or the host failed.
func TestTheRealFunctionBehindAProxyThatRefuses(t *testing.T) {
	t.Parallel()
	d, through := behindProxy(t)
	for status, says := range map[int]string{
		http.StatusProxyAuthRequired: "the proxy asks for authentication",
		http.StatusForbidden:         "the proxy refused the connection with status 403",
		http.StatusBadGateway:        "the proxy could not reach it and answered 502",
	} {
		through.Refuse(reltioHost, status)
		d.AWS.PutParameter(harness.ParameterName("default", "lease"), "{}")
		d.AWS.PutParameter(harness.ParameterName("default", "state"), "{}")
		result := d.invoke(t, `{"action":"refresh"}`)
		if !strings.Contains(string(result.Payload), `"error":"unreachable"`) || !strings.Contains(string(result.Payload), says) {
			t.Errorf("%d: the report is %s, want %q", status, result.Payload, says)
		}
		d.check(t, `{"action":"check"}`).wantWrong(map[string]string{"token_host": "was not reached (proxy: " + says + ")"})
	}
	if requests := d.Reltio.Requests(); len(requests) > 0 {
		t.Errorf("there were token requests: %v", requests)
	}
	// This is a new process without a connection to AWS.
	through.Refuse("*", http.StatusProxyAuthRequired)
	if result := d.through(t, "").invoke(t, `{}`); !strings.Contains(result.ErrorMessage+string(result.Payload)+d.printed(), "connection to the proxy failed") {
		t.Errorf("AWS behind the proxy: %s", result.Payload)
	}
}
