package redaction

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	"reltio-token-rotator/rotator/emf"
	"reltio-token-rotator/rotator/reltio"
	"reltio-token-rotator/rotator/secret"
	"reltio-token-rotator/tests/fake"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// thrown are values that a panic can have.
var thrown = map[string]any{
	"a string": allCanaries, "an error": errors.New(allCanaries), "a wrapped error": fmt.Errorf("x: %w", errors.New(allCanaries)),
	"an error of the rotator's": &rotator.Error{Code: rotator.ServerError, Message: allCanaries}, "a code": rotator.Code(allCanaries),
	"a struct": struct{ Token string }{allCanaries}, "bytes": []byte(allCanaries), "a secret": secret.New(allCanaries), "nil": nil,
}

// panicker works until one chosen method is called, which panics.
type panicker struct {
	*rotator.Rotator
	in       string
	value    any
	panicked *atomic.Bool
}

func (p panicker) at(method string) {
	if method == p.in {
		p.panicked.Store(true)
		panic(p.value)
	}
}

func (p panicker) List(ctx context.Context) ([]rotator.Parameter, error) {
	p.at("List")
	return p.Lister.List(ctx)
}

func (p panicker) WaitToWrite(ctx context.Context, priority rotator.Priority) error {
	p.at("WaitToWrite")
	return p.Parameters.WaitToWrite(ctx, priority)
}

func (p panicker) Put(ctx context.Context, c string, k rotator.Kind, v string) (int64, error) {
	p.at("Put")
	return p.Parameters.Put(ctx, c, k, v)
}

func (p panicker) At(ctx context.Context, c string, k rotator.Kind, v int64) (string, error) {
	p.at("At")
	return p.Parameters.At(ctx, c, k, v)
}

func (p panicker) Read(ctx context.Context, c string) (rotator.SecretVersion, error) {
	p.at("Read")
	return p.Credentials.Read(ctx, c)
}

func (p panicker) ReadVersion(ctx context.Context, c, v string) (rotator.SecretVersion, error) {
	p.at("ReadVersion")
	return p.Credentials.ReadVersion(ctx, c, v)
}

func (p panicker) Save(ctx context.Context, c, v string, d secret.Value) error {
	p.at("Save")
	return p.Saver.Save(ctx, c, v, d)
}

func (p panicker) Labels(ctx context.Context, c string) (rotator.VersionLabels, error) {
	p.at("Labels")
	return p.Saver.Labels(ctx, c)
}

func (p panicker) RestorePrevious(ctx context.Context, c, from, to string) error {
	p.at("RestorePrevious")
	return p.Saver.RestorePrevious(ctx, c, from, to)
}

func (p panicker) PutPending(ctx context.Context, c string, d secret.Value) error {
	p.at("PutPending")
	return p.Pending.PutPending(ctx, c, d)
}

func (p panicker) DeletePending(ctx context.Context, c string) error {
	p.at("DeletePending")
	return p.Pending.DeletePending(ctx, c)
}

func (p panicker) Publish(ctx context.Context, c, v string, d secret.Value) error {
	p.at("Publish")
	return p.Tokens.Publish(ctx, c, v, d)
}

func (p panicker) RequestToken(ctx context.Context, r rotator.TokenRequest) (rotator.TokenResponse, error) {
	p.at("RequestToken")
	return p.Endpoint.RequestToken(ctx, r)
}

func (p panicker) Write(now time.Time, m rotator.Metrics) error {
	p.at("Write")
	return p.Metrics.Write(now, m)
}

// wrap puts a panicker in front of everything that the rotator calls.
func (p panicker) wrap(r *rotator.Rotator) {
	inner := *r
	p.Rotator = &inner
	r.Lister, r.Parameters, r.Credentials, r.Saver, r.Pending, r.Tokens, r.Endpoint, r.Metrics = p, p, p, p, p, p, p, p
}

// courseOf says which course of events leads to a method. If it has no entry, that is
// "rotates".
var courseOf = map[string]string{"At": "raced", "ReadVersion": "overtaken", "RestorePrevious": "overtaken", "PutPending": "into pending", "DeletePending": "from pending"}

// methods are the methods that a type calls: those of its fields that are
// interfaces.
func methods(fields reflect.Type) []string {
	var names []string
	for i := range fields.NumField() {
		if field := fields.Field(i).Type; field.Kind() == reflect.Interface {
			for j := range field.NumMethod() {
				names = append(names, field.Method(j).Name)
			}
		}
	}
	return names
}

