package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/machine"
)

// shortLifetime of access tokens is so short that the next heartbeat must refresh
// the token. The refresh window opens 55 s before the expiry.
const shortLifetime = 110 * time.Second

// idleLifetime of access tokens is so long that no further refresh becomes due.
const idleLifetime = time.Hour

// clientSecret holds characters that need correct encoding.
const clientSecret = "s3c+r/e=t%41 x:y"

// harness is the environment of the stack: the AWS emulator, the Reltio fake, and
// the operator's tools.
type harness struct {
	console *machine.Console
	project string
	work    string // a folder of this run's own
	auth    bool   // IAM policies are enforced

	endpoint  string
	ministack *machine.Process
	reltio    *reltio.Server
	reltioWeb *httptest.Server
	lifetime  time.Duration // of access tokens
	keys      *keys
	operators map[string]actor // by command; empty where IAM is not enforced

	// Clients of the administrator, to look at values. The operator's steps use
	// the command line tools.
	secrets    *secretsmanager.Client
	parameters *ssm.Client
}

func newHarness(ctx context.Context, console *machine.Console, project, work string, auth bool, lifetime time.Duration) (*harness, error) {
	port, err := machine.FreePort()
	if err != nil {
		return nil, err
	}
	h := &harness{
		console: console, project: project, work: work, auth: auth,
		lifetime: lifetime,
		endpoint: fmt.Sprintf("http://127.0.0.1:%d", port),
		reltio: reltio.New(reltio.Options{
			ClientSecret: clientSecret, Lifetime: lifetime, TokenFormat: reltio.Base64,
		}),
	}
	h.reltioWeb = httptest.NewServer(h.reltio)
	console.Say("Reltio fake", "%s, access tokens live %v", h.reltioWeb.URL, lifetime)

	config := aws.Config{
		Region: machine.Region, BaseEndpoint: &h.endpoint,
		Credentials: credentials.StaticCredentialsProvider{Value: root()},
	}
	h.secrets, h.parameters = secretsmanager.NewFromConfig(config), ssm.NewFromConfig(config)
	h.keys, err = newKeys(h.endpoint, h.secrets)
	if err != nil {
		h.stop()
		return nil, err
	}

	temporary := filepath.Join(work, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		h.stop()
		return nil, err
	}
	h.ministack, err = machine.Command{
		Dir: work,
		// The functions use this endpoint.
		Env: machine.Environment(
			project, h.keys.web.URL, "BIND_HOST=127.0.0.1", "GATEWAY_PORT="+strconv.Itoa(port),
			"AUTH="+strconv.FormatBool(auth), "TMPDIR="+temporary,
			"STATE_DIR="+filepath.Join(work, "state"), "S3_DATA_DIR="+filepath.Join(work, "s3"),
		),
	}.Start(filepath.Join(work, "ministack.log"), "ministack")
	if err != nil {
		h.stop()
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := h.ministack.Until(waiting, h.healthy); err != nil {
		h.stop()
		return nil, err
	}
	console.Say("MiniStack", "%s, IAM policies %s", h.endpoint, map[bool]string{true: "enforced", false: "not enforced"}[auth])
	return h, nil
}

// setLifetime sets the lifetime of the access tokens that the Reltio fake issues.
func (h *harness) setLifetime(d time.Duration) {
	h.reltio.SetOptions(func(o *reltio.Options) { o.Lifetime = d })
	h.lifetime = d
}

func (h *harness) healthy(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.endpoint+"/_ministack/health", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (h *harness) stop() {
	if h.ministack != nil {
		h.ministack.Stop()
	}
	if h.keys != nil {
		h.keys.web.Close()
	}
	h.reltio.Close()
	h.reltioWeb.Close()
}

// command runs a tool in the project's folder, as the administrator unless more
// holds the keys of another principal.
func (h *harness) command(more ...string) machine.Command {
	return machine.Command{Dir: h.project, Env: machine.Environment(h.project, h.endpoint, more...)}
}

// shell runs a file of readme/ in the run's folder. The pages hold the same
// commands.
func (h *harness) shell(ctx context.Context, file, stack string, more ...string) (string, error) {
	command := h.command(append(more, "STACK="+stack, "RELTIO_API="+h.reltioWeb.URL+"/api/whoami")...)
	command.Dir = h.work
	return command.Run(ctx, "bash", "-euo", "pipefail", filepath.Join(h.project, "cmd", "deploy-local", "readme", file))
}

// secret returns the current value of a secret, and "" if it has none.
func (h *harness) secret(ctx context.Context, name string) (string, error) {
	out, err := h.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: &name, VersionStage: aws.String("AWSCURRENT"),
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}

// parameter returns the value of a parameter.
func (h *harness) parameter(ctx context.Context, name string) (string, error) {
	out, err := h.parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Parameter.Value), nil
}

// showLogs shows the last log lines of the function and of the emulator.
func (h *harness) showLogs() {
	// The run's own context may be done.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	h.console.Say("function's log", "%s", stack{h, stackName}.log(ctx))
	h.console.Say("MiniStack's log", "%s", h.ministack.Log(15))
}
