package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"reltio-token-rotator/rotator"
)

// Through the alias "report" the function accepts only reports of dead tokens.
func TestEventsByQualifier(t *testing.T) {
	const (
		function = "arn:aws:lambda:eu-west-1:123456789012:function:rotate"
		report   = `{"action":"refresh","connections":["default"],"dead_token":"0123456789abcdef"}`
	)
	others := []string{
		`{}`, `{"source":"aws.scheduler"}`, `{"action":"check"}`, `{"action":"refresh"}`,
		`{"action":"refresh","connections":["default"],"force":true}`,
	}
	for _, arn := range []string{function, function + ":$LATEST", function + ":7", function + ":live", ""} {
		for _, event := range append(others, report) {
			if _, err := parse(t, arn, event); err != nil {
				t.Errorf("through %q: %s: %v", arn, event, err)
			}
		}
	}
	for _, partition := range []string{"aws", "aws-cn", "aws-us-gov"} {
		arn := strings.Replace(function, "arn:aws:", "arn:"+partition+":", 1) + ":report"
		if event, err := parse(t, arn, report); err != nil || event.DeadToken != "0123456789abcdef" {
			t.Errorf("through %s: %s is %+v, %v", arn, report, event, err)
		}
		for _, event := range others {
			if _, err := parse(t, arn, event); err == nil || !strings.Contains(err.Error(), `the alias "report" accepts only reports of dead tokens`) {
				t.Errorf("through %s: %s: the error is %v", arn, event, err)
			}
		}
	}
}

func parse(t *testing.T, arn, event string) (rotator.Event, error) {
	t.Helper()
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{InvokedFunctionArn: arn})
	return parseEvent(ctx, []byte(event))
}
