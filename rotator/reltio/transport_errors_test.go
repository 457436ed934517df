package reltio

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
)

// Whatever the grant type and the status: after a response that was cut off the
// request is not repeated in the run, and the published token may have ended.
func TestAnswerLost(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		reason  string
		cause   error
	}{
		{"closed without a reply", raw(""), "cut off", io.EOF},
		{"cut in the header", raw("HTTP/1.1 200 OK\r\nContent-Le"), "cut off", nil},
		{"cut in a 200", raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + tokenReply), "cut off", io.ErrUnexpectedEOF},
		{"cut between chunks", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), "cut off", io.ErrUnexpectedEOF},
		{"cut in a 400", raw("HTTP/1.1 400 Bad Request\r\nContent-Length: 1000\r\n\r\n" + `{"error":"invalid_grant"}`), "cut off", nil},
		{"cut in a 500", raw("HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\n"), "cut off", nil},
		{"cut in a 503", raw("HTTP/1.1 503 Oh\r\nRetry-After: 1\r\nContent-Length: 9\r\n\r\nno"), "cut off", nil},
		{"cut in a 302", raw("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 9\r\n\r\n"), "cut off", nil},
		{"not HTTP", raw(echoed + "\r\n\r\n"), "not HTTP", nil},
		{"an invalid status line", raw("HTTP/1.1 " + echoed + "\r\n\r\n"), "not HTTP", nil},
		{"an invalid chunk size", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + echoed + "\r\n"), "not HTTP", nil},
		{"a header of over 64 KiB", raw("HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+echoed+"\r\n", maxResponse/16) + "\r\n" + tokenReply), "not HTTP", nil},
	}
	for _, test := range tests {
		for _, grantType := range allGrantTypes {
			t.Run(test.name+"/"+string(grantType), func(t *testing.T) {
				t.Parallel()
				s := startServer(t, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body) // so that the server sees the client go
					test.handler(w, r)
				})
				answer, err := requestOnce(t.Context(), s, grantType)
				failure := wantFailure(t, answer, err, rotator.AnswerLost)
				wantSaid(t, failure, s.host, test.reason)
				if ends := grantType != rotator.GrantTypeClientCredentials; failure.TokenEnded != ends {
					t.Errorf("TokenEnded is %t", failure.TokenEnded)
				}
				if test.cause != nil && !errors.Is(err, test.cause) {
					t.Errorf("the error does not wrap %v", test.cause)
				}
				if n := s.requests.Load(); n != 1 || len(answer.Durations) != 1 {
					t.Errorf("sent %d times, want once; %d durations", n, len(answer.Durations))
				}
			})
		}
	}
}

// A 429 that was cut off is a lost answer, and is counted as a 429.
func TestCutThrottleIsCounted(t *testing.T) {
	s := startServer(t, raw("HTTP/1.1 429 Too Many\r\nContent-Length: 9\r\n\r\n"))
	answer, err := requestOnce(t.Context(), s, rotator.GrantTypeRefreshToken)
	wantFailure(t, answer, err, rotator.AnswerLost)
	if answer.Throttled != 1 || s.requests.Load() != 1 {
		t.Errorf("got %d throttled in %d requests", answer.Throttled, s.requests.Load())
	}
}

