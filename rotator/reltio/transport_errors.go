package reltio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"reltio-token-rotator/rotator"
)

// notStarted is the failure of a call for which there was no time to send
// anything; cause is the context's error.
func notStarted(host string, cause error) *rotator.Error {
	return &rotator.Error{
		Code: rotator.Unreachable,
		Message: fmt.Sprintf("No token request was sent to %s, since this run had no time left for one: "+
			"the next heartbeat tries again; fewer connections in a stack leave more time for each.", host),
		Cause: cause,
	}
}

// unreachable is the failure of an attempt that ended before there was a
// connection, so that nothing was sent.
func unreachable(host string, err error) *rotator.Error {
	reason, advice := whyUnreachable(err)
	return &rotator.Error{
		Code:    rotator.Unreachable,
		Message: fmt.Sprintf("%s could not be reached (%s): %s.", host, reason, advice),
		Cause:   err,
	}
}

// whyUnreachable puts a dial or TLS error into words of its own, and says
// where to look first.
func whyUnreachable(err error) (reason, advice string) {
	const (
		network     = "check token_url and the function's way to the internet (DNS, routes, security groups)"
		certificate = "check token_url, and whether something on the way answers in the server's place"
	)
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "its name was not resolved", network
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "the connection was refused", network
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate was not accepted: it is another host's", certificate
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
		return "this run was ended first", "the next heartbeat tries again"
	}
	return "the connection failed", network
}

// answerLost is the failure of an attempt that ended after the request may
// have gone out and before the reply was whole. The server may have executed
// it, and may still.
func answerLost(host string, err error) *rotator.Error {
	reason := "the reply was cut short or is not HTTP"
	switch {
	case timedOut(err):
		reason = "timed out"
	case errors.Is(err, context.Canceled):
		reason = "this run was ended first"
	}
	return &rotator.Error{
		Code: rotator.AnswerLost,
		Message: fmt.Sprintf("The answer of %s to a token request was lost (%s): the published token may have ended, "+
			"the next heartbeat asks for another; where this stays, check the network and Reltio's status.", host, reason),
		TokenEnded: true,
		Cause:      withoutQuotes(err),
	}
}

func timedOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// withoutQuotes returns the part of an error that names a kind of failure, nil
// when there is none. The rest of net/http's errors quote the malformed reply,
// and a reply can hold a token.
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
