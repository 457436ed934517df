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

// lifetime of access tokens is so short that the heartbeat after the one that
// got a token has to refresh it: their window opens 55 s before the expiry.
const lifetime = 110 * time.Second

// long is a lifetime that leaves the heartbeats idle for the rest of a story.
const long = time.Hour

// clientSecret holds what naive clients encode wrongly.
const clientSecret = "s3c+r/e=t%41 x:y"

// world is everything around the stack: the emulator of AWS, Reltio, and the
// tools of the person who deploys.
type harness struct {
	console *machine.Console
	project string
	work    string // a folder of this run's own
	auth    bool   // IAM policies are enforced

	endpoint  string
	ministack *machine.Process
	reltio    *reltio.Server
	reltioWeb *httptest.Server
	lives     time.Duration // of access tokens
	keys      *keys

	// The administrator's eyes; whatever a user would do goes through the
	// command line tools instead.
	secrets    *secretsmanager.Client
	parameters *ssm.Client
}

func newWorld(ctx context.Context, console *machine.Console, project, work string, auth bool) (*harness, error) {
	port, err := machine.FreePort()
	if err != nil {
		return nil, err
	}
	w := &harness{
		console: console, project: project, work: work, auth: auth,
		lives:    lifetime,
		endpoint: fmt.Sprintf("http://127.0.0.1:%d", port),
		reltio: reltio.New(reltio.Options{
			ClientSecret: clientSecret, Lifetime: lifetime, TokenFormat: reltio.Base64,
		}),
	}
	w.reltioWeb = httptest.NewServer(w.reltio)
	console.Say("Reltio fake", "%s, access tokens live %v", w.reltioWeb.URL, lifetime)

	config := aws.Config{
		Region: machine.Region, BaseEndpoint: &w.endpoint,
		Credentials: credentials.StaticCredentialsProvider{Value: root()},
	}
	w.secrets, w.parameters = secretsmanager.NewFromConfig(config), ssm.NewFromConfig(config)
	w.keys, err = newKeys(w.endpoint, w.secrets)
	if err != nil {
		w.close()
		return nil, err
	}

	temporary := filepath.Join(work, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		w.close()
		return nil, err
	}
	w.ministack, err = machine.Command{
		Dir: work,
		// The endpoint is what it gives to functions.
		Env: machine.Environment(
			project, w.keys.web.URL, "BIND_HOST=127.0.0.1", "GATEWAY_PORT="+strconv.Itoa(port),
			"AUTH="+strconv.FormatBool(auth), "TMPDIR="+temporary,
			"STATE_DIR="+filepath.Join(work, "state"), "S3_DATA_DIR="+filepath.Join(work, "s3"),
		),
	}.Start(filepath.Join(work, "ministack.log"), "ministack")
	if err != nil {
		w.close()
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := w.ministack.Until(waiting, w.healthy); err != nil {
		w.close()
		return nil, err
	}
	console.Say("MiniStack", "%s, IAM policies %s", w.endpoint, map[bool]string{true: "enforced", false: "not enforced"}[auth])
	return w, nil
}

// live sets how long the access tokens live that Reltio gives from now on.
func (w *harness) live(d time.Duration) {
	w.reltio.SetOptions(func(o *reltio.Options) { o.Lifetime = d })
	w.lives = d
}

func (w *harness) healthy(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.endpoint+"/_ministack/health", nil)
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

func (w *harness) close() {
	if w.ministack != nil {
		w.ministack.Stop()
	}
	if w.keys != nil {
		w.keys.web.Close()
	}
	w.reltio.Close()
	w.reltioWeb.Close()
}

// command runs a tool in the project's folder as the administrator, or as
// whoever more says.
func (w *harness) command(more ...string) machine.Command {
	return machine.Command{Dir: w.project, Env: machine.Environment(w.project, w.endpoint, more...)}
}

// shell runs a file of readme/, which holds what README.md tells people to
// type, in a folder of its own.
func (w *harness) shell(ctx context.Context, file, stack string, more ...string) (string, error) {
	command := w.command(append(more, "STACK="+stack, "RELTIO_API="+w.reltioWeb.URL+"/api/whoami")...)
	command.Dir = w.work
	return command.Run(ctx, "bash", "-euo", "pipefail", filepath.Join(w.project, "cmd", "deploy-local", "readme", file))
}

// secret returns the current value of a secret, empty where there is none.
func (w *harness) secret(ctx context.Context, name string) (string, error) {
	out, err := w.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: &name, VersionStage: aws.String("AWSCURRENT"),
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}

// parameter returns the value of a parameter.
func (w *harness) parameter(ctx context.Context, name string) (string, error) {
	out, err := w.parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Parameter.Value), nil
}

// explain shows what the function and the emulator said last, for a person who
// has to find out why.
func (w *harness) explain() {
	// The run's own context may have ended.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	w.console.Say("function's log", "%s", stack{w, stackName}.log(ctx))
	w.console.Say("MiniStack's log", "%s", w.ministack.Log(15))
}
