package rotator

import (
	"context"
	"fmt"
	"runtime"
	"strings"
)

// panicked reports and logs a panic outside the connections' attempts. Without it,
// Lambda would print the panic's value, which could hold a secret.
func (r *Rotator) panicked(ctx context.Context, report *Report, bug *Error) error {
	report.Error, report.Message = bug.Code, bug.Message
	func() {
		defer func() { _ = recover() }() // the log itself may be what panics
		r.Log.ErrorContext(ctx, "run", "report", *report)
	}()
	return &RotationFailed{Failures: []string{string(bug.Code)}}
}

// PanicError returns the failure that describes a panic. Only the deferred function
// that recovers may call it.
func PanicError(thrown any) *Error {
	return &Error{Code: InternalError, Message: fmt.Sprintf("a bug in the rotator (%T in %s); report it", thrown, panicPlace())}
}

// panicPlace returns the function and line that panicked.
func panicPlace() string {
	var callers [16]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(4, callers[:])])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") || !more {
			return fmt.Sprintf("%s:%d", frame.Function, frame.Line)
		}
	}
}
