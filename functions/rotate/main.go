// Command rotate is the Lambda function: it connects the rotator and the doctor to
// AWS and to the token endpoint. Environment variables configure it; see
// environment.go.
package main

import (
	"context"
	"encoding/json"
	stdlog "log"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	"reltio-token-rotator/rotator/doctor"
	"reltio-token-rotator/rotator/emf"
	"reltio-token-rotator/rotator/reltio"
)

func main() {
	stdlog.SetFlags(stdlog.Llongfile)
	stdlog.SetOutput(libraryLog{os.Stderr})
	readRootsOnce(rootsBundle)
	env, err := readEnvironment(os.Getenv)
	log := slog.New(newLogHandler(os.Stdout, env.logLevel))
	if err != nil {
		log.Error("the function cannot start: " + err.Error())
		os.Exit(1)
	}
	proxy := httpsProxy(env.useProxy)
	cfg, err := awsConfig(proxy)
	if err != nil {
		log.Error("the function cannot start: the AWS SDK's configuration could not be loaded; check the function's environment")
		os.Exit(1)
	}
	store := awsstore.New(cfg, env.prefix)
	endpoint := reltio.New(reltio.Config{RequestsPerSecond: env.tokenRequestsPerSecond, Proxy: proxy})
	r := &rotator.Rotator{
		Settings:    env.settings,
		Version:     version(),
		Lister:      store,
		Parameters:  store,
		Credentials: store,
		Saver:       store,
		Pending:     store,
		Tokens:      store,
		Endpoint:    endpoint,
		Metrics:     emf.New(os.Stdout, env.stack()),
		Log:         log,
	}
	checker := &doctor.Doctor{
		Settings:    env.settings,
		Version:     version(),
		Lister:      store,
		Credentials: store,
		Secrets:     store,
		Parameters:  store,
		Hosts:       endpoint,
		Log:         log,
	}
	lambda.Start(func(ctx context.Context, payload json.RawMessage) (any, error) {
		// Between invocations Lambda freezes the process, and idle connections break.
		defer endpoint.CloseIdleConnections()
		event, err := parseEvent(ctx, payload)
		if err != nil {
			return nil, err
		}
		if event.Action == rotator.ActionCheck {
			return checker.Check(ctx)
		}
		return r.Run(ctx, requestID(ctx), event)
	})
}

// reportAlias is the alias of the function that jobs may invoke.
const reportAlias = "report"

// parseEvent reads the event, which must be a report of a dead token if the
// function was invoked through the alias for reports: IAM cannot restrict events,
// and only allows jobs to invoke this alias.
func parseEvent(ctx context.Context, payload []byte) (rotator.Event, error) {
	if invocation, ok := lambdacontext.FromContext(ctx); ok && qualifier(invocation.InvokedFunctionArn) == reportAlias {
		return rotator.ParseReport(payload)
	}
	return rotator.ParseEvent(payload)
}

// qualifier is the alias or version at the end of a function's ARN
// (arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME:QUALIFIER), "" if it has none.
func qualifier(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) == 8 {
		return parts[7]
	}
	return ""
}

func requestID(ctx context.Context) string {
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		return invocation.AwsRequestID
	}
	return ""
}

// release is git's description of the sources, set by the Makefile.
var release string

// version is the release, or the module's version as Go recorded it if the function
// was built without the Makefile.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "unknown"
}