func TestEndedByTheCallerOnTheWay(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := startServer(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	answer, err := requestOnce(ctx, s, rotator.GrantTypeRefreshToken)
	failure := wantFailure(t, answer, err, rotator.AnswerLost)
	wantSaid(t, failure, s.host, "canceled first")
	if !failure.TokenEnded || !errors.Is(err, context.Canceled) {
		t.Errorf("got TokenEnded %t, cause %v", failure.TokenEnded, failure.Cause)
	}
}

// Without a connection nothing was sent, and the attempt is repeated.
func TestUnreachable(t *testing.T) {
	secure := httptest.NewUnstartedServer(answering(200, nil, tokenReply))
	secure.Config.ErrorLog = quiet()
	secure.StartTLS()
	t.Cleanup(secure.Close)
	old := httptest.NewUnstartedServer(answering(200, nil, tokenReply))
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.Config.ErrorLog = quiet()
	old.StartTLS()
	t.Cleanup(old.Close)
	plain := startServer(t, answering(200, nil, tokenReply))
	t.Cleanup(func() {
		if n := plain.requests.Load(); n != 0 {
			t.Errorf("%d requests arrived without TLS", n)
		}
	})
	closed := httptest.NewServer(nil)
	closed.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())
	trusted.AddCert(old.Certificate())

	noNames := &net.Dialer{Resolver: &net.Resolver{
		PreferGo: true,
		Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") },
	}}
	tests := []struct {
		name   string
		url    string
		change func(*http.Transport)
		reason string
		cause  func(error) bool
	}{
		{"no such name", "https://auth.reltio.invalid", func(t *http.Transport) {
			t.DialContext = noNames.DialContext
		}, "name was not resolved", is[*net.DNSError]},
		{"nothing listens", closed.URL, nil, "refused", func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
		{"no such port", "http://127.0.0.1:99999", nil, "the connection failed", is[net.Error]},
		{"a certificate of an unknown authority", secure.URL, nil, "authority is unknown", is[x509.UnknownAuthorityError]},
		{"another host's certificate", secure.URL, func(t *http.Transport) {
			t.TLSClientConfig.RootCAs, t.TLSClientConfig.ServerName = trusted, "auth.reltio.com"
		}, "for another host", is[x509.HostnameError]},
		{"an expired certificate", secure.URL, func(t *http.Transport) {
			t.TLSClientConfig.RootCAs = trusted
			t.TLSClientConfig.Time = func() time.Time { return time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) }
		}, "has expired", is[x509.CertificateInvalidError]},
		{"TLS 1.1", old.URL, func(t *http.Transport) { t.TLSClientConfig.RootCAs = trusted }, "the connection failed", is[error]},
		{"a server without TLS", strings.Replace(plain.url, "http:", "https:", 1), nil, "the server at " + plain.host + " does not speak TLS", is[tls.RecordHeaderError]},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			transport := newTransport()
			if test.change != nil {
				test.change(transport)
			}
			var dials atomic.Int64
			dial := transport.DialContext
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				dials.Add(1)
				return dial(ctx, network, address)
			}
			answer, err := New(Config{RequestsPerSecond: 1000, Transport: transport}).
				RequestToken(t.Context(), newRequest(rotator.GrantTypeRefreshToken, test.url))
			failure := wantFailure(t, answer, err, rotator.Unreachable)
			target, _ := parseTarget(test.url)
			wantSaid(t, failure, target.Host, test.reason, "token_url")
			if failure.TokenEnded {
				t.Error("TokenEnded is set, but nothing was sent")
			}
			if !test.cause(failure.Cause) {
				t.Errorf("got cause %v", failure.Cause)
			}
			if len(answer.Durations) != 0 || !answer.SentAt.IsZero() {
				t.Errorf("nothing was sent, and it took %v from %v", answer.Durations, answer.SentAt)
			}
			if dials.Load() != 3 {
				t.Errorf("dialled %d times, want 3", dials.Load())
			}
		})
	}
}

func TestTrustedServer(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Proto != "HTTP/1.1" {
			t.Errorf("got %s: net/http may send an HTTP/2 request twice by itself", r.Proto)
		}
		_, _ = io.WriteString(w, tokenReply)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	transport := newTransport()
	transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	if _, err := New(Config{Transport: transport}).RequestToken(t.Context(), newRequest(rotator.GrantTypeRefreshToken, server.URL)); err != nil {
		t.Fatal(err)
	}
}

// The time limits of the package's own transport, on a network with a fake clock.
func TestTimeLimits(t *testing.T) {
	silent := func(context.Context) (net.Conn, error) {
		client, server := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, server) }()
		return client, nil
	}
	tests := []struct {
		name string
		url  string
		dial func(ctx context.Context) (net.Conn, error)
		code rotator.Code
		// took is the least and the most that RequestToken may take.
		took [2]time.Duration
	}{
		{"an attempt without a response, 20 s", "http://auth.reltio.com", silent, rotator.AnswerLost, [2]time.Duration{20 * time.Second, 20 * time.Second}},
		{"a TLS handshake, 10 s, three times", "https://auth.reltio.com", silent, rotator.Unreachable, [2]time.Duration{30 * time.Second, 32500 * time.Millisecond}},
		{"an attempt with a byte a second, 20 s", "http://auth.reltio.com", func(context.Context) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				_, err := http.ReadRequest(bufio.NewReader(server))
				if err == nil {
					_, err = io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
				}
				for err == nil {
					time.Sleep(time.Second)
					_, err = io.WriteString(server, " ")
				}
			}()
			return client, nil
		}, rotator.AnswerLost, [2]time.Duration{20 * time.Second, 20 * time.Second}},
		{"an attempt that dials, 20 s, three times", "http://auth.reltio.com", func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, rotator.Unreachable, [2]time.Duration{60 * time.Second, 62500 * time.Millisecond}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := newTransport()
				dials, stop := context.WithCancel(t.Context())
				transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return test.dial(dials) }
				start := time.Now()
				answer, err := New(Config{RequestsPerSecond: 1000, Transport: transport}).
					RequestToken(t.Context(), newRequest(rotator.GrantTypeRefreshToken, test.url))
				wantSaid(t, wantFailure(t, answer, err, test.code), "auth.reltio.com", "timed out")
				if took := time.Since(start); took < test.took[0] || took > test.took[1] {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if ends := test.code == rotator.AnswerLost; len(answer.Durations) == 1 != ends {
					t.Errorf("got durations %v", answer.Durations)
				}
				stop()
				time.Sleep(time.Minute) // the network's goroutines end
			})
		})
	}
}

// is reports whether err wraps an E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
