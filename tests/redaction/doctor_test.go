package redaction

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	"reltio-token-rotator/rotator/doctor"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// The doctor reads the credentials too, and says more than a run does.

// seeReport adds a doctor's report to the output that is searched.
func (s *fixture) seeReport(report doctor.Report, err error) {
	document, _ := json.Marshal(report)
	s.see(fmt.Sprintf("%s %+v %#v", document, report, report))
	if err != nil {
		s.see(fmt.Sprintf("%v %+v %#v", err, err, err))
	}
}

func TestTheDoctorOfBadDocuments(t *testing.T) {
	check := func(prepare func(s *fixture)) {
		simulate(t, fakereltio.Options{}, func(s *fixture) {
			s.finder.Add("client secret in a URL", "cS7qZwKd41LxvT")
			s.seed(kinds["refresh, then login"])
			prepare(s)
			s.seeReport(s.Check(s.t.Context()))
		})
	}
	for _, document := range badCredentials {
		check(func(s *fixture) { s.AWS.PutSecret(harness.SecretName("default", "credentials"), with(document)) })
		check(func(s *fixture) { s.AWS.PutParameter(harness.ParameterName("default", "pending"), with(document)) })
	}
	for _, document := range badConfigs {
		check(func(s *fixture) { s.AWS.PutParameter(harness.ParameterName("default", "config"), with(document)) })
	}
	for _, change := range []func(n *harness.Network){
		func(*harness.Network) {},
		func(n *harness.Network) { n.NoRoute = true },
		func(n *harness.Network) { n.Refuse = true },
		func(n *harness.Network) { n.Untrusted = true },
		func(n *harness.Network) { n.Plain = true },
		func(n *harness.Network) {
			n.Certificate = func(c *x509.Certificate) { c.DNSNames = []string{"elsewhere.example"} }
		},
		func(n *harness.Network) {
			n.Certificate = func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
		},
	} {
		check(func(s *fixture) { change(&s.Network) })
	}
}

// Every AWS call that the doctor makes, with every answer that it can get.
func TestTheDoctorWithFaults(t *testing.T) {
	cases := 0
	for _, call := range []struct{ operation, name string }{
		{"GetParametersByPath", ""},
		{"GetSecretValue", "/credentials"},
		{"DescribeSecret", "/credentials"},
		{"DescribeSecret", "/token"},
		{"PutSecretValue", "/credentials"},
		{"PutSecretValue", "/token"},
		{"UpdateSecretVersionStage", "/credentials"},
		{"PutParameter", "/check"},
		{"DeleteParameter", "/check"},
	} {
		for name, trouble := range troubles {
			cases++
			t.Run(call.operation+call.name+" "+name, func(t *testing.T) {
				simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(s *fixture) {
					s.seed(kinds["refresh"])
					s.beat()
					met := false
					s.storage.answer = func(operation, name string, w http.ResponseWriter) bool {
						if operation != call.operation || !strings.HasSuffix(name, call.name) {
							return false
						}
						met = true
						trouble(w)
						return true
					}
					s.seeReport(s.Check(s.t.Context()))
					if !met {
						t.Error("it was not called")
					}
				})
			})
		}
	}
	t.Logf("%d failure cases: AWS calls of the doctor × troubles", cases)
}

// doctorPanicker works until one chosen method is called, which panics.
type doctorPanicker struct {
	*awsstore.Store
	panicker
}

func (p doctorPanicker) List(ctx context.Context) ([]rotator.Parameter, error) {
	p.at("List")
	return p.Store.List(ctx)
}

func (p doctorPanicker) Read(ctx context.Context, c string) (rotator.SecretVersion, error) {
	p.at("Read")
	return p.Store.Read(ctx, c)
}

func (p doctorPanicker) SecretName(c string, k rotator.SecretKind) string {
	p.at("SecretName")
	return p.Store.SecretName(c, k)
}

func (p doctorPanicker) Describe(ctx context.Context, c string, k rotator.SecretKind) (rotator.SecretDescription, error) {
	p.at("Describe")
	return p.Store.Describe(ctx, c, k)
}

func (p doctorPanicker) PutLabelled(ctx context.Context, c string, k rotator.SecretKind, id, label, document string) (bool, error) {
	p.at("PutLabelled")
	return p.Store.PutLabelled(ctx, c, k, id, label, document)
}

func (p doctorPanicker) RemoveLabel(ctx context.Context, c string, k rotator.SecretKind, id, label string) error {
	p.at("RemoveLabel")
	return p.Store.RemoveLabel(ctx, c, k, id, label)
}

func (p doctorPanicker) ParameterName(c string, k rotator.Kind) string {
	p.at("ParameterName")
	return p.Store.ParameterName(c, k)
}

func (p doctorPanicker) WaitToWrite(ctx context.Context, priority rotator.Priority) error {
	p.at("WaitToWrite")
	return p.Store.WaitToWrite(ctx, priority)
}

func (p doctorPanicker) PutCheck(ctx context.Context, c string) error {
	p.at("PutCheck")
	return p.Store.PutCheck(ctx, c)
}

func (p doctorPanicker) DeleteCheck(ctx context.Context, c string) error {
	p.at("DeleteCheck")
	return p.Store.DeleteCheck(ctx, c)
}

func (p doctorPanicker) Reach(context.Context, string) (string, error) {
	p.at("Reach")
	return "reached", nil
}

func TestPanicsInWhatTheDoctorCalls(t *testing.T) {
	called := methods(reflect.TypeFor[doctor.Doctor]())
	if len(called) < 10 {
		t.Fatalf("the doctor calls only %v", called)
	}
	// The doctor names a secret only if something is wrong with it.
	denied := map[string]string{"SecretName": "DescribeSecret", "ParameterName": "GetParametersByPath"}
	for _, method := range called {
		for name, value := range thrown {
			t.Run(method+" throws "+name, func(t *testing.T) {
				var panicked atomic.Bool
				simulate(t, fakereltio.Options{}, func(s *fixture) {
					s.seed(kinds["refresh"])
					s.storage.answer = func(operation, _ string, w http.ResponseWriter) bool {
						if operation != denied[method] {
							return false
						}
						troubles["denied"](w)
						return true
					}
					process := s.Process()
					b := doctorPanicker{process.Lister.(*awsstore.Store), panicker{in: method, value: value, panicked: &panicked}}
					checker := &doctor.Doctor{Settings: s.Settings, Lister: b, Credentials: b, Secrets: b, Parameters: b, Hosts: b, Log: process.Log}
					ctx, cancel := context.WithTimeout(s.t.Context(), harness.Timeout)
					defer cancel()
					s.seeReport(checker.Check(ctx))
				})
				if !panicked.Load() {
					t.Error("the method was not called")
				}
			})
		}
	}
}
