package main

import (
	"context"

	"reltio-token-rotator/tests/fake/lambda"
)

// callCounts counts what a run asks of AWS and of the token endpoint. Bytes are
// those of the bodies, there and back.
func callCounts(ctx context.Context, b *bench) ([]row, error) {
	var rows []row
	for _, one := range []struct {
		what   string
		sets   int
		rotate bool
		goal   float64
	}{
		{"refresh", 1, false, 5},
		{"refresh, two sets", 2, false, 5},
		{"refresh, refresh token changed", 1, true, 7},
	} {
		st, err := b.newFixture(setting{connections: 1, sets: one.sets, rotate: one.rotate})
		if err != nil {
			return nil, err
		}
		defer st.close()
		f, err := st.start(b.function)
		if err != nil {
			return nil, err
		}
		defer f.Stop()
		if _, err := invoke(ctx, f, `{}`, "refreshed"); err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			idle, err := st.counted(ctx, "idle heartbeat", f, `{}`, "not_due")
			if err != nil {
				return nil, err
			}
			idle[0].goal, idle[1].goal = 1, none
			rows = append(rows, idle...)
		}
		refresh, err := st.counted(ctx, one.what, f, forced, "refreshed")
		if err != nil {
			return nil, err
		}
		refresh[0].goal, refresh[1].goal = one.goal, 1
		rows = append(rows, refresh...)
	}
	return rows, nil
}

const (
	// forced refreshes now.
	forced = `{"action":"refresh","force":true}`
	// none is the goal of what must not happen at all: less than one.
	none = 0.5
)

// counted runs an event and returns its calls, its token requests, and the bytes
// of its calls.
func (st *fixture) counted(ctx context.Context, what string, f *lambda.Function, event, outcome string) ([]row, error) {
	st.aws.ResetCalls()
	asked := len(st.reltio.Requests())
	if _, err := invoke(ctx, f, event, outcome); err != nil {
		return nil, err
	}
	var calls, bytes float64
	for _, n := range st.aws.Calls() {
		calls += float64(n)
	}
	for _, n := range st.aws.Bytes() {
		bytes += float64(n)
	}
	return []row{
		{what: what + ": AWS calls", unit: times, figures: []float64{calls}, count: true},
		{what: what + ": token requests", unit: times, figures: []float64{float64(len(st.reltio.Requests()) - asked)}, count: true},
		{what: what + ": bytes of the calls", unit: kilobytes, figures: []float64{bytes}},
	}, nil
}
