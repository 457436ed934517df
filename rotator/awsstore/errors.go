package awsstore

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"reltio-token-rotator/rotator"
)

// CallError is a call to AWS that failed. It prints as "OPERATION: CODE" and
// nothing else, because the messages of the SDK and of the services can hold
// names, URLs and parts of what was sent. errors.Is and errors.As reach the
// SDK's error through it.
type CallError struct {
	// Operation is the API's name for the call, such as "PutSecretValue".
	Operation string
	// Code is the service's error code, such as "AccessDeniedException", or one
	// of "timed out", "canceled", "connection failed", "unreadable answer" and
	// "failed".
	Code string

	cause error
}

// Error gives the operation and the code.
func (e *CallError) Error() string { return e.Operation + ": " + e.Code }

// Unwrap gives the SDK's error. Do not print it.
func (e *CallError) Unwrap() error { return e.cause }

// Is matches rotator.ErrDenied and rotator.ErrKey by the code. A key's policy
// that denies comes as AccessDeniedException, as any other does.
func (e *CallError) Is(target error) bool {
	switch target {
	case rotator.ErrDenied:
		return e.Code == "AccessDeniedException" || e.Code == "AccessDenied"
	case rotator.ErrKey:
		return e.Code == "DecryptionFailure" || e.Code == "EncryptionFailure" ||
			e.Code == "InvalidKeyId" || strings.HasPrefix(e.Code, "KMS")
	}
	return false
}

// callError wraps what the SDK returned; nil stays nil.
func callError(operation string, err error) error {
	if err == nil {
		return nil
	}
	return &CallError{Operation: operation, Code: codeOf(err), cause: err}
}

// codeOf goes by types alone. What the service answered comes first: such an
// answer can be wrapped in one about the attempts running out.
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok && isCode(api.ErrorCode()) {
		return api.ErrorCode()
	}
	if errors.Is(err, context.Canceled) {
		return "canceled"
	}
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() ||
		errors.Is(err, context.DeadlineExceeded) {
		return "timed out"
	}
	if is[*smithyhttp.RequestSendError](err) {
		return "connection failed"
	}
	if is[*smithy.DeserializationError](err) || errors.Is(err, errNoValue) {
		return "unreadable answer"
	}
	return "failed"
}

// isCode reports whether an error code can be one. It comes out of an answer,
// and an answer from a proxy or an emulator can hold anything.
func isCode(code string) bool {
	const maxLength = 64
	return code != "" && len(code) <= maxLength && strings.IndexFunc(code, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '_')
	}) < 0
}

// is reports whether err is or wraps an error of type E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
