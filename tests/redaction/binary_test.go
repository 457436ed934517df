package redaction

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	fakeaws "reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/lambda"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/binary"
	"reltio-token-rotator/tests/harness/extent"
)

var rotate binary.Once

func TestMain(m *testing.M) { os.Exit(rotate.Run(m)) }

// deployed is the real function and all its output: standard output, standard error,
// answers and errors.
type deployed struct {
	harness.Fakes
	*lambda.Function
	t *testing.T
	// token and storage can answer instead of the servers.
	token, storage middle

	spoilt atomic.Bool

	mu     sync.Mutex
	finder Finder
	seen   strings.Builder
}

// middle is in front of a server. Without a spoil it changes nothing.
type middle struct {
	next http.Handler
	mu   sync.Mutex
	// spoil gets the request's body and header, and the real answer.
	spoil func(w http.ResponseWriter, r *http.Request, said string, answer *httptest.ResponseRecorder)
}

func (m *middle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	spoil := m.spoil
	m.mu.Unlock()
	if spoil == nil {
		m.next.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	answer := httptest.NewRecorder()
	m.next.ServeHTTP(answer, r)
	spoil(w, r, fmt.Sprintf("%s %s", r.Header.Get("Authorization"), body), answer)
}

func (m *middle) set(spoil func(w http.ResponseWriter, r *http.Request, said string, answer *httptest.ResponseRecorder)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spoil = spoil
}

func deploy(t *testing.T, env ...string) *deployed {
	t.Helper()
	d := &deployed{t: t, Fakes: harness.NewFakes(fakeaws.Options{}, fakereltio.Options{
		ClientSecret: clientSecret, Username: username, Password: password, EchoRefreshToken: true,
		RotateRefreshToken: true, TokenFormat: fakereltio.Base64,
	})}
	for name, value := range canaries {
		d.finder.Add(name, value)
	}
	d.token.next, d.storage.next = d.Reltio, d.AWS
	d.Add("default")
	d.Reltio.AddRefreshToken(refreshToken)
	d.put(`{"client_id":"client","client_secret":SECRET,"refresh_token":REFRESH,"username":USER,"password":PASSWORD}`)

	d.Function = harness.Start(t, lambda.Config{
		Binary: rotate.Path(t), Output: func(line lambda.Line) { d.see(line.Text) },
		Env: append(append(d.Serve(t, &d.storage, &d.token), "TOKEN_REQUESTS_PER_SECOND=50"), env...),
	})
	return d
}

// put writes the credentials as an operator would.
func (d *deployed) put(document string) {
	d.AWS.PutSecret(harness.SecretName("default", "credentials"), with(document))
}

func (d *deployed) see(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen.WriteString(text + "\n")
}

func (d *deployed) invoke(payload string) lambda.Result {
	d.t.Helper()
	result, err := d.Invoke(d.t.Context(), []byte(payload))
	if err != nil {
		d.t.Error(err)
	}
	d.see(string(result.Payload) + result.ErrorType + result.ErrorMessage)
	return result
}

const force = `{"action":"refresh","force":true}`

// learn adds the tokens in a document to the secrets.
func (d *deployed) learn(document string) {
	var fields map[string]any
	_ = json.Unmarshal([]byte(document), &fields)
	for _, name := range []string{"refresh_token", "access_token"} {
		if value, _ := fields[name].(string); len([]rune(value)) >= window {
			d.finder.Add(name, value)
		}
	}
}

// wantNothingSecret searches all output since its last call.
func (d *deployed) wantNothingSecret(when string) {
	d.t.Helper()
	for _, kind := range []string{"credentials", "token"} {
		for _, version := range d.AWS.SecretVersions(harness.SecretName("default", kind)) {
			d.learn(version.Value)
		}
	}
	for _, kind := range []string{"config", "state", "lease"} {
		document, _, _ := d.AWS.Parameter(harness.ParameterName("default", kind))
		d.see(document)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen.Len() == 0 {
		d.t.Errorf("%s: nothing was seen at all", when)
	}
	if found := d.finder.Find(d.seen.String()); len(found) > 0 {
		d.t.Errorf("%s: %v can be seen in:\n%s", when, found, d.seen.String())
	}
	d.seen.Reset()
}

// One error of each kind, at every log level. They run side by side, because each of
// them mostly waits.
func TestTheRealFunctionAtEveryLogLevel(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for _, level := range []string{"DEBUG", "INFO", "WARN", "ERROR"} {
		if level != "DEBUG" && !extent.Full() {
			continue // the lowest level says most
		}
		d := deploy(t, "LOG_LEVEL="+level)
		all.Go(func() {
			d.invoke(`{}`)
			for _, name := range []string{"OAuthError", "NotJSON", "Redirect", "CutMidBody", ""} {
				d.Reltio.Script(echoing(faults[name][0]))
				d.invoke(force)
			}
			for _, event := range badEvents {
				if !strings.HasPrefix(event, `{"source"`) { // those are heartbeats
					d.invoke(with(event))
				}
			}
			for _, call := range []string{"GetParametersByPath", "GetSecretValue", "DescribeSecret", "PutParameter"} {
				d.AWS.Inject(fakeaws.Fault{Operation: call, Code: "AccessDeniedException"})
				d.invoke(force)
			}
			for _, document := range badCredentials {
				d.put(document)
				d.invoke(`{}`)
			}
			d.invoke(`{"action":"check"}`)
			d.AWS.PutParameter(harness.ParameterName("default", "config"), `{"token_url":"https://client:secret@127.0.0.1/"}`)
			d.invoke(`{}`)
			d.wantNothingSecret("LOG_LEVEL=" + level)
		})
	}
	all.Wait()
}

// raw takes over the connection, writes the text unchanged and closes the
// connection.
func raw(w http.ResponseWriter, text string) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(connection, text)
	_ = connection.Close()
}

// malformed are answers that are not valid HTTP, with a secret in the place that an
// error of the client would quote. SAID stands for what the client sent, BODY for
// the body of the real answer, and LENGTH for its length.
var malformed = map[string]string{
	"no HTTP":                "SAID\r\n\r\n",
	"a status":               "HTTP/1.1 SAID\r\n\r\n",
	"a protocol":             "SAID 200 OK\r\n\r\n",
	"a header":               "HTTP/1.1 200 OK\r\nSAID\r\n\r\n",
	"a header's name":        "HTTP/1.1 200 OK\r\nX-SAID: x\r\n\r\n",
	"a length":               "HTTP/1.1 200 OK\r\nContent-Length: SAID\r\n\r\n",
	"two lengths":            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: SAID\r\n\r\n",
	"a transfer encoding":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: SAID\r\n\r\n",
	"a chunk's length":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nSAID\r\n",
	"a chunk":                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nSAID\r\n",
	"a trailer":              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nSAID\r\n\r\n",
	"another protocol":       "HTTP/1.1 101 SAID\r\nUpgrade: SAID\r\nConnection: upgrade\r\n\r\nSAID",
	"early hints":            "HTTP/1.1 103 SAID\r\nLink: SAID\r\n\r\nSAID",
	"a body that goes on":    "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: LENGTH\r\n\r\nBODYSAID",
	"a body that breaks off": "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: 9999\r\n\r\nBODY",
}

func TestTheRealFunctionWithBrokenServers(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for at, where := range []string{"the token endpoint", "GetParametersByPath", "GetSecretValue", "PutSecretValue"} {
		d := deploy(t, "AWS_MAX_ATTEMPTS=1")
		all.Go(func() {
			d.invoke(`{}`)
			for n, name := range slices.Sorted(maps.Keys(malformed)) {
				if !extent.Has(at+n, 4) {
					continue
				}
				text := malformed[name]
				// After a lost answer that changes nothing in the state, the lease
				// stays open.
				d.AWS.PutParameter(harness.ParameterName("default", "state"), "{}")
				d.AWS.PutParameter(harness.ParameterName("default", "lease"), "{}")
				d.spoil(where, text)
				d.invoke(force)
				if !d.spoilt.Load() {
					t.Errorf("%s was not asked", where)
				}
				d.wantNothingSecret(where + " answers with " + name)
			}
		})
	}
	all.Wait()
}

// spoil makes the next answer of the token endpoint, or of an operation of AWS,
// malformed.
func (d *deployed) spoil(where, text string) {
	d.spoilt.Store(false)
	if where == "PutSecretValue" { // so that there is something to write
		d.put(`{"client_id":"client","client_secret":SECRET,"username":USER,"password":PASSWORD}`)
	}
	spoil := func(w http.ResponseWriter, r *http.Request, said string, answer *httptest.ResponseRecorder) {
		target := r.Header.Get("X-Amz-Target")
		if target != "" && !strings.HasSuffix(target, where) || d.spoilt.Swap(true) {
			for name, values := range answer.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(answer.Code)
			_, _ = w.Write(answer.Body.Bytes())
			return
		}
		said = strings.NewReplacer("\r", "", "\n", "").Replace(said + allCanaries)
		raw(w, strings.NewReplacer("SAID", said, "BODY", answer.Body.String(), "LENGTH", strconv.Itoa(answer.Body.Len())).Replace(text))
	}
	if where == "the token endpoint" {
		d.token.set(spoil)
	} else {
		d.storage.set(spoil)
	}
}

// If a setting contains a password by mistake, the setting's name is shown and not
// its value.
func TestTheRealFunctionWithWrongSettings(t *testing.T) {
	t.Parallel()
	d := deploy(t, "TOKEN_URL=https://client:cS7qZwKd41LxvT@auth.reltio.com/", "TOKEN_HOSTS=client:cS7qZwKd41LxvT@auth.reltio.com", "AWS_ENDPOINT_URL=https://cS7qZwKd41LxvT@example.com")
	d.finder.Add("a password in a setting", "cS7qZwKd41LxvT")
	d.invoke(`{}`)
	d.wantNothingSecret("wrong settings")
}
