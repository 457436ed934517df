package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"reltio-token-rotator/rotator"
)

// event is the payload of an invocation.
type event struct {
	Action      string          `json:"action"`
	Connections []string        `json:"connections,omitempty"`
	Force       bool            `json:"force,omitempty"`
	Set         rotator.SetName `json:"set,omitempty"`
}

// report is what the function returns.
type report struct{ rotator.Report }

// result is the result of one connection.
type result = rotator.Result

// functionError is the function's answer to a failed invocation.
type functionError struct {
	ErrorType    string `json:"errorType"`
	ErrorMessage string `json:"errorMessage"`
}

func (e *functionError) Error() string {
	return "the function failed: " + cmp.Or(e.ErrorMessage, e.ErrorType)
}

// invoke sends an event to the function and reads its answer.
func (o *operator) invoke(ctx context.Context, function string, e event, answer any) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return err
	}
	out, err := o.aws.function.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return said(err)
	}
	if out.FunctionError != nil {
		failure := &functionError{}
		_ = json.Unmarshal(out.Payload, failure) // whatever it holds, the call failed
		return failure
	}
	if err := json.Unmarshal(out.Payload, answer); err != nil {
		return fmt.Errorf("the function's answer is not a report: %w", err)
	}
	return nil
}
