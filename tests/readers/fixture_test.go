package readers_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/tests/harness"
)

// fixture is the secret, the function and the API of one job, each as simple
// as can be, and the reader's clock.
type fixture struct {
	t    *testing.T
	job  job
	kind kind
	// awsURL is AWS_ENDPOINT_URL; apiURL takes the token, otherURL would like to.
	awsURL, apiURL, otherURL string
	// clock is the file that tells a process how many seconds its clock is ahead;
	// empty in a bubble, where time can pass.
	clock string

	mu        sync.Mutex
	ahead     time.Duration
	stands    time.Time // where the clock stands still but for advance; zero where it does not
	document  string    // the secret's value
	denied    bool      // to read it
	alive     string    // the one token that the API accepts
	reads     int       // of the secret
	seen      []string  // token and body of every request to the API
	elsewhere []string  // Authorization headers that reached the other host
	reports   []string
	// onReport is the function; nil denies its invocation.
	onReport func()
}

// job runs a reader.
type job interface {
	// start makes a new reader, which reports to function unless that is "-".
	start(function string) error
	// call sends n requests at the same time: "get", "text" with a body, or "once"
	// with a body that can be read only once. It returns their statuses, or what
	// kept them from having one.
	call(what, url string, n int) ([]string, error)
	// show prints the reader and its token in every way that its language has.
	show() error
	// printed is all that was printed since start.
	printed() string
}

// secretValue begins everything in a fixture that must not be printed.
const secretValue = "s3cr3t-value-"

// now is the reader's clock.
func (w *fixture) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time()
}

func (w *fixture) time() time.Time {
	if w.stands.IsZero() {
		return time.Now().Add(w.ahead)
	}
	return w.stands.Add(w.ahead)
}

// stopClock lets time pass by advance alone, so that no slow machine takes part in a
// scenario in which the reader does not wait.
func (w *fixture) stopClock() {
	w.t.Helper()
	if w.clock == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stands = time.Now().Truncate(time.Second)
	w.setClock()
}

