package reltio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"time"

	"reltio-token-rotator/rotator"
)

// Reach reports whether a token request would reach the token URL's host: it
// resolves the name, connects and, for https, does the handshake and verifies the
// certificate as a request does, and then closes the connection without sending a
// request. It returns what it found. Its errors are *[rotator.Error] and name the step
// that failed: DNS, TCP, TLS, certificate or proxy.
func (e *Endpoint) Reach(ctx context.Context, tokenURL string) (found string, err error) {
	target, failure := parseTarget(tokenURL)
	if failure != nil {
		return "", failure
	}
	proxy, err := e.proxyFor(target)
	if err != nil {
		return "", notReached(target, "proxy", proxyError(err))
	}
	reached := address(target) + " was reached: DNS, TCP, "
	var connection net.Conn
	if proxy == nil {
		connection, err = e.connect(ctx, address(target))
	} else {
		reached = address(target) + " was reached through the proxy " + address(proxy) + ": "
		connection, err = e.connectThrough(ctx, proxy, target)
	}
	if err != nil {
		return "", notReached(target, stepOf(err, "TCP"), err)
	}
	defer func() { _ = connection.Close() }()
	if target.Scheme != "https" {
		return address(target) + " accepts connections; it is plain http, so there is no certificate", nil
	}
	secure, err := e.handshake(ctx, connection, target.Hostname())
	if err != nil {
		return "", notReached(target, stepOf(err, "TLS"), err)
	}
	session := secure.ConnectionState()
	until := session.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)
	return fmt.Sprintf("%s%s and its certificate, valid until %s, work", reached, tls.VersionName(session.Version), until), nil
}

func (e *Endpoint) connect(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, e.own.TLSHandshakeTimeout)
	defer cancel()
	return e.own.DialContext(ctx, "tcp", address)
}

func (e *Endpoint) handshake(ctx context.Context, connection net.Conn, host string) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, e.own.TLSHandshakeTimeout)
	defer cancel()
	config := e.own.TLSClientConfig.Clone()
	config.ServerName = host
	client := tls.Client(connection, config)
	return client, client.HandshakeContext(ctx)
}

// stepOf names the step at which a connection failed. The argument step is the one
// that was in progress.
func stepOf(err error, step string) string {
	if isProxyError(err) {
		return "proxy"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "DNS"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "certificate"
	}
	return step
}

// notReached returns a failure that says what to check, beginning with the most likely
// cause.
func notReached(target *url.URL, step string, err error) *rotator.Error {
	reason, advice := whyUnreachable(err)
	switch {
	case step == "DNS":
		advice = "check the spelling of token_url (TokenUrl in the stack), and in a VPC that enableDnsSupport is on"
	case step == "TCP" && errors.Is(err, syscall.ECONNREFUSED):
		advice = "nothing listens there; check the host and port in token_url (TokenUrl in the stack), and whether a firewall refuses the connection"
	case step == "TCP":
		_, port, _ := net.SplitHostPort(address(target))
		advice = "in a VPC the subnets need a route for 0.0.0.0/0 to a NAT gateway (a function has no public address of its own), " +
			"and the security group and network ACL must let TCP " + port + " out"
	case step == "TLS" && !speaksNoTLS(err):
		advice = "the server does not speak TLS 1.2 or newer; check the port in token_url (TokenUrl in the stack), and whether a proxy or firewall answers in its place"
	}
	message := fmt.Sprintf("%s was not reached (%s: %s); %s", address(target), step, reason, advice)
	return &rotator.Error{Code: rotator.Unreachable, Message: message, Cause: err}
}
