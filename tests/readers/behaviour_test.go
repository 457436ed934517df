package readers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reltio-token-rotator/rotator/reader"
	"reltio-token-rotator/tests/fake"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/extent"
)

// rule is a line of behaviour.json.
type rule struct{ ID, Rule string }

func rules(t *testing.T) []rule {
	t.Helper()
	text, err := os.ReadFile("behaviour.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []rule
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// The list, the page and the scenarios are the same.
func TestTheRulesAreOneTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/reading-the-token.md")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range rules(t) {
		ids = append(ids, r.ID)
		if row := "| `" + r.ID + "` | " + r.Rule + " |"; !strings.Contains(string(page), row) {
			t.Errorf("docs/reading-the-token.md lacks the row\n%s", row)
		}
	}
	slices.Sort(ids)
	if have := slices.Sorted(maps.Keys(scenarios)); !slices.Equal(ids, have) {
		t.Errorf("the scenarios are %v, the rules %v", have, ids)
	}
}

// Every reader keeps every rule.
func TestTheGoReaderKeepsTheRules(t *testing.T) {
	for _, r := range rules(t) {
		t.Run(r.ID, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &fixture{t: t, kind: kind{name: "go", threads: true}, apiURL: "https://api.reltio.com", otherURL: "https://other.example/"}
				w.job = &goReader{network: fake.Transport(map[string]http.Handler{
					"secretsmanager.us-east-1.amazonaws.com": http.HandlerFunc(w.aws),
					"lambda.us-east-1.amazonaws.com":         http.HandlerFunc(w.aws),
					"api.reltio.com":                         http.HandlerFunc(w.api),
					"other.example":                          http.HandlerFunc(w.other),
				})}
				scenarios[r.ID](w)
				w.check()
			})
		})
	}
}

func TestTheReadersKeepTheRules(t *testing.T) {
	for at, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			if k.name == "httpx" || k.name == "sh" || k.name == "java" {
				extent.OnlyFull(t) // the same code as python and bash; ten seconds of Maven
			}
			t.Parallel()
			benches := newBenches(t, k)
			for n, r := range rules(t) {
				if !extent.Has(at+n, 3) {
					continue
				}
				t.Run(r.ID, func(t *testing.T) {
					t.Parallel()
					w := benches.take(t)
					defer benches.give(w)
					scenarios[r.ID](w)
					w.check()
				})
			}
		})
	}
}

// benches are up to four processes of a kind with a fixture each, because a scenario
// mostly waits.
type benches struct {
	t    *testing.T // that the processes end with
	kind kind
	free chan *fixture // nil is one that has not been started
}

func newBenches(t *testing.T, k kind) *benches {
	t.Helper()
	k.command(t) // which skips where a tool is missing
	b := &benches{t: t, kind: k, free: make(chan *fixture, 4)}
	for range cap(b.free) {
		b.free <- nil
	}
	return b
}

func (b *benches) start() *fixture {
	w := &fixture{kind: b.kind, clock: filepath.Join(b.t.TempDir(), "clock")}
	w.reset(b.t)
	serve := func(handler http.HandlerFunc) string {
		server := httptest.NewServer(handler)
		b.t.Cleanup(server.Close)
		return server.URL
	}
	w.awsURL, w.apiURL = serve(w.aws), serve(w.api)
	w.otherURL = strings.Replace(serve(w.other), "127.0.0.1", "localhost", 1)
	w.job = startProcess(b.t, b.kind.command(b.t), w.awsURL, "CLOCK="+w.clock)
	return w
}

func (b *benches) take(t *testing.T) *fixture {
	w := <-b.free
	if w == nil {
		w = b.start()
	}
	w.reset(t)
	w.job.(*process).output.forget()
	return w
}

func (b *benches) give(w *fixture) { b.free <- w }

// goReader is the Go reader in this process.
type goReader struct {
	network http.RoundTripper
	client  *http.Client
	source  *reader.Source
	output  output
}

func (g *goReader) start(function string) error {
	g.output.forget()
	config := reader.Config{
		Secrets: secretsmanager.New(secretsmanager.Options{
			Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("job", "job", ""),
			HTTPClient: &http.Client{Transport: g.network}, RetryMaxAttempts: 1,
		}),
		SecretID: harness.SecretName("default", "token"),
		Log:      slog.New(slog.NewTextHandler(&g.output, nil)),
	}
	if function != "-" {
		config.Report = func(ctx context.Context, event []byte) error {
			return invoke(ctx, g.network, "https://lambda.us-east-1.amazonaws.com", function, string(event))
		}
	}
	g.source = reader.New(config)
	g.client = &http.Client{Transport: g.source.Transport(g.network)}
	return nil
}

// invoke is Lambda's Invoke, through the alias report.
func invoke(ctx context.Context, network http.RoundTripper, endpoint, function, event string) error {
	url := endpoint + "/2015-03-31/functions/" + function + "/invocations?Qualifier=report"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(event))
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: network}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("invoke: %s", response.Status)
	}
	return nil
}

func (g *goReader) call(what, url string, n int) ([]string, error) {
	statuses := make([]string, n)
	var work sync.WaitGroup
	for i := range n {
		work.Go(func() { statuses[i] = g.one(what, url) })
	}
	work.Wait()
	return statuses, nil
}

func (g *goReader) one(what, url string) string {
	method, body := http.MethodPost, io.Reader(strings.NewReader("body"))
	switch what {
	case "get":
		method, body = http.MethodGet, nil
	case "once":
		body = io.MultiReader(body)
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return "error:" + err.Error()
	}
	response, err := g.client.Do(req)
	if err != nil {
		g.output.note(err.Error())
		return "error:"
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return fmt.Sprint(response.StatusCode)
}

func (g *goReader) show() error {
	token, err := g.source.Token(context.Background())
	encoded, _ := json.Marshal(token)
	g.output.note(fmt.Sprintf("%v %+v %#v %s %s", token, token, &token, []reader.Token{token}, encoded))
	return err
}

func (g *goReader) printed() string { return g.output.String() }
