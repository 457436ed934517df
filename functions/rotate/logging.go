package main

import (
	"context"
	"io"
	"log/slog"
)

// logHandler writes JSON lines with the invocation's request id. The handler of
// lambdacontext would not do: it writes JSON only if Lambda's log format is JSON,
// and users depend on the format of the log line.
type logHandler struct{ slog.Handler }

func newLogHandler(w io.Writer, level slog.Level) slog.Handler {
	return logHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})}
}

// Handle implements slog.Handler.
func (h logHandler) Handle(ctx context.Context, record slog.Record) error {
	if id := requestID(ctx); id != "" {
		record.AddAttrs(slog.String("requestId", id))
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name)}
}
