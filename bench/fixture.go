package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	fakeaws "reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/lambda"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

const prefix = harness.Prefix

// setting is what a fixture is made of.
type setting struct {
	connections int
	// latency is how long each call of AWS takes, tokenLatency each token request.
	latency, tokenLatency time.Duration
	// writesPerSecond and requestsPerSecond are the limits of Parameter Store and
	// of the token endpoint; 0: none.
	writesPerSecond, requestsPerSecond int
	// sets is the number of credential sets of each connection, 1 if it is 0.
	sets int
	// rotate: the server changes the refresh token with every refresh.
	rotate bool
	// onToken is told when an answer of the token endpoint has been written,
	// onCall of every call of AWS (see the fake's OnCall).
	onToken func()
	onCall  func(operation, name string, before bool)
}

// fixture is a stack between the fakes. Both speak TLS, as the real ones do.
type fixture struct {
	aws       *fakeaws.Server
	reltio    *fakereltio.Server
	awsServer *httptest.Server
	reltioURL string
	// certificates is a file with this machine's root certificates and the
	// fakes' own: to load as many of them as on Lambda is part of a call.
	certificates string
	close        func()
}

// newFixture has connections that were never refreshed. The caller closes it.
func (b *bench) newFixture(s setting) (*fixture, error) {
	st := &fixture{
		aws: fakeaws.New(fakeaws.Options{Latency: s.latency, WritesPerSecond: float64(s.writesPerSecond)}),
		reltio: fakereltio.New(fakereltio.Options{
			RotateRefreshToken: s.rotate, Latency: s.tokenLatency, RequestsPerSecond: s.requestsPerSecond,
		}),
	}
	st.aws.OnCall(s.onCall)
	st.awsServer = serve(st.aws)
	token := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st.reltio.ServeHTTP(w, r)
		if s.onToken != nil {
			_ = http.NewResponseController(w).Flush() // a client that is gone is its own affair
			s.onToken()
		}
	}))
	st.reltioURL = token.URL
	st.close = func() { st.reltio.Close(); st.awsServer.Close(); token.Close() }
	for i := range s.connections {
		st.seed(i, s.sets)
	}
	var err error
	if st.certificates, err = b.writeCertificates(token.Certificate()); err != nil {
		st.close()
	}
	return st, err
}

// writeCertificates makes a file of this machine's roots and one more.
func (b *bench) writeCertificates(own *x509.Certificate) (path string, err error) {
	roots, _ := os.ReadFile("/etc/ssl/certs/ca-certificates.crt") // elsewhere they are fewer
	file, err := os.CreateTemp(b.dir, "certificates-*.pem")
	if err != nil {
		return "", err
	}
	_, err = file.Write(append(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Raw})...))
	return file.Name(), errors.Join(err, file.Close())
}

func serve(handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // processes are killed in mid-air
	server.StartTLS()
	return server
}

func connectionName(connection int) string { return fmt.Sprintf("c%02d", connection) }

func secretName(connection int, kind string) string {
	return harness.SecretName(connectionName(connection), kind)
}

// seed does what the stack and the operator do.
func (st *fixture) seed(connection, sets int) {
	harness.AddTo(st.aws, connectionName(connection))
	credentials := st.credentials(connection)
	if sets == 2 {
		credentials["alternate"] = st.credentials(connection + 1000)
	}
	document, _ := json.Marshal(credentials) // maps of strings
	st.aws.PutSecret(secretName(connection, "credentials"), string(document))
}

// credentials have a refresh token that no other connection or set has.
func (st *fixture) credentials(number int) map[string]any {
	refreshToken := fmt.Sprintf("b2c3d4e5-0000-4000-8000-%012d", number)
	st.reltio.AddRefreshToken(refreshToken)
	return map[string]any{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken}
}

// start deploys a program of which no process runs yet. The caller stops it.
func (st *fixture) start(program string, env ...string) (*lambda.Function, error) {
	return lambda.Start(lambda.Config{Binary: program, Env: slices.Concat(harness.Environment(st.awsServer.URL, st.reltioURL), []string{
		// The function itself sees to the second on Lambda, where no file is named.
		"SSL_CERT_FILE=" + st.certificates, "SSL_CERT_DIR=" + os.DevNull,
	}, env)})
}

// config is for a client in this process, to measure what one call takes.
func (st *fixture) config() aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(st.awsServer.URL), HTTPClient: st.awsServer.Client(),
		Credentials: credentials.NewStaticCredentialsProvider("fake", "fake", ""),
	}
}

// report is the part of the function's report that is looked at.
type report struct {
	Connections []struct {
		Name, Outcome, Error string
	}
}

// invoke runs an event that must have the same outcome for every connection.
func invoke(ctx context.Context, f *lambda.Function, event, outcome string) (lambda.Result, error) {
	result, err := f.Invoke(ctx, []byte(event))
	if err != nil {
		return result, err
	}
	var r report
	if err := json.Unmarshal(result.Payload, &r); err != nil || len(r.Connections) == 0 {
		return result, fmt.Errorf("the function answered %s", bytes.TrimSpace(result.Payload))
	}
	for _, c := range r.Connections {
		if c.Outcome != outcome {
			return result, fmt.Errorf("%s is %s (%s), not %s", c.Name, c.Outcome, c.Error, outcome)
		}
	}
	return result, nil
}

// failure makes an error of a failed invocation.
func failure(result lambda.Result) error {
	if result.ErrorType == "" {
		return nil
	}
	return fmt.Errorf("%s: %s", result.ErrorType, result.ErrorMessage)
}

// once runs an event in a process of its own.
func (st *fixture) once(ctx context.Context, program, event, outcome string) (lambda.Result, error) {
	f, err := st.start(program)
	if err != nil {
		return lambda.Result{}, err
	}
	defer f.Stop()
	return invoke(ctx, f, event, outcome)
}
