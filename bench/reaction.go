package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reltio-token-rotator/tests/fake/lambda"
)

// reaction measures how long the token secret holds a token that the token
// request has ended: from the response until the new token can be read. One write
// cannot be avoided. A changed refresh token is saved and the save is verified
// first, because it is worth more than the access token.
func reaction(ctx context.Context, b *bench) ([]row, error) {
	var rows []row
	for _, rotate := range []bool{false, true} {
		for _, latency := range []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond} {
			figures, references, err := b.reactions(ctx, latency, rotate)
			if err != nil {
				return nil, err
			}
			what, against := "granted to published", "one write"
			if rotate {
				what, against = "the same, refresh token changed", "write, look, write"
			}
			rows = append(rows, row{
				what: fmt.Sprintf("%s, calls of %d ms", what, latency.Milliseconds()), unit: milliseconds,
				figures: figures, references: references, against: against, goal: 1.1,
			})
		}
	}
	return rows, nil
}

func (b *bench) reactions(ctx context.Context, latency time.Duration, rotate bool) (figures, references []float64, err error) {
	var seen moments
	st, err := b.newFixture(setting{connections: 1, latency: latency, rotate: rotate, onToken: seen.granted, onCall: seen.call})
	if err != nil {
		return nil, nil, err
	}
	defer st.close()
	f, err := st.start(b.function)
	if err != nil {
		return nil, nil, err
	}
	defer f.Stop()
	client := secretsmanager.NewFromConfig(st.config())
	for range b.repeat {
		reference, err := st.writes(ctx, client, rotate)
		if err != nil {
			return nil, nil, err
		}
		references = append(references, reference.Seconds())
		figure, err := seen.reaction(ctx, f)
		if err != nil {
			return nil, nil, err
		}
		figures = append(figures, figure.Seconds())
	}
	return figures, references, nil
}

// writes is how long the calls take that must come between, from a process that
// does nothing else.
func (st *fixture) writes(ctx context.Context, client *secretsmanager.Client, rotate bool) (time.Duration, error) {
	put := func() error {
		_, err := client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
			SecretId: aws.String(probe), ClientRequestToken: aws.String("probe-" + rand.Text() + rand.Text()), SecretString: aws.String("a token"),
		})
		return err
	}
	st.aws.CreateSecret(probe)
	// A connection is open, as the function's is when it has read credentials.
	if _, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(probe)}); err != nil {
		return 0, err
	}
	began := time.Now()
	if rotate {
		if err := put(); err != nil {
			return 0, err
		}
		if _, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(probe)}); err != nil {
			return 0, err
		}
	}
	err := put()
	return time.Since(began), err
}

// probe is a secret that is none of the function's.
const probe = "probe"

// moments are when things happened at the fakes.
type moments struct {
	mu                   sync.Mutex
	grantedAt, published time.Time
}

func (m *moments) granted() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.grantedAt = time.Now()
}

// call notes when a write of the token secret has had its effect.
func (m *moments) call(operation, name string, before bool) {
	if before || operation != "PutSecretValue" || name != secretName(0, "token") {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.published = time.Now()
}

func (m *moments) reaction(ctx context.Context, f *lambda.Function) (time.Duration, error) {
	if _, err := invoke(ctx, f, forced, "refreshed"); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.published.Sub(m.grantedAt), nil
}
