package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

func TestEveryLineOfAnInvocationHasItsRequestID(t *testing.T) {
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	var out bytes.Buffer
	log := slog.New(newLogHandler(&out, slog.LevelInfo))
	for name, log := range map[string]*slog.Logger{
		"as it is": log, "with attributes": log.With("stack", "x"),
	} {
		out.Reset()
		log.InfoContext(ctx, "run", "report", rotator.Report{Version: "v1", Connections: []rotator.Result{{Name: "default", Outcome: rotator.Refreshed}}})
		var line struct {
			Level, Msg, RequestID string
			Report                rotator.Report
		}
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out.String())
		}
		if line.Level != "INFO" || line.Msg != "run" || line.RequestID != "request-1" || len(line.Report.Connections) != 1 || line.Report.Connections[0].Outcome != rotator.Refreshed {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}

func TestALineOutsideAnInvocationHasNone(t *testing.T) {
	var out bytes.Buffer
	slog.New(newLogHandler(&out, slog.LevelInfo)).Error("the function cannot start")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if _, there := line["requestId"]; there {
		t.Errorf("%v", line)
	}
}

func TestTheLogLevel(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		var out bytes.Buffer
		log := slog.New(newLogHandler(&out, level))
		for _, at := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			out.Reset()
			log.Log(t.Context(), at, "x")
			if written := out.Len() > 0; written != (at >= level) {
				t.Errorf("LOG_LEVEL %v: a line at %v was written: %v", level, at, written)
			}
		}
	}
}

func TestSecretsStayBoxedInLogs(t *testing.T) {
	var out bytes.Buffer
	type holder struct{ token secret.Value }
	boxed := secret.New("hunter2")
	slog.New(newLogHandler(&out, slog.LevelInfo)).Info("x", "a", boxed, "b", holder{boxed}, "c", map[string]secret.Value{"k": boxed}, "d", []any{boxed, &boxed})
	if bytes.Contains(out.Bytes(), []byte("hunter2")) {
		t.Errorf("a secret can be seen: %s", out.String())
	}
}
