// Package readers_test tests that no call fails of jobs that read the token as
// rotator/reader and the examples do. Twenty of them run at once, while refreshes
// end the old token at once and another login ends tokens early.
package readers_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/reader"
	"reltio-token-rotator/tests/fake"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

const (
	jobs      = 20
	refreshes = 10 // by the schedule
	endings   = 3  // by another login
	// pace is how often every job calls the API, all at the same instant. It
	// does not divide a minute, so that calls fall before, into and after the
	// heartbeats' work.
	pace = 7 * time.Second
)

// simulation is half a day in a bubble, with jobs, a heartbeat a minute and tokens
// that live an hour.
type simulation struct {
	*harness.Harness
	network http.RoundTripper
	reports atomic.Int64
}

func newSimulation(t *testing.T) *simulation {
	s := &simulation{Harness: harness.New(t,
		fakeaws.Options{WritesPerSecond: 3, Latency: 20 * time.Millisecond},
		// The old token is refused from two seconds before the answer with the new one.
		fakereltio.Options{RaceWindow: 2 * time.Second},
	)}
	s.Discard()
	s.Seed("default")
	s.network = fake.Transport(map[string]http.Handler{
		"secretsmanager.us-east-1.amazonaws.com": s.AWS,
		"dev.reltio.com":                         s.Reltio,
	})
	return s
}

func (s *simulation) secrets() *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("job", "job", ""),
		HTTPClient:  &http.Client{Transport: s.network},
	})
}

// report reports a token as a job does: it invokes the function.
func (s *simulation) report(ctx context.Context, payload []byte) error {
	s.reports.Add(1)
	event, err := rotator.ParseEvent(payload)
	if err != nil {
		return err
	}
	_, err = s.Invoke(context.WithoutCancel(ctx), event) // Lambda's own time limit is what counts there
	return err
}

// run runs jobs until all refreshes and early endings are over, and returns how
// their calls ended. Each job has a client of its own, because it stands for a
// process.
func (s *simulation) run(t *testing.T, client func() *http.Client) *tally {
	var work sync.WaitGroup
	ctx, end := context.WithCancel(t.Context())
	if _, err := s.Heartbeat(t); err != nil {
		t.Fatal(err)
	}
	result := &tally{}
	for range jobs {
		work.Go(func() {
			client := client()
			for beat := time.NewTicker(pace); ctx.Err() == nil; <-beat.C {
				result.add(call(t, client))
			}
		})
	}
	s.drive(t)
	end()
	work.Wait()
	result.print(t, s.reports.Load())
	return result
}

// drive sends heartbeats, and ends tokens early in the middle of their lives.
func (s *simulation) drive(t *testing.T) {
	ended := 0
	asked := func() int { return len(s.Reltio.Requests()) }
	for asked() < 1+refreshes+endings || ended < endings {
		time.Sleep(time.Minute)
		age := time.Since(s.State("default").Published.IssuedAt)
		if ended < endings && asked() >= 3*(ended+1) && age > 20*time.Minute && age < 30*time.Minute {
			s.Reltio.EndAccessTokens()
			ended++
		}
		if _, err := s.Heartbeat(t); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Minute) // so that what the last refresh did to the jobs is seen
}

// call is one request of a job; it returns the status.
func call(t *testing.T, client *http.Client) int {
	response, err := client.Get("https://dev.reltio.com/api/whoami")
	if err != nil {
		t.Error(err)
		return 0
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

func TestTheGoReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(t)
		result := s.run(t, func() *http.Client {
			source := reader.New(reader.Config{
				Secrets: s.secrets(), SecretID: harness.SecretName("default", "token"), Report: s.report,
			})
			return &http.Client{Transport: source.Transport(s.network)}
		})
		if result.failed.Load() > 0 {
			t.Error("jobs failed")
		}
		// Every job reported every ending, at the same instant, and each ending
		// cost one refresh: what drive counts and no more.
		if got := s.reports.Load(); got != jobs*endings {
			t.Errorf("%d reports, want %d", got, jobs*endings)
		}
		if got := len(s.Reltio.Requests()); got != 1+refreshes+endings {
			t.Errorf("%d token requests, want %d", got, 1+refreshes+endings)
		}
	})
}

// The same hours with a usual reader. It keeps the token for an hour, as the
// official caching clients do by default, and does not react to a 401.
func TestANaiveReaderFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(t)
		result := s.run(t, func() *http.Client {
			return &http.Client{Transport: &naive{secrets: s.secrets(), base: s.network}}
		})
		if result.failed.Load()*100 < result.calls.Load() {
			t.Error("less than one call in a hundred failed: do these hours still test anything?")
		}
	})
}

type naive struct {
	secrets *secretsmanager.Client
	base    http.RoundTripper
	token   string
	readAt  time.Time
}

func (n *naive) RoundTrip(req *http.Request) (*http.Response, error) {
	if n.token == "" || time.Since(n.readAt) >= time.Hour {
		secret, err := n.secrets.GetSecretValue(req.Context(), &secretsmanager.GetSecretValueInput{
			SecretId: aws.String(harness.SecretName("default", "token")),
		})
		if err != nil {
			return nil, err
		}
		var token harness.Token
		if err := json.Unmarshal([]byte(aws.ToString(secret.SecretString)), &token); err != nil {
			return nil, err
		}
		n.token, n.readAt = token.AccessToken, time.Now()
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	return n.base.RoundTrip(req)
}

// tally counts how calls ended.
type tally struct{ calls, failed atomic.Int64 }

func (n *tally) add(status int) {
	n.calls.Add(1)
	if status != http.StatusOK {
		n.failed.Add(1)
	}
}

func (n *tally) print(t *testing.T, reports int64) {
	calls, failed := n.calls.Load(), n.failed.Load()
	t.Logf("%d jobs, %d refreshes, %d tokens ended early: %d calls, %d failed (%.2f %%), %d reports",
		jobs, refreshes, endings, calls, failed, 100*float64(failed)/float64(max(calls, 1)), reports)
}
