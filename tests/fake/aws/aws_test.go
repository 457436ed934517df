package aws_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"reltio-token-rotator/tests/fake"
	"reltio-token-rotator/tests/fake/aws"
)

// tests/contract compares the server's behaviour with emulators. These tests are
// about what no emulator has: time, faults and hooks.

type clients struct {
	secrets *secretsmanager.Client
	ssm     *ssm.Client
}

// connect returns clients within the process that do not retry.
func connect(server *aws.Server) clients {
	client := &http.Client{Transport: fake.Transport(map[string]http.Handler{"aws.test": server})}
	who := sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
		return sdk.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
	})
	url := sdk.String("http://aws.test")
	return clients{
		secretsmanager.New(secretsmanager.Options{
			BaseEndpoint: url, Region: "eu-west-1", Credentials: who, HTTPClient: client, Retryer: sdk.NopRetryer{},
		}),
		ssm.New(ssm.Options{
			BaseEndpoint: url, Region: "eu-west-1", Credentials: who, HTTPClient: client, Retryer: sdk.NopRetryer{},
		}),
	}
}

func (c clients) putSecret(ctx context.Context, value string) error {
	_, err := c.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: sdk.String("s"), SecretString: &value,
	})
	return err
}

func (c clients) put(ctx context.Context, name, value string) error {
	_, err := c.ssm.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Value: &value, Type: ssmtypes.ParameterTypeString, Overwrite: sdk.Bool(true),
	})
	return err
}

func (c clients) get(ctx context.Context, name string) string {
	out, err := c.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return code(err)
	}
	return *out.Parameter.Value
}

func (c clients) list(ctx context.Context, path string) (pages []string, err error) {
	paginator := ssm.NewGetParametersByPathPaginator(c.ssm, &ssm.GetParametersByPathInput{Path: &path, Recursive: sdk.Bool(true)})
	for paginator.HasMorePages() {
		out, err := paginator.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		var values []string
		for _, p := range out.Parameters {
			values = append(values, *p.Value)
		}
		pages = append(pages, strings.Join(values, ""))
	}
	return pages, nil
}

func code(err error) string {
	if err == nil {
		return "ok"
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return "cut"
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

func TestVersionsArePrunedADayAfterTheirCreation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := aws.New(aws.Options{})
		c := connect(server)
		for n := range 100 {
			server.PutSecret("s", fmt.Sprint(n))
		}
		equal(t, "at once", code(c.putSecret(t.Context(), "x")), "LimitExceededException")
		time.Sleep(24*time.Hour - time.Nanosecond)
		equal(t, "just before a day", code(c.putSecret(t.Context(), "x")), "LimitExceededException")
		time.Sleep(time.Nanosecond)
		equal(t, "after a day", code(c.putSecret(t.Context(), "100")), "ok")

		versions := server.SecretVersions("s")
		equal(t, "versions", len(versions), 100)
		var values []string
		for _, v := range versions {
			values = append(values, v.Value)
		}
		equal(t, "the oldest is gone", slices.Contains(values, "0"), false)
		equal(t, "the next is not", slices.Contains(values, "1"), true)
	})
}

func TestLabelledVersionsAreNeverPruned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := aws.New(aws.Options{})
		c := connect(server)
		server.PutSecret("s", "first")
		_, err := c.secrets.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
			SecretId: sdk.String("s"), SecretString: sdk.String("kept"), VersionStages: []string{"KEEP"},
		})
		equal(t, "put", code(err), "ok")
		for n := range 300 {
			time.Sleep(15 * time.Minute)
			server.PutSecret("s", fmt.Sprint(n))
		}
		kept, err := c.secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{
			SecretId: sdk.String("s"), VersionStage: sdk.String("KEEP"),
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "value", *kept.SecretString, "kept")
		equal(t, "versions", len(server.SecretVersions("s")), 100)
	})
}

func TestSecretScheduledForDeletionIsGoneInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := aws.New(aws.Options{})
		c := connect(server)
		server.PutSecret("s", "1")
		_, err := c.secrets.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{
			SecretId: sdk.String("s"), RecoveryWindowInDays: sdk.Int64(7),
		})
		equal(t, "delete", code(err), "ok")
		equal(t, "put at once", code(c.putSecret(t.Context(), "2")), "InvalidRequestException")
		time.Sleep(7 * 24 * time.Hour)
		equal(t, "put a week later", code(c.putSecret(t.Context(), "2")), "ResourceNotFoundException")
	})
}

func TestWritesPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := aws.New(aws.Options{WritesPerSecond: 3})
		c := connect(server)
		burst := func() (took int) {
			for range 10 {
				if err := c.put(t.Context(), "/p", "x"); err == nil {
					took++
				} else if code(err) != "ThrottlingException" {
					t.Fatal(err)
				}
			}
			return took
		}
		equal(t, "first second", burst(), 3)
		time.Sleep(time.Second)
		equal(t, "second second", burst(), 3)
		time.Sleep(time.Hour)
		equal(t, "an hour later", burst(), 3)
		equal(t, "reads are free", c.get(t.Context(), "/p"), "x")
		_, version, _ := server.Parameter("/p")
		equal(t, "throttled writes wrote nothing", version, 9)
	})
}

func TestEmptyPages(t *testing.T) {
	server := aws.New(aws.Options{EmptyPages: true})
	for _, letter := range "abcdefghijkl" {
		server.PutParameter("/p/"+string(letter), string(letter))
	}
	pages, err := connect(server).list(t.Context(), "/p")
	equal(t, "error", err, nil)
	equal(t, "pages", fmt.Sprintf("%q", pages), `["" "abcdefghij" "" "kl"]`)
}

func TestStaleReads(t *testing.T) {
	server := aws.New(aws.Options{StaleReads: true})
	c, ctx := connect(server), t.Context()
	server.PutParameter("/p/a", "1")
	equal(t, "just created", c.get(ctx, "/p/a"), "ParameterNotFound")
	equal(t, "next read", c.get(ctx, "/p/a"), "1")
	server.PutParameter("/p/a", "2")
	equal(t, "a chosen version", c.get(ctx, "/p/a:2"), "2")
	pages, _ := c.list(ctx, "/p")
	equal(t, "listing after a write", pages, []string{"1"})
	pages, _ = c.list(ctx, "/p")
	equal(t, "next listing", pages, []string{"2"})

	server.Stale("/a", 2)
	equal(t, "on demand", []string{c.get(ctx, "/p/a"), c.get(ctx, "/p/a"), c.get(ctx, "/p/a")}, []string{"1", "1", "2"})
}

func TestRecreateAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := aws.New(aws.Options{RecreateAfter: 30 * time.Second})
		c, ctx := connect(server), t.Context()
		equal(t, "create", code(c.put(ctx, "/p", "x")), "ok")
		server.DeleteParameter("/p")
		time.Sleep(29 * time.Second)
		equal(t, "too early", code(c.put(ctx, "/p", "x")), "TooManyUpdates")
		time.Sleep(time.Second)
		equal(t, "in time", code(c.put(ctx, "/p", "x")), "ok")
	})
}

func TestCounters(t *testing.T) {
	server := aws.New(aws.Options{})
	c := connect(server)
	server.PutSecret("s", "1")
	server.PutParameter("/p", "1")
	equal(t, "an operator's writes are not counted", len(server.Calls()), 0)
	_ = c.putSecret(t.Context(), "2")
	_ = c.get(t.Context(), "/p")
	_ = c.get(t.Context(), "/q")
	equal(t, "calls", maps.Clone(server.Calls()), map[string]int{"GetParameter": 2, "PutSecretValue": 1})
	if b := server.Bytes(); b["GetParameter"] < 100 || b["PutSecretValue"] < 100 {
		t.Errorf("bytes: %v", b)
	}
	server.Calls()["GetParameter"] = 99
	equal(t, "a copy", server.Calls()["GetParameter"], 2)
	server.ResetCalls()
	equal(t, "reset", len(server.Calls())+len(server.Bytes()), 0)
}

func TestUnknownIsLoud(t *testing.T) {
	server := aws.New(aws.Options{})
	c := connect(server)
	_, err := c.secrets.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	equal(t, "operation", code(err), "UnknownOperationException")
	_, err = c.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: sdk.String("s"), ForceOverwriteReplicaSecret: true,
	})
	equal(t, "field", code(err), "SerializationException")
}
