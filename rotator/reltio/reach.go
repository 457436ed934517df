package reltio

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"reltio-token-rotator/rotator"
)

// Reach reports whether a token request would get through to the token URL's
// host: it resolves the name, connects and, for https, shakes hands and checks
// the certificate as a request does, and then hangs up without sending one. It
// returns what it saw. Its errors are *[rotator.Error] and name the step that
// failed: DNS, TCP, TLS or certificate.
func (e *Endpoint) Reach(ctx context.Context, tokenURL string) (seen string, err error) {
	target, failure := parseTarget(tokenURL)
	if failure != nil {
		return "", failure
	}
	secure := target.Scheme == "https"
	port := cmp.Or(target.Port(), map[bool]string{true: "443", false: "80"}[secure])
	address := net.JoinHostPort(target.Hostname(), port)

	connection, err := e.connect(ctx, address)
	if err != nil {
		return "", notReached(address, port, stepOf(err, "TCP"), err)
	}
	defer func() { _ = connection.Close() }()
	if !secure {
		return address + " accepts connections; plain http, so there is no certificate.", nil
	}
	session, err := e.shakeHands(ctx, connection, target.Hostname())
	if err != nil {
		return "", notReached(address, port, stepOf(err, "TLS"), err)
	}
	until := session.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)
	return fmt.Sprintf("%s is reached: DNS, TCP, %s and its certificate, valid until %s, are good.", address, tls.VersionName(session.Version), until), nil
}

func (e *Endpoint) connect(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, e.own.TLSHandshakeTimeout)
	defer cancel()
	return e.own.DialContext(ctx, "tcp", address)
}

func (e *Endpoint) shakeHands(ctx context.Context, connection net.Conn, host string) (tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, e.own.TLSHandshakeTimeout)
	defer cancel()
	config := e.own.TLSClientConfig.Clone()
	config.ServerName = host
	client := tls.Client(connection, config)
	err := client.HandshakeContext(ctx)
	return client.ConnectionState(), err
}

// stepOf says at which step a connection failed; step is the one that was
// under way.
func stepOf(err error, step string) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "DNS"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "certificate"
	}
	return step
}

// notReached says what to look at, nearest first.
func notReached(address, port, step string, err error) *rotator.Error {
	const way = "in a VPC the subnets need a route for 0.0.0.0/0 to a NAT gateway (a function has no public address of its own)"
	reason, advice := whyUnreachable(err)
	switch step {
	case "DNS":
		advice = "check how token_url (TokenUrl in the stack) is spelt; in a VPC, that it has enableDnsSupport"
	case "TCP":
		if errors.Is(err, syscall.ECONNREFUSED) {
			advice = "nothing listens there; check the host and port in token_url (TokenUrl in the stack), and whether a firewall refuses for it"
			break
		}
		advice = way + ", and security group and network ACL must let TCP " + port + " out"
	case "TLS":
		advice = "what answers there does not speak TLS 1.2 or newer; check the port in token_url (TokenUrl in the stack), and whether a proxy or firewall is in between"
	}
	return &rotator.Error{
		Code:    rotator.Unreachable,
		Message: fmt.Sprintf("%s is not reached (%s: %s): %s.", address, step, reason, advice),
		Cause:   err,
	}
}
