package fake_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/tests/fake"
)

const host = "auth.example"

// handlers are what a fake can do. Each is tried over Transport and over TCP, and
// the client must see the same.
var handlers = map[string]struct {
	serve func(http.ResponseWriter, *http.Request)
	check func(*testing.T, *http.Response, string, error)
}{
	"small answer": {
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Test", r.Header.Get("X-Test")+" "+r.Method+" "+r.URL.Path)
			w.WriteHeader(http.StatusTeapot)
			w.Header().Set("X-Late", "too late")
			_, _ = w.Write(body)
		},
		func(t *testing.T, res *http.Response, body string, err error) {
			if err != nil || res.StatusCode != 418 || body != "hello" || res.ContentLength != 5 ||
				res.Header.Get("X-Test") != "yes POST /path" || res.Header.Get("X-Late") != "" || res.Status != "418 I'm a teapot" {
				t.Errorf("%v %q %v", res, body, err)
			}
		},
	},
	"flushed answer is chunked": {
		func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "whole")
			w.(http.Flusher).Flush()
		},
		func(t *testing.T, res *http.Response, body string, err error) {
			if err != nil || body != "whole" || res.ContentLength != -1 || len(res.TransferEncoding) != 1 {
				t.Errorf("%v %q %v", res, body, err)
			}
		},
	},
	"empty answer": {
		func(http.ResponseWriter, *http.Request) {},
		func(t *testing.T, res *http.Response, body string, err error) {
			if err != nil || res.StatusCode != 200 || body != "" || res.ContentLength != 0 {
				t.Errorf("%v %q %v", res, body, err)
			}
		},
	},
	"large answer": {
		func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 1<<20)) },
		func(t *testing.T, res *http.Response, body string, err error) {
			if err != nil || len(body) != 1<<20 || res.ContentLength != -1 {
				t.Errorf("%v %d %v", res, len(body), err)
			}
		},
	},
	"cut before the answer": {
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		func(t *testing.T, res *http.Response, _ string, err error) {
			if res != nil || !errors.Is(err, io.EOF) {
				t.Errorf("%v %v", res, err)
			}
		},
	},
	"cut with the answer still in the server": {
		func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "never sent")
			panic(http.ErrAbortHandler)
		},
		func(t *testing.T, res *http.Response, _ string, err error) {
			if res != nil || !errors.Is(err, io.EOF) {
				t.Errorf("%v %v", res, err)
			}
		},
	},
	"cut inside the answer": {
		func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		func(t *testing.T, res *http.Response, body string, err error) {
			if res == nil || body != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v %q %v", res, body, err)
			}
		},
	},
	"cut short of its Content-Length": {
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		func(t *testing.T, res *http.Response, body string, err error) {
			if res == nil || res.ContentLength != 10 || body != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v %q %v", res, body, err)
			}
		},
	},
}

func TestTransportLooksLikeTCP(t *testing.T) {
	post := func(t *testing.T, client *http.Client, url string) (*http.Response, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/path", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Test", "yes")
		res, err := client.Do(req)
		if err != nil {
			return nil, "", err
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		return res, string(body), err
	}
	for name, row := range handlers {
		t.Run(name+"/tcp", func(t *testing.T) {
			front := httptest.NewServer(http.HandlerFunc(row.serve))
			defer front.Close()
			res, body, err := post(t, front.Client(), front.URL)
			row.check(t, res, body, err)
		})
		t.Run(name+"/bubble", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				res, body, err := post(t, inProcess(row.serve), "https://"+host)
				row.check(t, res, body, err)
			})
		})
	}
}

func inProcess(serve http.HandlerFunc) *http.Client {
	return &http.Client{Transport: fake.Transport(map[string]http.Handler{host: serve})}
}

// get asks with trace callbacks and returns their names in order.
func get(ctx context.Context, t *testing.T, client *http.Client, url string) (*http.Response, string, error) {
	var calls []string
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(hostPort string) { calls = append(calls, hostPort) },
		GotConn:              func(httptrace.GotConnInfo) { calls = append(calls, "GotConn") },
		WroteRequest:         func(httptrace.WroteRequestInfo) { calls = append(calls, "WroteRequest") },
		GotFirstResponseByte: func() { calls = append(calls, "FirstByte") },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	return res, strings.Join(calls, " "), err
}

func TestTraceTellsWhatWasSent(t *testing.T) {
	client := inProcess(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
	})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	rows := []struct {
		name string
		ctx  context.Context
		url  string
		want string
		err  error
	}{
		{"answered", t.Context(), "http://" + host, host + ":80 GotConn WroteRequest FirstByte", nil},
		{"cut", t.Context(), "https://" + host + "/cut", host + ":443 GotConn WroteRequest", io.EOF},
		{"ended before", ended, "https://" + host, "", context.Canceled},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			res, calls, err := get(row.ctx, t, client, row.url)
			if calls != row.want || !errors.Is(err, row.err) {
				t.Errorf("%v, calls %q, err %v; want %q, %v", res, calls, err, row.want, row.err)
			}
		})
	}
}

func TestUnknownHostIsNeverReached(t *testing.T) {
	client := inProcess(func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	_, calls, err := get(t.Context(), t, client, "https://elsewhere.example")
	dns, ok := errors.AsType[*net.DNSError](err)
	if !ok || !dns.IsNotFound || calls != "elsewhere.example:443" {
		t.Errorf("calls %q, err %v", calls, err)
	}
}

// Both sides notice that the client gave up, and no goroutine is left. A bubble ends
// only when all of its goroutines have ended.
func TestClientThatGivesUp(t *testing.T) {
	for _, flushed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var noticed time.Duration
			begun := time.Now()
			client := inProcess(func(w http.ResponseWriter, r *http.Request) {
				if flushed {
					_, _ = io.WriteString(w, "half")
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
				noticed = time.Since(begun)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			res, _, err := get(ctx, t, client, "https://"+host)
			if flushed {
				_, err = io.ReadAll(res.Body)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("flushed %t: err = %v", flushed, err)
			}
			synctest.Wait()
			if noticed != 20*time.Second {
				t.Errorf("flushed %t: the handler noticed after %v", flushed, noticed)
			}
		})
	}
}

func TestClosedBodyHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		client := inProcess(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			close(gone)
		})
		res, _, err := get(t.Context(), t, client, "https://"+host)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		<-gone
	})
}
