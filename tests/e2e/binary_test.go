package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/lambda"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/binary"
)

// rotate is the real function.
var rotate binary.Once

func TestMain(m *testing.M) { os.Exit(rotate.Run(m)) }

// deployed is the real function with what it talks to, on loopback.
type deployed struct {
	harness.Fakes
	*lambda.Function
	config lambda.Config

	mu     sync.Mutex
	output strings.Builder
}

func deploy(t *testing.T, options fakereltio.Options, env ...string) *deployed {
	t.Helper()
	options.ClientSecret = clientSecret
	d := &deployed{Fakes: harness.NewFakes(fakeaws.Options{}, options)}
	d.Add("default")
	_, refreshToken := d.Reltio.Login()
	d.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": refreshToken})
	d.config = lambda.Config{
		Binary: rotate.Path(t), Freeze: true, Output: d.print,
		Env: append(d.Serve(t, nil, nil), env...),
	}
	d.Function = harness.Start(t, d.config)
	return d
}

// through is the same function, invoked through an alias.
func (d *deployed) through(t *testing.T, alias string) *deployed {
	t.Helper()
	config := d.config
	config.Qualifier = alias
	return &deployed{Fakes: d.Fakes, Function: harness.Start(t, config)}
}

func (d *deployed) print(line lambda.Line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.output.WriteString(line.Text + "\n")
}

// printed returns what was printed since the last call.
func (d *deployed) printed() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := d.output.String()
	d.output.Reset()
	return text
}

