package reltio

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"reltio-token-rotator/rotator"
)

// maxResponse is how many bytes of a response's header and of its body are read.
// A token response has about 300 bytes, and some kilobytes with a JWT.
const maxResponse = 64 << 10

// response is what came back for one request.
type response struct {
	// sent reports whether the request may have been sent.
	sent   bool
	status int // 0 if there was no response
	header http.Header
	body   []byte // maxResponse+1 bytes long if there was more
}

// exchange sends the request once and reads the whole response. It calls the
// transport and not an http.Client: a client follows redirects and takes
// credentials from URLs, and a transport does neither.
func (e *Endpoint) exchange(ctx context.Context, target *url.URL, request rotator.TokenRequest) (response, *rotator.Error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	// As soon as there is a connection, the request may have been sent.
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})

	r, err := e.transport.RoundTrip(httpRequest(ctx, target, request))
	if err != nil {
		if sent.Load() {
			return response{sent: true}, cut(request.GrantType, target.Host, err)
		}
		return response{}, unreachable(target, err)
	}
	defer func() { _ = r.Body.Close() }()
	got := response{sent: true, status: r.StatusCode, header: r.Header}
	if got.status < http.StatusOK {
		// After "101 Switching Protocols" the body is the bare connection, and a
		// read from it may never end.
		return got, nil
	}
	got.body, err = io.ReadAll(io.LimitReader(r.Body, maxResponse+1))
	if err != nil {
		// The status does not matter, because an incomplete response cannot be trusted.
		return got, cut(request.GrantType, target.Host, err)
	}
	return got, nil
}

// httpRequest builds the POST of RFC 6749 section 4.3.2, 4.4.2 or 6.
//
// The Basic header carries the client id and secret as they are. RFC 6749
// section 2.3.1 wants both form-encoded first, but Reltio's server does not
// decode them and would reject a secret with "+", "/" or "%" with 401.
//
// Without the Accept header some errors come back as HTML pages.
func httpRequest(ctx context.Context, target *url.URL, request rotator.TokenRequest) *http.Request {
	body := form(request)
	r := (&http.Request{
		Method:        http.MethodPost,
		URL:           target,
		Host:          target.Host,
		Header:        http.Header{},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
	}).WithContext(ctx)
	r.SetBasicAuth(request.ClientID, request.ClientSecret.Reveal())
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "reltio-token-rotator")
	return r
}

// form encodes the body. Every character of a token survives the encoding.
func form(request rotator.TokenRequest) string {
	values := url.Values{"grant_type": {string(request.GrantType)}}
	switch request.GrantType {
	case rotator.GrantTypeRefreshToken:
		values.Set("refresh_token", request.RefreshToken.Reveal())
	case rotator.GrantTypePassword:
		values.Set("username", request.Username.Reveal())
		values.Set("password", request.Password.Reveal())
	case rotator.GrantTypeClientCredentials: // the Basic header is enough
	}
	if request.Scope != "" {
		values.Set("scope", request.Scope)
	}
	return values.Encode()
}

// address returns the target's host and port.
func address(target *url.URL) string {
	port := cmp.Or(target.Port(), map[string]string{"https": "443", "http": "80"}[target.Scheme])
	return net.JoinHostPort(target.Hostname(), port)
}

// parseTarget parses the token URL. The settings have already rejected a wrong one with
// a better message. This check only makes sure that nothing is sent to one.
func parseTarget(tokenURL string) (*url.URL, *rotator.Error) {
	target, err := url.Parse(tokenURL)
	if err != nil || (target.Scheme != "https" && target.Scheme != "http") || target.Hostname() == "" {
		// The parser's error quotes the URL with its user information.
		return nil, &rotator.Error{
			Code:    rotator.ConfigInvalid,
			Message: "token_url is not a URL that a request can be sent to; correct it, for example to https://auth.reltio.com/oauth/token",
		}
	}
	return target, nil
}
