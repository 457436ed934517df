package faults_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/lambda"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/binary"
	"reltio-token-rotator/tests/harness/extent"
)

// bootstrap is the binary of the real function, as it is deployed.
var bootstrap binary.Once

func TestMain(m *testing.M) { os.Exit(bootstrap.Run(m)) }

// wireFault is what happens to one request of the real binary on the network.
type wireFault int

const (
	noWireFault wireFault = iota
	killBefore
	killAfter
	cutBefore // the connection is cut before any effect; the SDK repeats the request
	cutAfter
	cutAndKill // cut after the effect, and the process is killed when it repeats the request
)

func (f wireFault) String() string {
	return [...]string{"no fault", "killed before", "killed after", "cut before", "cut after", "cut after, killed in the SDK's retry"}[f]
}

func (f wireFault) kills() bool { return f == killBefore || f == killAfter || f == cutAndKill }

// deployment is the real binary with what it talks to, on loopback.
type deployment struct {
	harness.Fakes
	*lambda.Function
	t        *testing.T
	password bool

	// faultOf is asked about each request before it is served.
	mu      sync.Mutex
	faultOf func(name string) wireFault
	calls   []string
}

func deploy(t *testing.T, p provider, password bool) *deployment {
	d := &deployment{Fakes: harness.NewFakes(fakeaws.Options{}, p.options), t: t, password: password}
	d.Add(connection)
	_, refreshToken := d.Reltio.Login()
	d.put(refreshToken)
	d.Function = harness.Start(t, lambda.Config{
		Binary: bootstrap.Path(t), Timeout: time.Minute, Freeze: true,
		Env: d.Serve(t, d.proxy(d.AWS), d.proxy(d.Reltio)),
	})
	return d
}

// put writes credentials as an operator does.
func (d *deployment) put(refreshToken string) {
	fields := map[string]string{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken}
	if d.password {
		fields["username"], fields["password"] = "user", "password"
	}
	d.PutCredentials(connection, fields)
}

// proxy is in front of a server and injects the faults into the connections and
// the process.
func (d *deployment) proxy(server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		happens := d.notice(requestName(r, body))
		switch happens {
		case killBefore:
			d.Kill()
			panic(http.ErrAbortHandler)
		case cutBefore:
			panic(http.ErrAbortHandler)
		case killAfter, cutAfter:
			server.ServeHTTP(httptest.NewRecorder(), r)
			if happens == killAfter {
				d.Kill()
			}
			panic(http.ErrAbortHandler)
		}
		server.ServeHTTP(w, r)
	})
}

func (d *deployment) notice(name string) wireFault {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, name)
	if d.faultOf == nil {
		return noWireFault
	}
	return d.faultOf(name)
}

// requestName is the operation and the last part of the secret's or parameter's
// name.
func requestName(r *http.Request, body []byte) string {
	_, operation, aws := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !aws {
		return "token request"
	}
	var about struct{ Name, SecretID string }
	_ = json.Unmarshal(body, &about)
	name := about.Name + about.SecretID
	return operation + " " + name[strings.LastIndexByte(name, '/')+1:]
}

// beat invokes the function and returns the connection's line of the report;
// an empty one where there is none.
func (d *deployment) beat(event string) (rotator.Result, lambda.Result) {
	d.t.Helper()
	result, err := d.Invoke(d.t.Context(), []byte(event))
	if err != nil {
		d.t.Fatal(err)
	}
	var report rotator.Report
	_ = json.Unmarshal(result.Payload, &report)
	return result1(report), result
}

// lapse makes a dead run's lease expire, as if more than a minute had passed.
func (d *deployment) lapse() {
	d.AWS.Age(harness.SecretName(connection, "credentials"), time.Minute)
	if state := d.State(connection); !state.Primary.AnswerLostAt.IsZero() {
		state.Primary.AnswerLostAt = state.Primary.AnswerLostAt.Add(-time.Minute)
		older, _ := json.Marshal(state)
		d.AWS.PutParameter(harness.ParameterName(connection, "state"), string(older))
	}
	name := harness.ParameterName(connection, "lease")
	document, _, _ := d.AWS.Parameter(name)
	var c rotator.Lease
	if json.Unmarshal([]byte(document), &c) != nil || c.Until.IsZero() {
		return
	}
	c.Until = time.Now().Add(-time.Second)
	lapsed, _ := json.Marshal(c)
	d.AWS.PutParameter(name, string(lapsed))
}

// processCase is a failure case of a real process: a fault of one of its requests.
type processCase struct {
	provider provider
	password bool
	calls    []string // of a refresh without faults
	at       int
	fault    wireFault
}

