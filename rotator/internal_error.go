package rotator

import (
	"context"
	"fmt"
	"runtime"
	"strings"
)

// panicked ends a run that panicked outside the connections' attempts. Lambda
// would print what was thrown, which could hold a secret.
func (r *Rotator) panicked(ctx context.Context, report *Report, bug *Error) error {
	report.Error, report.Message = bug.Code, bug.Message
	func() {
		defer func() { _ = recover() }() // the log itself may be what panics
		r.Log.ErrorContext(ctx, "run", "report", *report)
	}()
	return &RotationFailed{Failures: []string{string(bug.Code)}}
}

// refreshSafely makes a panic in one connection that connection's failure. What
// was thrown is not shown, since it could hold a secret; where is.
func (a *attempt) refreshSafely(ctx context.Context) (outcome Outcome, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			outcome = Failed
			err = PanicError(thrown)
		}
	}()
	return a.refresh(ctx)
}

// PanicError is the failure that a panic is; to be called by the function that
// recovers.
func PanicError(thrown any) *Error {
	return &Error{Code: InternalError, Message: fmt.Sprintf("a bug in the rotator (%T in %s); report it", thrown, panicPlace())}
}

// panicPlace names the function and line that panicked.
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
