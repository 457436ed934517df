// Package fake lets tests reach fake servers without a network.
//
// [Transport] hands each request to the handler of its host, in the process
// and on the goroutines of the caller's testing/synctest bubble, so that days
// of traffic pass in milliseconds. To an http.Client it looks like a fresh
// HTTP/1.1 connection a request: httptrace callbacks fire, a context that ends
// ends the exchange on both sides, and a handler that panics with
// http.ErrAbortHandler cuts the connection, before the answer or inside it.
// An unknown host is one that DNS does not know, and a [Connector] may refuse
// the connection: nothing is sent then.
package fake

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
)

// Transport returns a RoundTripper over handlers by host, "name" or
// "name:port" as in the URL. The map must not change afterwards.
func Transport(hosts map[string]http.Handler) http.RoundTripper {
	return transport(hosts)
}

// Connector is a handler that is asked about each connection.
type Connector interface {
	http.Handler
	// Connect returns the handler of one connection, or the error of a
	// connection that cannot be made. The request has not been sent yet.
	Connect(*http.Request) (http.Handler, error)
}

type transport map[string]http.Handler

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	ctx := req.Context()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	trace := httptrace.ContextClientTrace(ctx)
	handler, ok := t.find(req)
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(hostPort(req))
	}
	if !ok {
		unknown := &net.DNSError{Err: "no such host", Name: req.URL.Hostname(), IsNotFound: true}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: unknown}
	}
	if connector, ok := handler.(Connector); ok {
		var err error
		if handler, err = connector.Connect(req); err != nil {
			return nil, err
		}
	}
	if trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	body, err := send(req, trace)
	if err != nil {
		return nil, err
	}

	serverCtx, hangUp := context.WithCancel(context.Background())
	answer := newStream(hangUp)
	// The handler learns that the client went away as a server does: its
	// request's context ends. It may continue all the same.
	answer.stopWatch = context.AfterFunc(ctx, func() { answer.leave(context.Cause(ctx)) })
	go serve(handler, answer, serverRequest(req, body).WithContext(serverCtx))

	select {
	case <-answer.started:
	case <-ctx.Done():
		answer.leave(context.Cause(ctx))
		return nil, context.Cause(ctx)
	}
	response, err := answer.response(req)
	if err != nil {
		return nil, err
	}
	if trace != nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	return response, nil
}

func (t transport) find(req *http.Request) (http.Handler, bool) {
	if handler, ok := t[req.URL.Host]; ok {
		return handler, true
	}
	handler, ok := t[req.URL.Hostname()]
	return handler, ok
}

func hostPort(req *http.Request) string {
	port := req.URL.Port()
	if port == "" {
		port = "80"
		if req.URL.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(req.URL.Hostname(), port)
}

// send reads the whole request body, as if it went into the socket's buffer.
func send(req *http.Request, trace *httptrace.ClientTrace) ([]byte, error) {
	if trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	var body []byte
	var err error
	if req.Body != nil {
		body, err = io.ReadAll(req.Body)
	}
	if trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
	return body, err
}

// serverRequest returns the request as a server sees it, without the values of the
// client's context.
func serverRequest(req *http.Request, body []byte) *http.Request {
	url := *req.URL
	in := &http.Request{
		Method: req.Method, URL: &url, RequestURI: url.RequestURI(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Host: req.Host, RemoteAddr: "192.0.2.1:1234",
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	for name, values := range req.Header {
		name = textproto.CanonicalMIMEHeaderKey(name)
		in.Header[name] = append(in.Header[name], values...)
	}
	if in.Method == "" {
		in.Method = http.MethodGet
	}
	if in.Host == "" {
		in.Host = url.Host
	}
	if url.Scheme == "https" {
		in.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true}
	}
	return in
}

// serve runs the handler to its end. Only http.ErrAbortHandler cuts the connection.
// Another panic is a bug of the fake and is not hidden.
func serve(handler http.Handler, answer *stream, req *http.Request) {
	defer func() {
		switch value := recover(); value {
		case nil:
			answer.finish(io.EOF)
		case http.ErrAbortHandler:
			answer.finish(io.ErrUnexpectedEOF)
		default:
			panic(value)
		}
	}()
	handler.ServeHTTP(answer, req)
}

// contentLength is -1 when the answer does not name its length.
func contentLength(header http.Header) int64 {
	n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
