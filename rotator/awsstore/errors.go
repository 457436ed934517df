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

// CallError is a failed call to AWS. It prints as "OPERATION: CODE" and nothing
// else, because the messages of the SDK and of the services can hold names, URLs
// and parts of the request. errors.Is and errors.As find the SDK's error in it.
type CallError struct {
	// Operation is the API's name for the call, such as "PutSecretValue".
	Operation string
	// Code is the service's error code, such as "AccessDeniedException", or one
	// of "timed out", "canceled", "connection failed", "connection to the proxy
	// failed", "unreadable response" and "failed".
	Code string

	cause error
}

// Error gives the operation and the code.
func (e *CallError) Error() string { return e.Operation + ": " + e.Code }

// Unwrap gives the SDK's error. Do not print it.
func (e *CallError) Unwrap() error { return e.cause }

// Is matches rotator.ErrDenied and rotator.ErrKey by the code. When a key's policy
// denies the call, the code is AccessDeniedException too.
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

// callError wraps the SDK's error. It returns nil for nil.
func callError(operation string, err error) error {
	if err == nil {
		return nil
	}
	return &CallError{Operation: operation, Code: codeOf(err), cause: err}
}

// codeOf returns the code of an error, by its type alone. A service's error comes first,
// because it can be wrapped in the error that no attempts are left.
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok && isCode(api.ErrorCode()) {
		return api.ErrorCode()
	}
	if errors.Is(err, context.Canceled) {
		return "canceled"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return "connection to the proxy failed"
	}
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() ||
		errors.Is(err, context.DeadlineExceeded) {
		return "timed out"
	}
	if is[*smithyhttp.RequestSendError](err) {
		return "connection failed"
	}
	if is[*smithy.DeserializationError](err) || errors.Is(err, errNoValue) {
		return "unreadable response"
	}
	return "failed"
}

// isCode reports whether text may be an error code. It comes from a response, and a
// proxy's or an emulator's response can hold anything.
func isCode(text string) bool {
	const maxLength = 64
	return text != "" && len(text) <= maxLength && strings.IndexFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '_')
	}) < 0
}

// is reports whether err is or wraps an error of type E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
