package main

import (
	"context"
	"io"
	"log/slog"
)

// logHandler writes JSON lines with the invocation's request id. It is not
// lambdacontext's: that one writes JSON only where Lambda's own log format is
// JSON, and the log line is part of what users rely on.
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
