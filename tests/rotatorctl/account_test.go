// Package rotatorctl_test runs the operator's program against an account on
// loopback: the fake of AWS's stores, with the real rotator behind its Lambda API.
// cmd/deploy-local does the same with a stack that is deployed to an emulator.
package rotatorctl_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/binary"
)

var rotatorctl = binary.Once{Program: "reltio-token-rotator/cmd/rotatorctl"}

func TestMain(m *testing.M) { os.Exit(rotatorctl.Run(m)) }

// account is an AWS account in which the stack "test" is deployed.
type account struct {
	*harness.Harness
	web *httptest.Server
	// home is the operator's folder and holds the only places to write.
	home string

	mu        sync.Mutex
	requests  []string // bodies sent to anything but Secrets Manager and Parameter Store
	calls     []string // such as "cloudformation:DescribeStacks"
	forgotten int      // how many of them "asked" does not see
	denied    map[string]bool
	stacks    map[string]*fakeStack
	fails     map[string]fakeEvent // stacks whose next change fails, and why
	log       []logEvent
	// schedule is ENABLED, DISABLED, or "" if it was deleted.
	schedule      string
	alarm         string // the state of the alarm
	subscriptions string // what ListSubscriptionsByTopic shows
	functionGone  bool
	roles         []string // that have the policies attached
	mfa           string   // the code that AssumeRole wants
}

type logEvent struct {
	at      time.Time
	message string
}

const subscribed = `<member><SubscriptionArn>arn:aws:sns:us-east-1:123456789012:t:1</SubscriptionArn><Protocol>email</Protocol><Endpoint>you@example.com</Endpoint></member>`

func newAccount(t *testing.T, options reltio.Options) *account {
	t.Helper()
	a := &account{
		Harness: harness.New(t, aws.Options{}, options), home: t.TempDir(),
		denied: map[string]bool{}, stacks: map[string]*fakeStack{}, fails: map[string]fakeEvent{},
		schedule: "ENABLED", alarm: "OK", subscriptions: subscribed,
	}
	a.Add("default")
	a.stacks[harness.Stack] = mainStack(harness.Stack, "CREATE_COMPLETE")
	a.heartbeat(40 * time.Second)
	a.web = httptest.NewServer(a)
	t.Cleanup(a.web.Close)
	for _, folder := range []string{"tmp", ".aws"} {
		if err := os.Mkdir(filepath.Join(a.home, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// heartbeat adds the metric line of a heartbeat so long ago.
func (a *account) heartbeat(age time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log = append(a.log, logEvent{time.Now().Add(-age), `{"_aws":{},"Heartbeats":1}`})
}

// ServeHTTP implements http.Handler: the services beside the two stores.
func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	service, operation, _ := strings.Cut(target, ".")
	if service == "secretsmanager" || service == "AmazonSSM" {
		action := map[string]string{"secretsmanager": "secretsmanager:", "AmazonSSM": "ssm:"}[service] + operation
		if a.called(action) {
			deniedJSON(w, action)
			return
		}
		a.AWS.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.requests = append(a.requests, string(body))
	a.mu.Unlock()
	switch {
	case strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/rotate/"):
		a.lambda(w, r, body)
	case strings.HasPrefix(r.URL.Path, "/schedules/"):
		a.scheduler(w, r)
	case strings.Contains(r.URL.Path, "/operation/DescribeAlarms"):
		a.cloudwatch(w)
	case service == "Logs_20140328":
		a.logs(w, body)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		a.query(w, r, string(body))
	default:
		http.Error(w, "not in this account: "+r.URL.Path+" "+target, http.StatusNotImplemented)
	}
}

// called notes a call and reports whether it is denied.
func (a *account) called(action string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, action)
	return a.denied[action]
}

func (a *account) asked(action string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.calls[a.forgotten:], action)
}

func (a *account) allCalls() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

func (a *account) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgotten, a.requests = len(a.calls), nil
}

func deniedJSON(w http.ResponseWriter, action string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"__type":"AccessDeniedException","message":"User is not authorized to perform: %s"}`, action)
}

// environment is the environment of the operator's shell. It has nothing of the user
// who runs the test.
func (a *account) environment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + a.home, "TMPDIR=" + filepath.Join(a.home, "tmp"), "TERM=xterm", "TZ=Europe/Berlin",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=us-east-1",
		"AWS_ENDPOINT_URL=" + a.web.URL, "AWS_MAX_ATTEMPTS=1",
	}
}

func (a *account) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), rotatorctl.Path(t), args...)
	cmd.Env, cmd.Dir = a.environment(), a.home
	return cmd
}

// run runs the program to its end and returns all that it printed and its exit
// status.
func (a *account) run(t *testing.T, stdin string, args ...string) (string, int) {
	t.Helper()
	cmd := a.command(t, args...)
	cmd.Stdin = strings.NewReader(stdin)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// credentials returns what the credentials secret holds.
func (a *account) credentials(t *testing.T, connection string) map[string]string {
	t.Helper()
	document, ok := a.AWS.Secret(harness.SecretName(connection, "credentials"))
	if !ok {
		return nil
	}
	var fields map[string]string
	if err := json.Unmarshal([]byte(document), &fields); err != nil {
		t.Fatalf("%v in the secret", err)
	}
	return fields
}
