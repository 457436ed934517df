package main

import (
	"context"

	"reltio-token-rotator/tests/standin/lambda"
)

func coldStart(ctx context.Context, b *bench) ([]row, error) {
	var hello []float64
	for range b.repeat {
		f, err := lambda.Start(lambda.Config{Binary: b.hello})
		if err != nil {
			return nil, err
		}
		result, err := f.Invoke(ctx, []byte(`{}`))
		f.Stop()
		if err != nil {
			return nil, err
		}
		hello = append(hello, result.InitDuration.Seconds())
	}
	return []row{{what: "hello world", unit: milliseconds, figures: hello}}, nil
}
