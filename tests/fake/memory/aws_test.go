package memory_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	"reltio-token-rotator/rotator/secret"
	"reltio-token-rotator/tests/fake"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/memory"
)

// stores is everything that the rotator keeps in AWS.
type stores interface {
	rotator.Lister
	rotator.ParameterWriter
	rotator.CredentialsReader
	rotator.CredentialsSaver
	rotator.Pending
	rotator.TokenPublisher
}

// account is an AWS account with one connection and the rotator's way to it.
type account struct {
	*transcript
	stores
	person func(document string) // puts credentials
	delete func(kind rotator.Kind)
	late   func(kind rotator.Kind) // the next listing is late with the last write
	fault  func(operation, code string, lost bool, times int)
	token  func() (string, bool)
}

const connection = "default"

func (a *account) list() {
	found, err := a.List(context.Background())
	var lines []string
	for _, p := range found {
		lines = append(lines, fmt.Sprintf("%s/%s=%s (%d)", p.Connection, p.Kind, p.Value.Reveal(), p.Version))
	}
	slices.Sort(lines)
	a.note("list: %s, %s", strings.Join(lines, " "), result(err))
}

func (a *account) put(kind rotator.Kind, value string) {
	version, err := a.Put(context.Background(), connection, kind, value)
	a.note("put %s: version %d, %s", kind, version, result(err))
}

func (a *account) at(kind rotator.Kind, version int64) {
	value, err := a.At(context.Background(), connection, kind, version)
	a.note("%s at %d: %q, %s", kind, version, value, result(err))
}

func (a *account) read() {
	v, err := a.Read(context.Background(), connection)
	a.note("read: %s %q, %s", a.name("V", v.ID), v.Document.Reveal(), result(err))
}

// own is an id that a run chooses.
func own(n int) string { return fmt.Sprintf("rotator-%032d", n) }

func (a *account) save(n int, document string) {
	a.name("V", own(n))
	a.note("save: %s", result(a.Save(context.Background(), connection, own(n), secret.New(document))))
}

func (a *account) labels() rotator.VersionLabels {
	labels, err := a.Labels(context.Background(), connection)
	a.note("labels: %s, %s, %s", a.name("V", labels.Current), a.name("V", labels.Previous), result(err))
	return labels
}

func (a *account) restorePrevious(from, to string) {
	a.note("give back: %s", result(a.RestorePrevious(context.Background(), connection, from, to)))
}

func (a *account) publish(n int, document string) {
	err := a.Publish(context.Background(), connection, own(n), secret.New(document))
	published, ok := a.token()
	a.note("publish: %s; published: %q, %v", result(err), published, ok)
}

func result(err error) string {
	switch {
	case err == nil:
		return "well"
	case errors.Is(err, rotator.ErrNotFound):
		return "not found"
	case errors.Is(err, rotator.ErrMoved):
		return "moved"
	}
	return err.Error()
}