func TestKilledProcesses(t *testing.T) {
	var killed, cut atomic.Int64
	possible, least := 0, int64(40)
	if !extent.Full() {
		least = 10
	}
	var lost sync.Map
	t.Run("cases", func(t *testing.T) {
		// These tests mostly wait, so more of them run at once than t.Parallel would
		// allow.
		var running sync.WaitGroup
		defer running.Wait()
		places := make(chan struct{}, 16)
		for _, p := range providers {
			for _, password := range []bool{false, true} {
				if password && !p.options.RevokeFamilyOnReplay {
					continue // the matrix has them; here the real process counts
				}
				baseline := deploy(t, p, password)
				if got, _ := baseline.beat(`{}`); got.Outcome != rotator.Refreshed {
					t.Fatalf("without a fault: %+v", got)
				}
				baseline.Stop()
				for at, name := range baseline.calls {
					for _, f := range []wireFault{killBefore, killAfter, cutBefore, cutAfter, cutAndKill} {
						if name == "token request" && f == cutAndKill {
							continue // it is never repeated
						}
						if possible++; !extent.Has(possible, 6) {
							continue
						}
						c := processCase{p, password, baseline.calls, at, f}
						running.Go(func() {
							places <- struct{}{}
							defer func() { <-places }()
							t.Run(fmt.Sprintf("%s, password %v, %d %s %v", p.name, password, at, name, f), func(t *testing.T) {
								if f.kills() {
									killed.Add(1)
								} else {
									cut.Add(1)
								}
								if c.run(t) {
									lost.Store(t.Name(), true)
								}
							})
						})
					}
				}
			}
		}
	})
	t.Logf("%d cases with a killed process, %d with a cut connection", killed.Load(), cut.Load())
	lost.Range(func(name, _ any) bool {
		t.Logf("refresh token lost: %s", name)
		return true
	})
	if killed.Load() < least {
		t.Errorf("fewer than %d killed processes", least)
	}
}

// run runs the case and reports whether the refresh token was lost.
func (c processCase) run(t *testing.T) (lost bool) {
	d := deploy(t, c.provider, c.password)
	place, faulty := -1, 0
	d.faultOf = func(name string) wireFault {
		place++
		switch {
		case place == c.at:
			faulty++
			if c.fault == cutAndKill {
				return cutAfter
			}
			return c.fault
		case c.fault == cutAndKill && place == c.at+1 && name == c.calls[c.at]:
			faulty++
			return killAfter
		}
		return noWireFault
	}
	_, result := d.beat(`{}`)
	if died := result.ErrorType == lambda.ExitError; died != c.fault.kills() {
		t.Fatalf("%d faults: %+v, %s", faulty, result, result.Payload)
	}
	d.mu.Lock()
	d.faultOf = nil
	d.mu.Unlock()

	beats := 0
	for ; beats < 3; beats++ {
		d.lapse()
		got, _ := d.beat(`{}`)
		if got.Outcome == rotator.NotDue || got.Outcome == rotator.BackingOff {
			break
		}
	}
	if beats > 2 {
		t.Errorf("not quiet after %d heartbeats: %+v", beats, d.State(connection))
	}
	requests := d.Reltio.Requests()
	refused := 0
	for _, r := range requests {
		if r.Status == 400 {
			refused++
		}
	}
	lost = refused > 0
	if lost && !c.mayLose() {
		t.Errorf("a refresh token was lost")
	}
	allowed := 1 // and one more where an answer or a record was lost, and a login
	if at := c.place("token request"); c.at > at && c.fault.kills() || c.at == at {
		allowed++
	}
	if lost && c.password {
		allowed++
	}
	if len(requests) > allowed {
		t.Errorf("%d token requests, %d are explained: %v", len(requests), allowed, requests)
	}
	if lost && !c.password {
		if d.State(connection).Primary.Error != rotator.RefreshTokenRejected {
			t.Errorf("the loss is not reported: %+v", d.State(connection))
		}
		d.Reltio.AddRefreshToken("operator-1")
		d.put("operator-1")
		d.beat(`{}`)
	}
	if !d.Alive(connection) || d.State(connection).Error != "" {
		t.Errorf("no live token is published: %+v", d.State(connection))
	}
	if got, _ := d.beat(`{"action":"refresh","force":true}`); got.Error != "" || !d.Alive(connection) {
		t.Errorf("what is stored does not work: %+v", got)
	}
	return lost
}

func (c processCase) place(name string) int {
	for at, call := range c.calls {
		if call == name {
			return at
		}
	}
	return -1
}

// mayLose: see failureCase.
func (c processCase) mayLose() bool {
	issued, saved := c.place("token request"), c.place("PutSecretValue credentials")
	switch {
	case !c.provider.rotates():
		return false
	case c.at == issued:
		return c.fault == killAfter || c.fault == cutAfter
	}
	return c.at == saved && c.fault == killBefore
}
