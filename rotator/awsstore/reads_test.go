package awsstore_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"reltio-token-rotator/rotator/awsstore"
)

// slowAWS takes a second for each response and counts the requests at the same time.
type slowAWS struct {
	mu          sync.Mutex
	now, atMost int
}

func (s *slowAWS) RoundTrip(*http.Request) (*http.Response, error) {
	s.count(1)
	defer s.count(-1)
	time.Sleep(time.Second)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(`{"VersionId":"v1","SecretString":"{}"}`)),
	}, nil
}

func (s *slowAWS) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += n
	s.atMost = max(s.atMost, s.now)
}

func (s *slowAWS) store() *awsstore.Store {
	return awsstore.New(aws.Config{
		Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		HTTPClient: &http.Client{Transport: s},
	}, prefix)
}

func TestReadsAtTheSameTimeAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, began := &slowAWS{}, time.Now()
		store := slow.store()
		var reading sync.WaitGroup
		for range 320 {
			reading.Go(func() {
				if _, err := store.Read(t.Context(), "default"); err != nil {
					t.Error(err)
				}
			})
		}
		reading.Wait()
		if took := time.Since(began); slow.atMost != 32 || took != 10*time.Second {
			t.Errorf("%d at once, %v in all; want 32 and 10 s", slow.atMost, took)
		}
	})
}

// A read whose time ends while it waits is not sent and takes no slot.
func TestAReadThatGivesUpWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := (&slowAWS{}).store()
		var reading sync.WaitGroup
		for range 32 {
			reading.Go(func() { _, _ = store.Read(t.Context(), "default") })
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := store.Read(ctx, "default")
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "GetSecretValue: timed out" {
			t.Errorf("%v", err)
		}
		reading.Wait()
		if _, err := store.Read(t.Context(), "default"); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}
