package reltio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"syscall"

	"reltio-token-rotator/rotator"
)

// notStarted returns the failure of a call that had no time to send anything. The cause
// is the context's error.
func notStarted(host string, cause error) *rotator.Error {
	return &rotator.Error{
		Code: rotator.Unreachable,
		Message: fmt.Sprintf("no token request was sent to %s, because this run had less than %v left for a response; "+
			"the next heartbeat tries again; fewer connections in a stack leave more time for each", host, attemptTimeout),
		Cause: cause,
	}
}

// unreachable returns the failure of an attempt that ended before there was a
// connection. Nothing was sent.
func unreachable(target *url.URL, err error) *rotator.Error {
	reason, advice := whyUnreachable(err)
	message := fmt.Sprintf("%s could not be reached (%s); %s", target.Host, reason, advice)
	if speaksNoTLS(err) {
		message = fmt.Sprintf("the server at %s does not speak TLS; %s", address(target), advice)
	}
	return &rotator.Error{Code: rotator.Unreachable, Message: message, Cause: err}
}

// speaksNoTLS reports whether the token host's first bytes were not a TLS record. A
// port for plain http sends such bytes.
func speaksNoTLS(err error) bool {
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok && !isProxyError(err)
}

// whyUnreachable returns what a dial or TLS error means, and what to check first.
func whyUnreachable(err error) (reason, advice string) {
	const (
		network     = "check token_url and the function's network path to the internet (DNS, routes, security groups, proxy)"
		certificate = "check token_url, and whether a proxy or firewall answers in the server's place"
	)
	if isProxyError(err) {
		return whyProxy(err)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "its name was not resolved", network
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "the connection was refused", network
	}
	if speaksNoTLS(err) {
		return "the server does not speak TLS", "check the port in token_url, and whether a proxy or firewall answers in the server's place"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate was not accepted: it is for another host", certificate
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "its certificate was not accepted: it has expired or is not valid yet", certificate
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its certificate was not accepted: its authority is unknown", certificate
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate was not accepted", certificate
	}
	if timedOut(err) {
		return "timed out", network
	}
	if errors.Is(err, context.Canceled) {
		return "this run was canceled first", "the next heartbeat tries again"
	}
	return "the connection failed", network
}

// cut returns the failure of an attempt that ended after the request may have been sent
// and before the response was complete.
func cut(grantType rotator.GrantType, host string, err error) *rotator.Error {
	reason := "the response was cut off or is not HTTP"
	switch {
	case timedOut(err):
		reason = "timed out"
	case errors.Is(err, context.Canceled):
		reason = "this run was canceled first"
	}
	return answerLost(grantType, fmt.Sprintf("the response of %s to a token request was lost (%s)", host, reason), withoutQuotes(err))
}

// answerLost returns the failure of a request that the server may have executed, or may
// still execute.
func answerLost(grantType rotator.GrantType, what string, cause error) *rotator.Error {
	advice := "the next heartbeat tries again"
	if mayEndToken(grantType) {
		advice = "the published token may no longer be accepted; the next heartbeat requests another"
	}
	return &rotator.Error{
		Code: rotator.AnswerLost, TokenEnded: mayEndToken(grantType), Cause: cause,
		Message: what + "; " + advice + "; if it continues, check the network and Reltio's status page",
	}
}

func timedOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// withoutQuotes returns the part of an error that names a kind of failure, or nil if
// there is none. Other errors of net/http quote the malformed response, which can hold
// a token.
func withoutQuotes(err error) error {
	if network, ok := errors.AsType[net.Error](err); ok {
		return network
	}
	for _, kind := range []error{context.Canceled, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return nil
}