// A panic in each method that the rotator calls.
func TestPanicsInWhatTheRotatorCalls(t *testing.T) {
	called := methods(reflect.TypeFor[rotator.Rotator]())
	if len(called) < 13 {
		t.Fatalf("the rotator calls only %v", called)
	}
	for _, method := range called {
		for name, value := range thrown {
			t.Run(method+" throws "+name, func(t *testing.T) {
				way := courseOf[method]
				if way == "" {
					way = "rotates"
				}
				var panicked atomic.Bool
				simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(s *fixture) {
					s.seed(kinds["refresh"])
					courses[way](s, func() { s.wrap = panicker{in: method, value: value, panicked: &panicked}.wrap })
				})
				if !panicked.Load() {
					t.Error("the method was not called")
				}
			})
		}
	}
}

// throws panics with what was sent and the canaries. It is used as a transport, and
// as the writer of logs and metrics.
type throws struct {
	in   string // a part of the request's URL
	next http.RoundTripper
}

func (p throws) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.String(), p.in) {
		return p.next.RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	panic(fmt.Errorf("%v %s %s", r.Header, body, allCanaries))
}

func (throws) Write(p []byte) (int, error) { panic(fmt.Sprintf("%s %s", p, allCanaries)) }

// A panic inside each of the packages.
func TestPanicsInEveryPackage(t *testing.T) {
	for name, breaks := range map[string]func(s *fixture, r *rotator.Rotator){
		"rotator/reltio": func(s *fixture, r *rotator.Rotator) {
			r.Endpoint = reltio.New(reltio.Config{RequestsPerSecond: 5, Transport: throws{}})
		},
		"rotator/awsstore, parameters": func(s *fixture, r *rotator.Rotator) {
			store := s.store(throws{in: "ssm."})
			r.Lister, r.Parameters = store, store
		},
		"rotator/awsstore, secrets": func(s *fixture, r *rotator.Rotator) {
			store := s.store(throws{in: "secretsmanager."})
			r.Credentials, r.Saver, r.Tokens = store, store, store
		},
		"rotator/emf": func(s *fixture, r *rotator.Rotator) { r.Metrics = emf.New(throws{}, harness.Stack) },
		"the log": func(s *fixture, r *rotator.Rotator) {
			r.Log = slog.New(slog.NewJSONHandler(throws{}, nil))
		},
	} {
		for kind, fields := range kinds {
			t.Run(name+", "+kind, func(t *testing.T) {
				simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(s *fixture) {
					s.seed(fields)
					s.wrap = func(r *rotator.Rotator) { breaks(s, r) }
					report := s.beat()
					if !strings.Contains(report.Message, "a bug in the rotator") && !strings.Contains(fmt.Sprint(report.Connections), "a bug in the rotator") {
						t.Errorf("nothing panicked: %+v", report)
					}
					s.force()
					s.wrap = func(*rotator.Rotator) {}
					time.Sleep(time.Hour)
					s.beat()
				})
			})
		}
	}
}

// store is the real store, over a transport to the fake.
func (s *fixture) store(transport throws) *awsstore.Store {
	transport.next = fake.Transport(map[string]http.Handler{
		"secretsmanager.us-east-1.amazonaws.com": &s.storage, "ssm.us-east-1.amazonaws.com": &s.storage,
	})
	return awsstore.New(aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient: &http.Client{Transport: transport},
	}, harness.Prefix)
}

// leaky is a store that breaks its contract: its errors contain secrets.
type leaky struct{ rotator.TokenPublisher }

func (leaky) Publish(_ context.Context, _, _ string, document secret.Value) error {
	return fmt.Errorf("could not write %s", document.Reveal())
}

// This tests the search itself: a secret in a message is found in the report, the
// log and the error of a run.
func TestALeakIsFound(t *testing.T) {
	simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(s *fixture) {
		s.seed(kinds["refresh"])
		s.wrap = func(r *rotator.Rotator) { r.Tokens = leaky{r.Tokens} }
		s.beat()
		s.see(s.Output())
		if found := s.finder.Find(s.seen.String()); len(found) == 0 {
			t.Error("a token in a message was not seen")
		}
		if found := s.finder.Find(s.Output()); len(found) == 0 {
			t.Error("a token in the log was not seen")
		}
		s.seen.Reset()
		s.finder = Finder{}
	})
}
