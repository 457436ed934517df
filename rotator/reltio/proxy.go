package reltio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// proxyConnect is the Op of a [net.OpError] that net/http returns when a connection
// to a proxy fails. This package uses it for every failure of the proxy, so that
// they are distinguished from failures of the token host.
const proxyConnect = "proxyconnect"

// proxyStatus is a status other than 200 with which a proxy answered CONNECT.
type proxyStatus int

func (s proxyStatus) Error() string { return fmt.Sprintf("the proxy answered %d", int(s)) }

// CheckProxyResponse is an [http.Transport.OnProxyConnectResponse]. Its errors are of
// the kind that net/http returns for other failures of a proxy. Without it, net/http
// returns the proxy's own text as the error.
func CheckProxyResponse(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return proxyError(proxyStatus(response.StatusCode))
}

func proxyError(cause error) error {
	return &net.OpError{Op: proxyConnect, Net: "tcp", Err: cause}
}

// isProxyError reports whether the proxy failed, and not the token host.
func isProxyError(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == proxyConnect
}

// whyProxy returns what a failure of the proxy means, and what to check first.
func whyProxy(err error) (reason, advice string) {
	const path = "check the host and port in HttpsProxy, and the function's network path to the proxy"
	if status, ok := errors.AsType[proxyStatus](err); ok {
		switch status {
		case http.StatusProxyAuthRequired:
			return "the proxy asks for authentication", "use a proxy that accepts the function without a user name and a password, which HttpsProxy cannot hold"
		case http.StatusForbidden, http.StatusUnauthorized:
			return fmt.Sprintf("the proxy refused the connection with status %d", int(status)), "allow the token host in the proxy"
		case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return fmt.Sprintf("the proxy could not reach it and answered %d", int(status)), "check token_url, and the DNS and the network path of the proxy"
		}
		return fmt.Sprintf("the proxy answered %d", int(status)), "check that HttpsProxy is a proxy that allows CONNECT to the token host"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name of the proxy was not resolved", "check the spelling of HttpsProxy, and the DNS of the function's network"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "the proxy does not accept connections", path
	}
	if timedOut(err) {
		return "the connection to the proxy timed out", path
	}
	return "the connection to the proxy failed", path
}

// proxyFor returns the proxy for a target, nil for a direct connection.
func (e *Endpoint) proxyFor(target *url.URL) (*url.URL, error) {
	if e.own.Proxy == nil {
		return nil, nil
	}
	return e.own.Proxy(&http.Request{Method: http.MethodPost, URL: target})
}

// connectThrough opens a connection to the target through a proxy, as the transport
// does.
func (e *Endpoint) connectThrough(ctx context.Context, proxy, target *url.URL) (net.Conn, error) {
	connection, err := e.connect(ctx, address(proxy))
	if err != nil {
		return nil, proxyError(err)
	}
	if proxy.Scheme == "https" {
		if connection, err = e.handshake(ctx, connection, proxy.Hostname()); err != nil {
			_ = connection.Close()
			return nil, proxyError(err)
		}
	}
	if err := requestTunnel(ctx, connection, address(target), e.own.TLSHandshakeTimeout); err != nil {
		_ = connection.Close()
		return nil, err
	}
	return connection, nil
}

// requestTunnel sends CONNECT and reads the response.
func requestTunnel(ctx context.Context, connection net.Conn, target string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	if end, ok := ctx.Deadline(); ok && end.Before(deadline) {
		deadline = end
	}
	_ = connection.SetDeadline(deadline)
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if err := request.Write(connection); err != nil {
		return proxyError(err)
	}
	// No byte stays in the reader's buffer, because the token host sends nothing before
	// the handshake starts.
	response, err := http.ReadResponse(bufio.NewReader(connection), request)
	if err != nil {
		return proxyError(err)
	}
	_ = response.Body.Close()
	_ = connection.SetDeadline(time.Time{})
	return CheckProxyResponse(ctx, nil, request, response)
}