func (d *deployed) invoke(t *testing.T, payload string) lambda.Result {
	t.Helper()
	result, err := d.Invoke(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// outcome is that of the only connection.
func (d *deployed) outcome(t *testing.T, payload string) rotator.Outcome {
	t.Helper()
	result := d.invoke(t, payload)
	var report rotator.Report
	if err := json.Unmarshal(result.Payload, &report); err != nil || len(report.Connections) != 1 {
		t.Fatalf("%s, %v", result.Payload, err)
	}
	return report.Connections[0].Outcome
}

func (d *deployed) wantWorking(t *testing.T) {
	t.Helper()
	document, _ := d.AWS.Secret(harness.SecretName("default", "token"))
	if token, _ := decode(t, document)["access_token"].(string); !d.Reltio.Alive(token) {
		t.Error("the published token is not alive")
	}
}

// Every file in events/ is an event that the real function accepts. The connection's
// token is fresh, and the test checks the result of each.
func TestEventFiles(t *testing.T) {
	t.Parallel()
	want := map[string]rotator.Outcome{
		"schedule.json":    rotator.NotDue,
		"refresh-now.json": rotator.Refreshed,
		"check.json":       "", // has no outcome
	}
	files, err := filepath.Glob("../../events/*.json")
	if err != nil || len(files) != len(want) {
		t.Fatalf("there are %v, %v; want a row for each", files, err)
	}
	d := deploy(t, fakereltio.Options{})
	if got := d.outcome(t, `{}`); got != rotator.Refreshed {
		t.Fatalf("the first heartbeat: %s", got)
	}
	for _, file := range files {
		event, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		if name == "check.json" {
			d.check(t, string(event)).wantWrong(nil)
		} else if d.outcome(t, string(event)) != want[name] {
			t.Errorf("%s: not %s", name, want[name])
		}
		d.wantWorking(t)
	}
}

func TestOtherEvents(t *testing.T) {
	t.Parallel()
	d := deploy(t, fakereltio.Options{})
	d.outcome(t, `{}`)
	for _, event := range []string{
		// An EventBridge rule's.
		`{"version":"0","id":"x","detail-type":"Scheduled Event","source":"aws.events","account":"1","time":"2026-11-23T10:00:00Z","region":"us-east-1","resources":[],"detail":{}}`,
		`{"action":"refresh"}`,
		`{"action":"refresh","connections":["default"],"force":false}`,
		`{"action":"refresh","connections":["default"],"dead_token":"0123456789abcdef"}`,
	} {
		if got := d.outcome(t, event); got != rotator.NotDue {
			t.Errorf("%s: %s", event, got)
		}
	}
	asked := len(d.Reltio.Requests())
	d.printed()
	d.AWS.ResetCalls()
	for event, says := range map[string]string{
		`null`:                                   "not a JSON object",
		`[]`:                                     "not a JSON object",
		`"refresh"`:                              "not a JSON object",
		`{"source":"aws.s3"}`:                    "not a schedule's",
		`{"connections":["default"]}`:            `has no "action"`,
		`{"action":""}`:                          `"action" must be`,
		`{"action":"refesh"}`:                    `"action" must be`,
		`{"action":null}`:                        `"action" must be`,
		`{"action":"refresh","conections":[]}`:   `field "conections" is unknown`,
		`{"action":"refresh","connections":[]}`:  "be left out for all",
		`{"action":"refresh","connections":"x"}`: "must be a list",
		`{"action":"refresh","force":"yes"}`:     "must be true or false",
		`{"action":"refresh","dead_token":"0123456789abcdef"}`:                                          `needs "connections"`,
		`{"action":"refresh","connections":["default"],"dead_token":"the token itself"}`:                "never the token",
		`{"action":"refresh","connections":["default"],"dead_token":"0123456789abcdef","force":true}`:   `excludes "force"`,
		`{"Action":"refresh","connections":["default"]}`:                                                `has no "action"`,
		`{"action":"refresh","connections":["default"],"source":"aws.scheduler","detail-type":"looks"}`: "is unknown",
	} {
		result := d.invoke(t, event)
		if result.ErrorType == "" || !strings.Contains(result.ErrorMessage, says) || !strings.Contains(result.ErrorMessage, "possible events: {}") {
			t.Errorf("%s: %s %q, want it to say %q and what is possible", event, result.ErrorType, result.ErrorMessage, says)
		}
		if strings.Contains(result.ErrorMessage+d.printed(), "the token itself") {
			t.Errorf("%s: a token sent by mistake can be seen", event)
		}
	}
	if len(d.AWS.Calls()) > 0 || len(d.Reltio.Requests()) > asked {
		t.Errorf("something was done: %v", d.AWS.Calls())
	}
}

func TestAFailedHeartbeatFailsTheInvocation(t *testing.T) {
	t.Parallel()
	d := deploy(t, fakereltio.Options{})
	d.Reltio.Script(fakereltio.NotJSON(), fakereltio.NotJSON())
	result := d.invoke(t, `{}`)
	if result.ErrorType != "RotationFailed" || result.ErrorMessage != "default: bad_response" {
		t.Errorf("%s: %s", result.ErrorType, result.ErrorMessage)
	}
	// The outcome backing_off does not fail the invocation.
	if got := d.outcome(t, `{}`); got != rotator.BackingOff {
		t.Errorf("the next heartbeat: %s", got)
	}
	// The caller gets the report.
	if got := d.outcome(t, `{"action":"refresh","force":true}`); got != rotator.Failed {
		t.Errorf("a forced refresh: %s", got)
	}
}

func TestWhatIsPrinted(t *testing.T) {
	t.Parallel()
	d := deploy(t, fakereltio.Options{EchoRefreshToken: true})
	result := d.invoke(t, `{}`)
	logs, metrics := harness.ParseOutput(t, d.printed())
	if len(logs) != 1 || logs[0]["msg"] != "run" || logs[0]["level"] != "INFO" || logs[0]["requestId"] != result.RequestID || logs[0]["report"] == nil {
		t.Errorf("a refresh logged %v", logs)
	}
	if metrics["Stack"] != harness.Stack || metrics["Refreshes"] != 1.0 {
		t.Errorf("metrics: %v", metrics)
	}
	d.invoke(t, `{}`)
	if logs, metrics = harness.ParseOutput(t, d.printed()); len(logs) != 0 || metrics["Heartbeats"] != 1.0 {
		t.Errorf("an idle heartbeat printed %v and %v", logs, metrics)
	}
	d.Reltio.ExpireRefreshTokens()
	d.invoke(t, `{"action":"refresh","force":true}`)
	text := d.printed()
	for _, kind := range []string{"credentials", "token"} {
		document, _ := d.AWS.Secret(harness.SecretName("default", kind))
		for _, secret := range secretValues(document) {
			if strings.Contains(text, secret) {
				t.Errorf("%q can be seen in %s", secret, text)
			}
		}
	}
	if !strings.Contains(text, `"level":"ERROR"`) || !strings.Contains(text, "refresh_token_rejected") {
		t.Errorf("printed: %s", text)
	}

	quiet := deploy(t, fakereltio.Options{}, "LOG_LEVEL=ERROR")
	quiet.invoke(t, `{}`)
	if logs, metrics = harness.ParseOutput(t, quiet.printed()); len(logs) != 0 || metrics["Heartbeats"] != 1.0 {
		t.Errorf("with LOG_LEVEL=ERROR a refresh printed %v and %v", logs, metrics)
	}
}

func TestWrongSettingsAreNamedAllAtOnce(t *testing.T) {
	t.Parallel()
	d := deploy(t, fakereltio.Options{},
		"PREFIX=", "TOKEN_URL=http://auth.reltio.com/oauth/token", "TOKEN_HOSTS=Reltio.com", "REFRESH_BEFORE=90s", "HEARTBEAT=1m",
		"TOKEN_REQUESTS_PER_SECOND=none", "LOG_LEVEL=LOUD", "AWS_ENDPOINT_URL=https://example.com")
	result := d.invoke(t, `{}`)
	if result.ErrorType != lambda.ExitError || !strings.Contains(result.ErrorMessage, "exit status 1") {
		t.Errorf("%s: %s", result.ErrorType, result.ErrorMessage)
	}
	logs, _ := harness.ParseOutput(t, d.printed())
	if len(logs) != 1 || logs[0]["level"] != "ERROR" {
		t.Fatalf("printed %v", logs)
	}
	for _, says := range []string{
		"PREFIX: is missing", "TOKEN_URL: credentials would go to auth.reltio.com unencrypted", "TOKEN_HOSTS: ",
		"REFRESH_BEFORE: 1m30s is less than two heartbeats (2 × 1m0s = 2m0s)", "TOKEN_REQUESTS_PER_SECOND: ", "LOG_LEVEL: ", "AWS_ENDPOINT_URL: ",
	} {
		if !strings.Contains(logs[0]["msg"].(string), says) {
			t.Errorf("%q is not in %q", says, logs[0]["msg"])
		}
	}
	if len(d.AWS.Calls()) > 0 {
		t.Error("AWS was called nevertheless")
	}
}
