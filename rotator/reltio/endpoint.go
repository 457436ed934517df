// Package reltio sends token requests to Reltio's OAuth 2.0 token endpoint.
//
// A token request cannot be undone: a refresh ends the published access token as soon
// as the server executes it. So a request is repeated only if the server certainly did
// not execute it (repeat.go), and every other failure says whether the published token
// may have ended (response.go, transport_errors.go).
//
// Usage: call [New] once, [Endpoint.RequestToken] for each token and
// [Endpoint.CloseIdleConnections] at the end of a run. The package does not check
// whether the host may receive credentials: the settings have done so before.
package reltio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"reltio-token-rotator/rotator"
)

// Config is what New needs.
type Config struct {
	// RequestsPerSecond limits the token requests to one host. A value below 1
	// counts as 1. Reltio answers 429 to more than 10.
	RequestsPerSecond int
	// Transport replaces the package's own transport, for tests. It must not
	// follow redirects or send a request twice. It must call the
	// httptrace hook GotConn before it sends anything, as [http.Transport] does. A
	// failure without that call means that nothing was sent.
	Transport http.RoundTripper
	// Dial and Roots replace the network and the system's root certificates in
	// the package's own transport and in [Endpoint.Reach], for tests.
	Dial  func(ctx context.Context, network, address string) (net.Conn, error)
	Roots *x509.CertPool
	// Proxy returns the proxy of an https request, nil for a direct connection, as
	// [http.Transport.Proxy]. If Proxy itself is nil, no proxy is used, whatever the
	// environment says. A proxy gets CONNECT requests only. TLS is between this process
	// and the token host, and so is the check of the certificate.
	Proxy func(*http.Request) (*url.URL, error)
	// Jitter replaces the random part of the pause before a repeat, which is below
	// ceiling, for simulations that run the same way each time.
	Jitter func(ceiling time.Duration) time.Duration
}

// Endpoint sends token requests. Its methods may be called concurrently.
type Endpoint struct {
	transport http.RoundTripper
	own       *http.Transport // equal to transport unless Config has another
	jitter    func(ceiling time.Duration) time.Duration
	limit     rate.Limit

	mu       sync.Mutex
	limiters map[string]*rate.Limiter // by host
}

var _ rotator.TokenEndpoint = (*Endpoint)(nil)

// New returns an Endpoint.
func New(config Config) *Endpoint {
	own := newTransport()
	own.TLSClientConfig.RootCAs = config.Roots
	own.Proxy, own.OnProxyConnectResponse = config.Proxy, CheckProxyResponse
	if config.Dial != nil {
		own.DialContext = config.Dial
	}
	transport := config.Transport
	if transport == nil {
		transport = own
	}
	jitter := config.Jitter
	if jitter == nil {
		jitter = rand.N[time.Duration]
	}
	return &Endpoint{
		transport: transport,
		own:       own,
		jitter:    jitter,
		limit:     rate.Limit(max(1, config.RequestsPerSecond)),
		limiters:  map[string]*rate.Limiter{},
	}
}

// newTransport returns a transport that opens one connection for each request. A
// server may close a reused connection while a request is sent, and then the response
// is lost. On a new HTTP/1.1 connection net/http never repeats a request
// by itself. No proxy is taken from the environment, so that credentials go to
// the token host and nowhere else.
func newTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Protocols:       &protocols,
		DialContext:     (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},

		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: maxResponse,
		DisableCompression:     true,
		// With a negative number no connection is reused. DisableKeepAlives would also
		// ask the server to close the connection. Some servers then mark the end of a
		// body only by closing, which looks the same as an interrupted response.
		MaxIdleConnsPerHost: -1,
	}
}

// CloseIdleConnections closes the connections that a transport from [Config]
// keeps open. The package's own transport keeps none.
func (e *Endpoint) CloseIdleConnections() {
	if t, ok := e.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
