package reltio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
)

// Reach names the step at which a connection fails and says what to do. It finds
// what a token request would fail at, and sends none.
func TestReach(t *testing.T) {
	requests := startServer(t, answering(200, nil, tokenReply))
	secure := httptest.NewUnstartedServer(answering(200, nil, tokenReply))
	old := httptest.NewUnstartedServer(nil)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	trusted := x509.NewCertPool()
	for _, server := range []*httptest.Server{secure, old} {
		server.Config.ErrorLog = quiet()
		server.StartTLS()
		t.Cleanup(server.Close)
		trusted.AddCert(server.Certificate())
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	noNames := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
	}
	to := func(server *httptest.Server) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		}
	}
	for _, c := range []struct {
		name   string
		url    string
		config Config
		says   string
		wrong  bool
	}{
		{"http", requests.url, Config{}, requests.host + " accepts connections; it is plain http", false},
		{"https", secure.URL + "/oauth/token", Config{Roots: trusted}, "DNS, TCP, TLS 1.3 and its certificate, valid until ", false},
		{"the default port", "https://example.com/oauth/token", Config{Roots: trusted, Dial: to(secure)}, "example.com:443 was reached", false},
		{"no such name", "https://auth.reltio.com/", Config{Dial: noNames}, "auth.reltio.com:443 was not reached (DNS: its name was not resolved); check the spelling of token_url", true},
		{"nothing listens", closed.URL, Config{}, "(TCP: the connection was refused); nothing listens there; check the host and port in token_url", true},
		{"a certificate of an unknown authority", secure.URL, Config{}, "(certificate: its certificate was not accepted: its authority is unknown)", true},
		{"another host's certificate", "https://auth.reltio.com/", Config{Roots: trusted, Dial: to(secure)}, "(certificate: its certificate was not accepted: it is for another host)", true},
		{"TLS 1.1", old.URL, Config{Roots: trusted}, "(TLS: the connection failed); the server does not speak TLS 1.2 or newer", true},
		{"no TLS", strings.Replace(requests.url, "http:", "https:", 1), Config{}, "(TLS: the server does not speak TLS); check the port in token_url", true},
		{"no URL", "://leak", Config{}, "token_url is not a URL", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen, err := New(c.config).Reach(t.Context(), c.url)
			if !c.wrong {
				if err != nil || !strings.Contains(seen, c.says) {
					t.Errorf("saw %q, %v; want %q", seen, err, c.says)
				}
				return
			}
			failure, ok := errors.AsType[*rotator.Error](err)
			if !ok || seen != "" {
				t.Fatalf("saw %q, %v", seen, err)
			}
			wantSaid(t, failure, c.says)
			if strings.HasSuffix(failure.Message, ".") || strings.Contains(failure.Message, "leak") {
				t.Errorf("the message is %q", failure.Message)
			}
		})
	}
	if n := requests.requests.Load(); n > 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// A host that does not answer takes 10 s, whether it does not accept the
// connection or does not do the handshake.
func TestReachEndsInTime(t *testing.T) {
	for step, dial := range map[string]func(context.Context) (net.Conn, error){
		"TCP": func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() },
		"TLS": func(context.Context) (net.Conn, error) {
			client, server := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, server) }()
			return client, nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			_, err := New(Config{
				Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
			}).Reach(t.Context(), "https://auth.reltio.com/oauth/token")
			if err == nil || !strings.Contains(err.Error(), "("+step+": timed out)") || time.Since(begun) != 10*time.Second {
				t.Errorf("%s: %v after %v", step, err, time.Since(begun))
			}
		})
	}
}
