package reltio

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"reltio-token-rotator/rotator"
)

// maxReply is the most that is read of a reply's header and of its body. A
// token reply has about 300 bytes, some kilobytes with a JWT.
const maxReply = 64 << 10

// reply is a whole answer of the token endpoint.
type reply struct {
	status int
	header http.Header
	body   []byte // maxReply+1 bytes long where there was more
}

// exchange sends the request once and reads the whole reply. It talks to the
// transport and not through an http.Client: a client follows redirects and
// takes credentials from URLs, a transport does neither.
func (e *Endpoint) exchange(ctx context.Context, target *url.URL, request rotator.TokenRequest) (reply, *rotator.Error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	// From the moment there is a connection the request may have gone out.
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})

	response, err := e.transport.RoundTrip(httpRequest(ctx, target, request))
	if err != nil {
		if sent.Load() {
			return reply{}, answerLost(target.Host, err)
		}
		return reply{}, unreachable(target.Host, err)
	}
	defer func() { _ = response.Body.Close() }()
	answered := reply{status: response.StatusCode, header: response.Header}
	if answered.status < http.StatusOK {
		// After "101 Switching Protocols" the body is the bare connection, and
		// reading it could last for ever.
		return answered, nil
	}
	answered.body, err = io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	if err != nil {
		// Whatever the status: a cut reply is not known to mean what it says.
		return answered, answerLost(target.Host, err)
	}
	return answered, nil
}

// httpRequest builds the POST of RFC 6749 section 4.3.2, 4.4.2 or 6.
//
// The Basic header carries the client id and secret as they are. RFC 6749
// section 2.3.1 wants both form-encoded first, but Reltio's server does not
// decode them, so that a secret with "+", "/" or "%" would be refused with 401.
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

// form encodes the body, in which every character of a token survives.
func form(request rotator.TokenRequest) string {
	values := url.Values{"grant_type": {string(request.GrantType)}}
	switch request.GrantType {
	case rotator.GrantTypeRefreshToken:
		values.Set("refresh_token", request.RefreshToken.Reveal())
	case rotator.GrantTypePassword:
		values.Set("username", request.Username.Reveal())
		values.Set("password", request.Password.Reveal())
	case rotator.GrantTypeClientCredentials: // the Basic header says all
	}
	if request.Scope != "" {
		values.Set("scope", request.Scope)
	}
	return values.Encode()
}

// parseTarget parses the token URL. The settings refuse a wrong one earlier
// and know more about it; here nothing is sent where it cannot be right.
func parseTarget(tokenURL string) (*url.URL, *rotator.Error) {
	target, err := url.Parse(tokenURL)
	if err != nil || (target.Scheme != "https" && target.Scheme != "http") || target.Hostname() == "" {
		// The parser's error quotes the URL, user information included.
		return nil, &rotator.Error{
			Code:    rotator.ConfigInvalid,
			Message: "token_url is not a URL that a request can be sent to: correct it, as in https://auth.reltio.com/oauth/token.",
		}
	}
	return target, nil
}
