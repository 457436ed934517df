package rotator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator/secret"
)

// throws panics wherever a run calls something outside of the connections'
// attempts.
type throws struct {
	view
	in    string
	value any
}

func (p throws) List(ctx context.Context) ([]Parameter, error) {
	if p.in == "list" {
		panic(p.value)
	}
	return p.view.List(ctx)
}

func (p throws) Write(now time.Time, m Metrics) error {
	if p.in == "metrics" {
		panic(p.value)
	}
	return p.view.Write(now, m)
}

type throwingWriter struct{ io.Writer }

func (throwingWriter) Write([]byte) (int, error) { panic("canary") }

// Lambda prints the value of a handler's panic, so no panic may leave the handler.
func TestAPanicOutsideOfTheAttemptsFailsTheRunAndShowsOnlyItsPlace(t *testing.T) {
	for _, in := range []string{"list", "metrics", "log"} {
		for _, value := range []any{"canary", errors.New("canary"), struct{ s string }{"canary"}, secret.New("canary")} {
			var printed bytes.Buffer
			p := throws{view{newMemory(), "a", func(string) {}}, in, value}
			r := p.rotator()
			r.Lister, r.Metrics, r.Log = p, p, slog.New(slog.NewJSONHandler(&printed, nil))
			if in == "log" {
				r.Log = slog.New(slog.NewJSONHandler(throwingWriter{}, nil))
			}
			report, err := r.Run(t.Context(), "a", Event{Action: ActionRefresh})
			if failed, ok := errors.AsType[*RotationFailed](err); !ok || failed.Error() != "internal_error" {
				t.Errorf("%s: the error is %v", in, err)
			}
			if report.Error != InternalError || !strings.Contains(report.Message, "a bug in the rotator (") || report.Connections == nil {
				t.Errorf("%s: the report is %+v", in, report)
			}
			if in != "log" && !strings.Contains(printed.String(), "throws") {
				t.Errorf("%s: the place is not logged: %s", in, printed.String())
			}
			if strings.Contains(printed.String()+report.Message, "canary") {
				t.Errorf("%s: what was thrown can be seen: %s", in, printed.String())
			}
		}
	}
}
