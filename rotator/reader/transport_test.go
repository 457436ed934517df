package reader_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestA401(t *testing.T) {
	play(t, "is answered with the secret's new token, body and all", func(t *testing.T, w *harness) {
		w.get()
		w.refresh("t2")
		w.publish("t2", time.Hour)
		if got := w.do(w.request(http.MethodPost, strings.NewReader("body"))); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
		w.wantSeen("api.reltio.com Bearer t1", "api.reltio.com Bearer t1 body", "api.reltio.com Bearer t2 body")
		w.wantReads(2)
	})
	play(t, "waits until a new token is published", func(t *testing.T, w *harness) {
		w.get()
		w.refresh("t2")
		w.at(4500*time.Millisecond, func() { w.publish("t2", time.Hour) })
		if got := w.get(); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
		w.wantReports(0)
	})
	play(t, "of many jobs at once is one search", func(t *testing.T, w *harness) {
		w.get()
		w.refresh("t2")
		w.at(2*time.Second, func() { w.publish("t2", time.Hour) })
		w.wantReads(1)
		var jobs sync.WaitGroup
		for range 20 {
			jobs.Go(func() {
				if got := w.get(); got != http.StatusOK {
					t.Errorf("status %d", got)
				}
			})
		}
		jobs.Wait()
		w.wantReads(6) // at 0, 1/8, 3/8, 7/8, 15/8 and 23/8 s
		if len(w.seen) != 1+40 {
			t.Errorf("%d requests, want one repeat a job", len(w.seen))
		}
	})
	play(t, "that arrives late needs no read", func(t *testing.T, w *harness) {
		w.get()
		w.refresh("t2")
		w.publish("t2", time.Hour)
		w.serve = map[string]http.HandlerFunc{"slow.reltio.com": func(rw http.ResponseWriter, r *http.Request) {
			w.mu.Unlock()
			if r.Header.Get("Authorization") == "Bearer t1" {
				w.get() // another job finds t2 meanwhile
				rw.WriteHeader(http.StatusUnauthorized)
			}
			w.mu.Lock()
		}}
		w.wantReads(1)
		req := w.request(http.MethodGet, nil)
		req.URL.Host = "slow.reltio.com"
		if got := w.do(req); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
		w.wantReads(1)
	})
	play(t, "comes back when the repeat is refused too", func(t *testing.T, w *harness) {
		w.get()
		w.refresh("t3")
		w.publish("t2", time.Hour)
		if got := w.get(); got != http.StatusUnauthorized {
			t.Errorf("status %d", got)
		}
		w.wantSeen("api.reltio.com Bearer t1", "api.reltio.com Bearer t1", "api.reltio.com Bearer t2")
	})
	play(t, "without a body that can be sent again comes back at once, and the next request works", func(t *testing.T, w *harness) {
		w.get()
		w.refresh("t2")
		w.publish("t2", time.Hour)
		began := time.Now()
		if got := w.do(w.request(http.MethodPost, io.MultiReader(strings.NewReader("once")))); got != http.StatusUnauthorized || time.Since(began) > 0 {
			t.Errorf("status %d after %v", got, time.Since(began))
		}
		time.Sleep(time.Second)
		if got := w.do(w.request(http.MethodPost, io.MultiReader(strings.NewReader("once")))); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
	})
	play(t, "ends with the request's context", func(t *testing.T, w *harness) {
		w.get()
		w.refresh("t2")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := w.client().Do(w.request(http.MethodGet, nil).WithContext(ctx))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
	play(t, "comes back whole when the secret cannot be read", func(t *testing.T, w *harness) {
		w.get()
		w.refresh("t2")
		w.fail(errDenied)
		response, err := w.client().Do(w.request(http.MethodGet, nil))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusUnauthorized || string(body) != "refused" {
			t.Errorf("%d %s", response.StatusCode, body)
		}
		w.wantReports(0) // whether it is still the published one is not known
	})
}

func TestAReport(t *testing.T) {
	ended := func(w *harness) { w.get(); w.refresh("of another login"); w.wantReads(1) }
	repair := func(w *harness) func() error {
		return func() error {
			w.refresh("t2")
			w.publish("t2", time.Hour)
			return nil
		}
	}
	play(t, "replaces a token that was ended early", func(t *testing.T, w *harness) {
		ended(w)
		w.onReport = repair(w)
		began := time.Now()
		if got := w.get(); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		want := `{"action":"refresh","connections":["default"],"dead_token":"628b49d96dcde97a"}`
		if len(w.events) != 1 || w.events[0] != want {
			t.Errorf("reported %v, want %s", w.events, want)
		}
	})
	play(t, "of many jobs at once is one", func(t *testing.T, w *harness) {
		ended(w)
		w.onReport = repair(w)
		var jobs sync.WaitGroup
		for range 20 {
			jobs.Go(func() {
				if got := w.get(); got != http.StatusOK {
					t.Errorf("status %d", got)
				}
			})
		}
		jobs.Wait()
		w.wantReports(1)
	})
	play(t, "may return before the function has ended", func(t *testing.T, w *harness) {
		ended(w)
		w.onReport = func() error { w.at(3*time.Second, func() { _ = repair(w)() }); return nil }
		if got := w.get(); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
	})
	play(t, "that does not help is repeated once a minute, and the secret read before and after each request", func(t *testing.T, w *harness) {
		ended(w)
		w.get()
		w.wantReads(16) // eight before the report, eight after
		for range 40 {  // 40 s, within the minute since the search began
			w.get()
			time.Sleep(time.Second)
		}
		w.wantReads(80)
		w.wantReports(1)
		time.Sleep(20 * time.Second)
		w.onReport = repair(w)
		if got := w.get(); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
		w.wantReports(2)
	})
	play(t, "that fails leaves the 401", func(t *testing.T, w *harness) {
		ended(w)
		w.onReport = func() error { return errDenied }
		if got := w.get(); got != http.StatusUnauthorized {
			t.Errorf("status %d", got)
		}
		w.wantReads(8)
	})
	play(t, "whose new token is refused as well is the last for 15 minutes", func(t *testing.T, w *harness) {
		ended(w) // an API that refuses every token
		n := 0
		w.onReport = func() error { n++; w.publish("t"+strings.Repeat("x", n), time.Hour); return nil }
		for range 10 {
			w.get()
			time.Sleep(80 * time.Second)
		}
		w.wantReports(1)
		time.Sleep(5 * time.Minute)
		w.get()
		w.wantReports(2)
	})
}

func TestTheTokenStaysWithItsHost(t *testing.T) {
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }
	}
	refuse := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	for _, c := range []struct {
		name  string
		serve map[string]http.HandlerFunc
		want  []string
	}{
		{
			"another host, which refuses",
			map[string]http.HandlerFunc{"api.reltio.com": redirect("https://thief.example/"), "thief.example": refuse},
			[]string{"api.reltio.com Bearer t1", "thief.example"},
		},
		{
			"a subdomain, to which net/http would send a header",
			map[string]http.HandlerFunc{"api.reltio.com": redirect("https://x.api.reltio.com/"), "x.api.reltio.com": refuse},
			[]string{"api.reltio.com Bearer t1", "x.api.reltio.com"},
		},
		{
			"another port",
			map[string]http.HandlerFunc{"api.reltio.com": redirect("https://api.reltio.com:8443/"), "api.reltio.com:8443": refuse},
			[]string{"api.reltio.com Bearer t1", "api.reltio.com:8443"},
		},
		{
			"away and back",
			map[string]http.HandlerFunc{
				"api.reltio.com": func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/entities" {
						redirect("https://thief.example/")(w, r)
					}
				},
				"thief.example": redirect("https://api.reltio.com/chosen-by-the-thief"),
			},
			[]string{"api.reltio.com Bearer t1", "thief.example", "api.reltio.com"},
		},
		{
			"the same host, its port spelt out",
			map[string]http.HandlerFunc{"api.reltio.com": redirect("https://API.reltio.com:443/")},
			[]string{"api.reltio.com Bearer t1", "API.reltio.com:443 Bearer t1"},
		},
	} {
		play(t, c.name, func(t *testing.T, w *harness) {
			w.serve = c.serve
			w.get()
			w.wantSeen(c.want...)
			w.wantReads(1)
		})
	}
	play(t, "no encryption", func(t *testing.T, w *harness) {
		w.serve = map[string]http.HandlerFunc{"api.reltio.com": func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Scheme == "https" {
				http.Redirect(rw, r, "http://api.reltio.com/", http.StatusFound)
			}
		}}
		w.get()
		w.wantSeen("api.reltio.com Bearer t1", "api.reltio.com")
	})
}

func TestWhatTheCallerSees(t *testing.T) {
	play(t, "the request as it was made", func(t *testing.T, w *harness) {
		req := w.request(http.MethodGet, nil)
		response, err := w.client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*http.Request{req, response.Request} {
			if r.Header.Get("Authorization") != "" {
				t.Error("it holds the token")
			}
		}
	})
	play(t, "an error where there is no token, and its body closed", func(t *testing.T, w *harness) {
		w.fail(errDenied)
		body := &closer{Reader: strings.NewReader("body")}
		if _, err := w.Transport(w).RoundTrip(w.request(http.MethodPost, body)); !errors.Is(err, errDenied) || !body.closed {
			t.Errorf("%v, closed %v", err, body.closed)
		}
		w.wantSeen()
	})
	play(t, "no panic where a plain RoundTrip has no header", func(t *testing.T, w *harness) {
		req := w.request(http.MethodGet, nil)
		req.Header = nil
		if response, err := w.Transport(w).RoundTrip(req); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%v", err)
		}
	})
}

type closer struct {
	io.Reader
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }
