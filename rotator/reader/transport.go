package reader

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// maxDrain is how much of a 401's body is read, so that the connection can be used
// again.
const maxDrain = 64 << 10

// Transport returns a RoundTripper that sends requests through base
// (http.DefaultTransport if nil) with the token in their Authorization header.
//
// It handles a 401 as the package comment says. It returns the 401 to the caller if
// there is no other token, if the repeat was rejected too, and if the request has a
// body without GetBody, which cannot be sent again.
//
// If a redirect leads to another scheme, host or port, the request is sent without
// the token.
func (s *Source) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{s, base}
}

type transport struct {
	source *Source
	base   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if leftOrigin(req) {
		return t.send(req, req)
	}
	ctx := req.Context()
	token, err := t.source.Token(ctx)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as a RoundTripper must
		}
		return nil, err
	}
	response, err := t.send(req, authorised(req, token))
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	if !replayable(req) {
		t.source.renewal(ctx, token) // for the next request; this one cannot be repeated
		return response, nil
	}
	other, err := t.source.replacement(ctx, token)
	if ctx.Err() != nil {
		_ = response.Body.Close()
		return nil, context.Cause(ctx)
	}
	if err != nil {
		if !errors.Is(err, errSame) {
			t.source.config.Log.WarnContext(ctx, "the API rejected a token, and the secret could not be read again", "error", err)
		}
		return response, nil
	}
	again := authorised(req, other)
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return response, nil
		}
	}
	_, _ = io.CopyN(io.Discard, response.Body, maxDrain)
	_ = response.Body.Close()
	response, err = t.send(req, again)
	if err == nil && response.StatusCode == http.StatusUnauthorized {
		t.source.rejectedAgain(token)
	}
	return response, err
}

// send sends out in the place of req. The response names req as its request, because
// http.Client passes it on and req holds no token.
func (t *transport) send(req, out *http.Request) (*http.Response, error) {
	response, err := t.base.RoundTrip(out)
	if response != nil {
		response.Request = req
	}
	return response, err
}

func authorised(req *http.Request, token Token) *http.Request {
	out := req.Clone(req.Context())
	if out.Header == nil {
		out.Header = http.Header{} // http.Client makes one, a plain RoundTrip need not
	}
	out.Header.Set("Authorization", "Bearer "+token.Reveal())
	return out
}

func replayable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// leftOrigin reports whether redirects have led a request to another origin, even if
// they led it back since. In a request that http.Client makes for a redirect,
// Response is the response that caused it.
func leftOrigin(req *http.Request) bool {
	for r := req; r.Response != nil && r.Response.Request != nil; {
		r = r.Response.Request
		if origin(r.URL) != origin(req.URL) {
			return true
		}
	}
	return false
}

func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
