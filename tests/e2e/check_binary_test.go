package e2e_test

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reltio-token-rotator/rotator/doctor"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// check is what the doctor says.
func (d *deployed) check(t *testing.T, event string) checkup {
	t.Helper()
	c := checkup{t: t}
	if payload := d.invoke(t, event).Payload; json.Unmarshal(payload, &c.report) != nil {
		t.Fatalf("%s", payload)
	}
	return c
}

// The doctor as it is deployed, over real connections.
func TestCheckByTheRealFunction(t *testing.T) {
	t.Parallel()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it is hung up on
	secure.StartTLS()
	t.Cleanup(secure.Close)
	authority := filepath.Join(t.TempDir(), "authority.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if err := os.WriteFile(authority, certificate, 0o600); err != nil {
		t.Fatal(err)
	}

	const check = `{"action":"check"}`
	d := deploy(t, fakereltio.Options{}, "TOKEN_URL="+secure.URL+"/oauth/token", "SSL_CERT_FILE="+authority)
	c := d.check(t, check)
	c.wantWrong(nil)
	c.says(doctor.CheckTokenHost, "TLS 1.3 and its certificate")
	printed := d.printed()
	if !strings.Contains(printed, `"msg":"check"`) || strings.Contains(printed, "s3c") || strings.Contains(printed, "_aws") {
		t.Errorf("it printed %s", printed)
	}

	d.AWS.PutSecret(harness.SecretName("default", "credentials"), `{"client_id":"client","client_secret":"s3cret-0"`)
	d.AWS.PutParameter(harness.ParameterName("default", "config"), `{"token_url":"https://127.0.0.1:1/oauth/token"}`)
	d.AWS.Inject(fakeaws.Fault{Operation: "PutSecretValue", Name: "/credentials", Code: "AccessDeniedException", Times: -1})
	d.check(t, check).wantWrong(map[string]string{
		"credentials": "not a JSON object", "grant": "first", "refresh_token_age": "first",
		"credentials_write": "PutSecretValue: AccessDeniedException", "token_host": "127.0.0.1:1 was not reached (TCP: the connection was refused)",
	})
	if len(d.Reltio.Requests()) > 0 {
		t.Errorf("it asked for a token: %v", d.Reltio.Requests())
	}

	d.AWS.Inject(fakeaws.Fault{Operation: "GetParametersByPath", Code: "AccessDeniedException", Times: -1})
	if result := d.invoke(t, check); result.ErrorType != "Error" || !strings.Contains(result.ErrorMessage, "ssm:GetParametersByPath on") {
		t.Errorf("it did not fail: %s", result.Payload)
	}
}

// If no certificate authority is trusted, a valid certificate is rejected.
func TestCheckOfACertificateByTheRealFunction(t *testing.T) {
	t.Parallel()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	d := deploy(t, fakereltio.Options{}, "TOKEN_URL="+secure.URL+"/oauth/token")
	d.check(t, `{"action":"check"}`).wantWrong(map[string]string{"token_host": "its authority is unknown"})
}
