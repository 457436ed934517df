package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reltio-token-rotator/tests/fake/lambda"
)

// inRegion is about what a call takes within one's own region.
const inRegion = 15 * time.Millisecond

// oftener: a start takes so little that it can be repeated more often, and must
// be, since a neighbour on the machine shows in it.
const oftener = 3

// coldStart measures new processes: until they ask for their first event, and
// what that then takes.
func coldStart(ctx context.Context, b *bench) ([]row, error) {
	st, err := b.newFixture(setting{connections: 1, latency: inRegion})
	if err != nil {
		return nil, err
	}
	defer st.close()
	// What follows are heartbeats with nothing to do.
	if _, err := st.once(ctx, b.function, `{}`, "refreshed"); err != nil {
		return nil, err
	}
	var starts, floors, heartbeats, firsts, beside, pythons []float64
	for i := range oftener * b.repeat {
		floor, err := invokeOnce(ctx, func() (*lambda.Function, error) { return st.start(b.hello) })
		if err != nil {
			return nil, err
		}
		listing, err := st.listing(ctx)
		if err != nil {
			return nil, err
		}
		own, err := st.once(ctx, b.function, `{}`, "not_due")
		if err != nil {
			return nil, err
		}
		floors = append(floors, floor.InitDuration.Seconds())
		starts = append(starts, own.InitDuration.Seconds())
		heartbeats = append(heartbeats, own.Duration.Seconds())
		firsts = append(firsts, (floor.Duration + listing).Seconds())
		if b.python != "" && i%oftener == 0 {
			other, err := invokeOnce(ctx, func() (*lambda.Function, error) { return b.startPython(st) })
			if err != nil {
				return nil, err
			}
			beside = append(beside, own.InitDuration.Seconds())
			pythons = append(pythons, other.InitDuration.Seconds())
		}
	}
	rows := []row{
		{what: "process start to first event", unit: milliseconds, figures: starts, references: floors, against: "hello world in Go", goal: 2},
		{what: "first idle heartbeat, calls of 15 ms", unit: milliseconds, figures: heartbeats, references: firsts, against: "hello world + one call", goal: 1.5},
	}
	if b.python != "" {
		rows = append(rows, row{what: "process start to first event", unit: milliseconds, figures: beside, references: pythons, against: "Python with boto3", goal: 1.0 / 30})
	}
	return rows, nil
}

// invokeOnce runs one event in a new process; one that fails is an error.
func invokeOnce(ctx context.Context, start func() (*lambda.Function, error)) (lambda.Result, error) {
	f, err := start()
	if err != nil {
		return lambda.Result{}, err
	}
	defer f.Stop()
	result, err := f.Invoke(ctx, []byte(`{}`))
	if err == nil {
		err = failure(result)
	}
	return result, err
}

// listing is how long a heartbeat's one call takes. The SDK is warm, which is
// what the ratio is about; but as in every new process, whatever it is written
// in, the root certificates are to be read and a connection to be made.
func (st *fixture) listing(ctx context.Context) (time.Duration, error) {
	cfg := st.config()
	client := ssm.NewFromConfig(cfg)
	began := time.Now()
	certificates, err := os.ReadFile(st.certificates)
	if err != nil {
		return 0, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificates)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	_, err = client.GetParametersByPath(ctx, &ssm.GetParametersByPathInput{
		Path: aws.String("/" + prefix), Recursive: aws.Bool(true), WithDecryption: aws.Bool(true), MaxResults: aws.Int32(10),
	}, func(o *ssm.Options) { o.HTTPClient = &http.Client{Transport: transport} })
	return time.Since(began), err
}
