package main

import (
	"net/http"
	"net/url"
)

// isProxy reports whether text is the URL of a proxy. User information is not
// accepted: a password must not be in an environment variable.
func isProxy(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		u.User == nil && (u.Path == "" || u.Path == "/") && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}

// httpsProxy chooses the proxy for token requests and calls to AWS. It is nil, and
// all connections are direct, unless HTTPS_PROXY is set. NO_PROXY then lists the
// exceptions (https://pkg.go.dev/golang.org/x/net/http/httpproxy). Requests without
// TLS, which are to this machine, never use a proxy: it would see what they hold.
func httpsProxy(use bool) func(*http.Request) (*url.URL, error) {
	if !use {
		return nil
	}
	return func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme != "https" {
			return nil, nil
		}
		return http.ProxyFromEnvironment(r)
	}
}