func TestAWSInMemoryAnswersLikeTheStandIn(t *testing.T) {
	scenes := map[string]func(a *account){
		"parameters count their writes": func(a *account) {
			a.list()
			a.put(rotator.KindLease, "one")
			a.put(rotator.KindLease, "two")
			a.put(rotator.KindState, "three")
			a.list()
			a.at(rotator.KindLease, 2)
			a.at(rotator.KindLease, 3)
			a.at(rotator.KindLease, 4)
			a.at(rotator.KindPending, 1)
			for n := range 100 {
				a.put(rotator.KindLease, fmt.Sprint(n))
			}
			a.at(rotator.KindLease, 3)
			a.at(rotator.KindLease, 4)
		},
		"a deleted parameter counts from 1 again": func(a *account) {
			a.put(rotator.KindLease, "one")
			a.delete(rotator.KindLease)
			a.list()
			a.at(rotator.KindLease, 2)
			time.Sleep(time.Minute)
			a.put(rotator.KindLease, "two")
			a.list()
		},
		"a listing may be late": func(a *account) {
			time.Sleep(time.Minute)
			a.put(rotator.KindState, "one")
			a.late(rotator.KindState)
			a.list()
			a.list()
			time.Sleep(time.Minute)
			a.note("pending: %s", result(a.PutPending(context.Background(), connection, secret.New("two"))))
			a.late(rotator.KindPending)
			a.list()
			a.list()
		},
		"a pending refresh token comes and goes": func(a *account) {
			a.note("delete: %s", result(a.DeletePending(context.Background(), connection)))
			a.note("put: %s", result(a.PutPending(context.Background(), connection, secret.New("one"))))
			a.list()
			a.note("put: %s", result(a.PutPending(context.Background(), connection, secret.New("two"))))
			a.list()
			a.note("delete: %s", result(a.DeletePending(context.Background(), connection)))
			a.note("put: %s", result(a.PutPending(context.Background(), connection, secret.New("three"))))
			a.list()
			time.Sleep(time.Minute)
			a.note("put: %s", result(a.PutPending(context.Background(), connection, secret.New("four"))))
			a.list()
		},
		"labels follow the writes": func(a *account) {
			a.read()
			a.labels()
			a.save(1, "by a run")
			a.read()
			a.labels()
			a.person("by a person")
			a.read()
			a.labels()
			a.save(2, "by another run")
			labels := a.labels()
			a.save(2, "by another run")
			a.save(2, "something else")
			a.labels()
			a.restorePrevious(labels.Previous, labels.Current)
			a.restorePrevious(own(1), labels.Previous)
			a.restorePrevious(labels.Current, own(9))
			a.restorePrevious(labels.Current, labels.Previous)
			a.read()
			a.labels()
			a.restorePrevious(labels.Current, labels.Previous)
		},
		"an unknown connection": func(a *account) {
			_, err := a.Read(context.Background(), "other")
			a.note("%s", result(err))
			_, err = a.Labels(context.Background(), "other")
			a.note("%s", result(err))
			a.note("%s", result(a.Publish(context.Background(), "other", own(1), secret.New("x"))))
			_, err = a.At(context.Background(), "other", rotator.KindState, 1)
			a.note("%s", result(err))
		},
		"a secret takes 100 versions a day": func(a *account) {
			for n := range 105 {
				a.publish(n, fmt.Sprint(n))
				time.Sleep(time.Minute)
			}
			time.Sleep(day)
			a.publish(200, "a day later")
		},
	}
	// Every call under everything that can be wrong with it.
	calls := map[string]func(a *account){
		"GetParametersByPath":      func(a *account) { a.list() },
		"PutParameter":             func(a *account) { a.put(rotator.KindLease, "one"); a.list() },
		"GetParameter":             func(a *account) { a.at(rotator.KindLease, 1) },
		"DeleteParameter":          func(a *account) { a.note("%s", result(a.DeletePending(context.Background(), connection))) },
		"GetSecretValue":           func(a *account) { a.read() },
		"PutSecretValue":           func(a *account) { a.publish(1, "one") },
		"DescribeSecret":           func(a *account) { a.labels() },
		"UpdateSecretVersionStage": func(a *account) { a.restorePrevious(own(1), own(2)); a.labels() },
	}
	for operation, call := range calls {
		for _, code := range []string{"ThrottlingException", "InternalServiceError", "AccessDeniedException"} {
			for _, times := range []int{1, 2, 3} {
				scenes[fmt.Sprint(operation, " ", code, " ", times)] = func(a *account) {
					a.save(2, "two")
					a.save(1, "one")
					a.fault(operation, code, false, times)
					call(a)
				}
			}
		}
		scenes[operation+", answer lost"] = func(a *account) {
			a.save(2, "two")
			a.save(1, "one")
			a.fault(operation, "connection failed", true, 1)
			call(a)
		}
	}
	for name, play := range scenes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inMemory, real := memoryAccount(), realAccount()
				play(inMemory)
				play(real)
				compare(t, inMemory.transcript, real.transcript)
			})
		})
	}
}

func memoryAccount() *account {
	server := memory.NewAWS()
	var coming memory.Fault
	var operation string
	var times int
	var late bool
	server.Weather = func(c memory.Call) memory.Fault {
		switch {
		case late && c.Operation == "GetParametersByPath":
			late = false
			return memory.Fault{Lag: time.Second}
		case times > 0 && c.Operation == operation:
			times--
			return coming
		}
		return memory.Fault{}
	}
	server.Add(connection)
	return &account{
		transcript: newTranscript(), stores: server.Process(),
		person: func(document string) { _ = server.PutSecret(connection, memory.Credentials, document) },
		delete: func(kind rotator.Kind) { server.DeleteParameter(connection, kind) },
		late:   func(rotator.Kind) { late = true },
		fault: func(op, code string, lost bool, n int) {
			operation, coming, times = op, memory.Fault{Code: code, Lost: lost}, n
		},
		token: func() (string, bool) { return server.Secret(connection, memory.Token) },
	}
}

func realAccount() *account {
	const prefix = "reltio-token-rotator/test"
	server := fakeaws.New(fakeaws.Options{RecreateAfter: 30 * time.Second})
	secretName := func(kind string) string { return prefix + "/" + connection + "/" + kind }
	parameter := func(kind rotator.Kind) string { return "/" + prefix + "/" + connection + "/" + string(kind) }
	for _, kind := range []rotator.Kind{rotator.KindConfig, rotator.KindState, rotator.KindLease} {
		server.PutParameter(parameter(kind), "{}")
	}
	server.CreateSecret(secretName("credentials"))
	server.CreateSecret(secretName("token"))
	transport := fake.Transport(map[string]http.Handler{
		"secretsmanager.us-east-1.amazonaws.com": server,
		"ssm.us-east-1.amazonaws.com":            server,
	})
	store := awsstore.New(aws.Config{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:  &http.Client{Transport: transport, Timeout: 5 * time.Second},
	}, prefix)
	return &account{
		transcript: newTranscript(), stores: store,
		person: func(document string) { server.PutSecret(secretName("credentials"), document) },
		delete: func(kind rotator.Kind) { server.DeleteParameter(parameter(kind)) },
		late:   func(kind rotator.Kind) { server.Stale("/"+string(kind), 1) },
		fault: func(operation, code string, lost bool, n int) {
			f := fakeaws.Fault{Operation: operation, Code: code, Times: n}
			if lost {
				f.When, f.Code = fakeaws.After, ""
			}
			server.Inject(f)
		},
		token: func() (string, bool) { return server.Secret(secretName("token")) },
	}
}