// setClock tells a process. The caller holds w.mu.
func (w *fixture) setClock() {
	w.t.Helper()
	text := strconv.Itoa(int(w.ahead.Seconds()))
	if !w.stands.IsZero() {
		text = "=" + strconv.FormatInt(w.time().Unix(), 10)
	}
	if err := os.WriteFile(w.clock, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *fixture) advance(d time.Duration) {
	w.t.Helper()
	if w.clock == "" {
		time.Sleep(d)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
	w.setClock()
}

// publish writes a token that lives for an hour, without valid_until.
func (w *fixture) publish(token string) { w.publishFor(token, 0, time.Hour) }

// publishFor writes a token; valid_until is left out where it is 0.
func (w *fixture) publishFor(token string, validFor, life time.Duration) {
	now := w.now().UTC()
	fields := map[string]any{
		"access_token": secretValue + token, "token_type": "bearer", "scope": "", "expires_in": int(life.Seconds()),
		"issued_at": now.Format(time.RFC3339), "expires_at": now.Add(life).Format(time.RFC3339),
	}
	if validFor > 0 {
		fields["valid_until"] = now.Add(validFor).Format(time.RFC3339)
	}
	document, _ := json.Marshal(fields)
	w.put(string(document))
}

func (w *fixture) put(document string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.document = document
}

// accept makes a token the only one that the API accepts.
func (w *fixture) accept(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alive = secretValue + token
}

func (w *fixture) deny(denied bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.denied = denied
}

// report says what the function does when it is invoked.
func (w *fixture) report(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onReport = do
}

// after does something after a time.
func (w *fixture) after(d time.Duration, do func()) { time.AfterFunc(d, do) }

// aws is Secrets Manager and Lambda.
func (w *fixture) aws(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/") {
		w.invoke(rw, r, string(body))
		return
	}
	time.Sleep(20 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	var asked struct{ SecretId, VersionStage string }
	_ = json.Unmarshal(body, &asked)
	rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
	// SDKs that find their clock wrong sign and ask again.
	rw.Header().Set("Date", w.time().UTC().Format(http.TimeFormat))
	if w.denied || asked.VersionStage != "AWSCURRENT" || asked.SecretId != harness.SecretName("default", "token") {
		rw.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(rw, `{"__type":"AccessDeniedException","message":"denied"}`)
		return
	}
	answer, _ := json.Marshal(map[string]any{
		"ARN": "arn", "Name": asked.SecretId, "VersionId": strings.Repeat("v", 32), "SecretString": w.document, "VersionStages": []string{"AWSCURRENT"},
	})
	_, _ = rw.Write(answer)
}

// invoke is the function, which only its alias report lets a job into.
func (w *fixture) invoke(rw http.ResponseWriter, r *http.Request, event string) {
	w.mu.Lock()
	w.reports = append(w.reports, event)
	do := w.onReport
	w.mu.Unlock()
	if do == nil || r.URL.Path != "/2015-03-31/functions/rotate/invocations" || r.URL.Query().Get("Qualifier") != "report" {
		rw.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(rw, `{"Message":"denied"}`)
		return
	}
	do()
	_, _ = io.WriteString(rw, `{}`)
}

// api is Reltio's.
func (w *fixture) api(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the reader broke off
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	w.seen = append(w.seen, strings.TrimSpace(strings.TrimPrefix(token, secretValue)+" "+string(body)))
	switch {
	case r.URL.Path == "/away":
		http.Redirect(rw, r, w.otherURL, http.StatusTemporaryRedirect)
	case r.URL.Path == "/forbidden":
		rw.WriteHeader(http.StatusForbidden)
	case token != w.alive:
		rw.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(rw, "refused")
	}
}

// other is another host, which answers 401 and must not get the token.
func (w *fixture) other(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.elsewhere = append(w.elsewhere, r.Header.Get("Authorization"))
	rw.WriteHeader(http.StatusUnauthorized)
}

// start makes the reader of a scenario, with a token t1 that the API accepts.
func (w *fixture) start(function string) {
	w.t.Helper()
	w.accept("t1")
	w.publish("t1")
	if err := w.job.start(function); err != nil {
		w.t.Fatal(err)
	}
}

// call sends a request and checks its status.
func (w *fixture) call(what, path, want string) {
	w.t.Helper()
	w.calls(what, path, want, 1)
}

func (w *fixture) calls(what, path, want string, n int) {
	w.t.Helper()
	got, err := w.job.call(what, w.apiURL+path, n)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, status := range got {
		if status != want && (want != "error" || status[0] >= '0' && status[0] <= '9') {
			w.t.Errorf("a request ended with %s, want %s", status, want)
		}
	}
	if len(got) != n {
		w.t.Errorf("%d requests have ended, want %d", len(got), n)
	}
}

func (w *fixture) get(want string) { w.t.Helper(); w.call("get", "/", want) }

// wantReads checks how often the secret was read since it was asked last.
func (w *fixture) wantReads(low, high int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reads < low || w.reads > high {
		w.t.Errorf("the secret was read %d times, want %d to %d", w.reads, low, high)
	}
	w.reads = 0
}

// wantSeen checks what the API got since it was asked last.
func (w *fixture) wantSeen(want ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.seen, want) {
		w.t.Errorf("the API got %q, want %q", w.seen, want)
	}
	w.seen = nil
}

func (w *fixture) wantReports(n int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.reports) != n {
		w.t.Errorf("%d reports, want %d: %v", len(w.reports), n, w.reports)
	}
}

// reset is a new fixture for the same process.
func (w *fixture) reset(t *testing.T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t, w.ahead, w.stands = t, 0, time.Time{}
	w.document, w.denied, w.alive, w.reads = "", false, "", 0
	w.seen, w.elsewhere, w.reports, w.onReport = nil, nil, nil, nil
	if w.clock != "" {
		w.setClock()
	}
}

// check is what holds at the end of every scenario.
func (w *fixture) check() {
	w.t.Helper()
	if printed := w.job.printed(); strings.Contains(printed, secretValue) {
		w.t.Errorf("it printed a part of the secret:\n%s", printed)
	} else if w.t.Failed() && printed != "" {
		w.t.Logf("it printed:\n%s", fmt.Sprint(printed))
	}
}
