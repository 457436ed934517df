package reltio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/fake/proxy"
)

func startProxy(t *testing.T, status int, backend *httptest.Server) (*proxy.Proxy, *url.URL) {
	t.Helper()
	p := &proxy.Proxy{Backend: backend.Listener.Addr().String()}
	if status != http.StatusOK {
		p.Refuse("*", status)
	}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return p, at
}

func secureServer(t *testing.T) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	server := httptest.NewUnstartedServer(answering(200, nil, tokenReply))
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server, roots
}

// Through a proxy, TLS and the check of the certificate are between the function and
// the token host. The proxy sees the host and encrypted bytes.
func TestTokenRequestThroughAProxy(t *testing.T) {
	server, roots := secureServer(t)
	p, at := startProxy(t, http.StatusOK, server)
	endpoint := New(Config{Roots: roots, Proxy: http.ProxyURL(at)})
	const tokenURL = "https://example.com/oauth/token" // a name of the certificate
	response, err := endpoint.RequestToken(t.Context(), newRequest(rotator.GrantTypePassword, tokenURL))
	if err != nil {
		t.Fatal(err)
	}
	if response.AccessToken.Reveal() == "" {
		t.Error("there is no token")
	}
	log := p.Seen()
	if !strings.HasPrefix(log, "CONNECT example.com:443 map[") || strings.Count(log, "CONNECT ") != 1 {
		t.Errorf("the proxy saw %.200q", log)
	}
	for _, secret := range []string{clientID, clientSecret, refreshToken, username, password, response.AccessToken.Reveal(), "Authorization", "oauth"} {
		if strings.Contains(log, secret) {
			t.Errorf("the proxy saw %q", secret)
		}
	}
	found, err := endpoint.Reach(t.Context(), tokenURL)
	if want := "example.com:443 was reached through the proxy " + at.Host + ": TLS 1.3 and its certificate, valid until "; err != nil || !strings.HasPrefix(found, want) {
		t.Errorf("found %q, %v, want %q", found, err, want)
	}
	// A proxy that answers as the token host does not have its certificate.
	stranger := New(Config{Proxy: http.ProxyURL(at)})
	if _, err := stranger.RequestToken(t.Context(), newRequest(rotator.GrantTypePassword, tokenURL)); rotator.CodeOf(err) != rotator.Unreachable {
		t.Errorf("with another authority: %v", err)
	}
}

// A proxy may itself speak TLS.
func TestTokenRequestThroughAnHTTPSProxy(t *testing.T) {
	server, roots := secureServer(t)
	front := httptest.NewUnstartedServer(&proxy.Proxy{Backend: server.Listener.Addr().String()})
	front.Config.ErrorLog = quiet()
	front.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	front.StartTLS()
	t.Cleanup(front.Close)
	roots.AddCert(front.Certificate())
	at, err := url.Parse(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := New(Config{Roots: roots, Proxy: http.ProxyURL(at)})
	if _, err := endpoint.RequestToken(t.Context(), newRequest(rotator.GrantTypePassword, "https://example.com/oauth/token")); err != nil {
		t.Error(err)
	}
	if _, err := endpoint.Reach(t.Context(), "https://example.com/oauth/token"); err != nil {
		t.Error(err)
	}
}

// A message says whether the proxy or the token host failed. A token request that
// the proxy refused was not sent.
func TestFailuresOfTheProxy(t *testing.T) {
	server, roots := secureServer(t)
	closed := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	at := func(status int) *url.URL {
		_, u := startProxy(t, status, server)
		return u
	}
	parsed := func(text string) *url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	noNames := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
	}
	for _, test := range []struct {
		proxy  *url.URL
		dial   func(context.Context, string, string) (net.Conn, error)
		says   string
		advice string
	}{
		{at(http.StatusProxyAuthRequired), nil, "the proxy asks for authentication", "which HttpsProxy cannot hold"},
		{at(http.StatusForbidden), nil, "the proxy refused the connection with status 403", "allow the token host in the proxy"},
		{at(http.StatusBadGateway), nil, "the proxy could not reach it and answered 502", "the network path of the proxy"},
		{at(http.StatusGatewayTimeout), nil, "the proxy could not reach it and answered 504", "the network path of the proxy"},
		{at(http.StatusMethodNotAllowed), nil, "the proxy answered 405", "allows CONNECT"},
		{parsed("http://proxy.example.com:3128"), closed, "the proxy does not accept connections", "check the host and port in HttpsProxy"},
		{parsed("http://proxy.example.com:3128"), noNames, "the name of the proxy was not resolved", "check the spelling of HttpsProxy"},
		{parsed("https://" + at(http.StatusOK).Host), nil, "the connection to the proxy failed", "check the host and port in HttpsProxy"},
	} {
		endpoint := New(Config{
			Roots: roots, Proxy: http.ProxyURL(test.proxy), Dial: test.dial, RequestsPerSecond: 1000,
			Jitter: func(time.Duration) time.Duration { return 0 },
		})
		_, requested := endpoint.RequestToken(t.Context(), newRequest(rotator.GrantTypePassword, "https://example.com/oauth/token"))
		_, reached := endpoint.Reach(t.Context(), "https://example.com/oauth/token")
		for name, err := range map[string]error{"RequestToken": requested, "Reach": reached} {
			if rotator.CodeOf(err) != rotator.Unreachable || !strings.Contains(fmt.Sprint(err), test.says) ||
				!strings.Contains(fmt.Sprint(err), test.advice) || strings.Contains(fmt.Sprint(err), echoed) {
				t.Errorf("%s through %s: %v, want %q and %q", name, test.proxy, err, test.says, test.advice)
			}
		}
		if !strings.Contains(fmt.Sprint(reached), "was not reached (proxy: ") {
			t.Errorf("Reach does not name the proxy as the step: %v", reached)
		}
	}
}
