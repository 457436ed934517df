// Package operate_test does with a stack what the make targets do, with the
// real program and the real AWS CLI, against an account on loopback: the
// fake for AWS's stores, with the real rotator behind its Lambda API.
// cmd/deploy-local does the same with a deployed stack.
package operate_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/binary"
)

var operate = binary.Once{Program: "reltio-token-rotator/cmd/rotatorctl"}

func TestMain(m *testing.M) { os.Exit(operate.Run(m)) }

// account is an AWS account in which the stack "test" is deployed.
type account struct {
	*harness.Harness
	web *httptest.Server
	// home is the operator's folder and holds the only places to write: also
	// where the AWS CLI keeps a history, which is switched on here.
	home string

	mu       sync.Mutex
	requests []string // bodies sent to anything but Secrets Manager and Parameter Store
	log      []string // what FilterLogEvents shows
}

func newAccount(t *testing.T, options reltio.Options) *account {
	t.Helper()
	a := &account{Harness: harness.New(t, aws.Options{}, options), home: t.TempDir()}
	a.Add("default")
	a.web = httptest.NewServer(a)
	t.Cleanup(a.web.Close)
	for _, folder := range []string{"tmp", ".aws"} {
		if err := os.Mkdir(filepath.Join(a.home, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(a.home, ".aws", "config"), []byte("[default]\nregion = us-east-1\ncli_history = enabled\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// ServeHTTP implements http.Handler: the services beside the two stores.
func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	if strings.HasPrefix(target, "secretsmanager.") || strings.HasPrefix(target, "AmazonSSM.") {
		a.AWS.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.requests = append(a.requests, string(body))
	log := a.log
	a.mu.Unlock()
	switch {
	case strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/rotate/"):
		a.lambda(w, r, body)
	case strings.Contains(string(body), "Action=DescribeStacks&"):
		w.Header().Set("Content-Type", "text/xml")
		if !strings.Contains(string(body), "StackName="+harness.Stack) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack does not exist</Message></Error></ErrorResponse>`)
			return
		}
		fmt.Fprint(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>test</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs><member><OutputKey>FunctionName</OutputKey><OutputValue>rotate</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
	case target == "Logs_20140328.FilterLogEvents":
		events := []map[string]any{}
		for i, line := range log {
			events = append(events, map[string]any{"eventId": fmt.Sprint(i), "timestamp": 1795000000000 + i, "message": line})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"events": events})
	default:
		http.Error(w, "not in this account: "+r.URL.Path+" "+target, http.StatusNotImplemented)
	}
}

// lambda invokes the rotator as the Lambda service would.
func (a *account) lambda(w http.ResponseWriter, r *http.Request, body []byte) {
	event, err := rotator.ParseEvent(body)
	var report rotator.Report
	if err == nil {
		report, err = a.Invoke(r.Context(), event)
	}
	if err != nil {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		_ = json.NewEncoder(w).Encode(map[string]string{"errorType": "errorString", "errorMessage": err.Error()})
		return
	}
	_ = json.NewEncoder(w).Encode(report)
}

// environment is that of the operator's shell, without the environment of the test.
func (a *account) environment(t *testing.T) []string {
	t.Helper()
	cli, err := filepath.Abs("../../.tools/bin/aws")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(cli); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no AWS CLI: run make tools")
		}
		t.Skip("no AWS CLI: run make tools to have this tested")
	}
	return []string{
		"PATH=" + filepath.Dir(cli) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + a.home, "TMPDIR=" + filepath.Join(a.home, "tmp"), "TERM=xterm",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL=" + a.web.URL,
	}
}

func (a *account) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), operate.Path(t), args...)
	cmd.Env, cmd.Dir = a.environment(t), a.home
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
