package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// aliveness finds out whether an access token is accepted. It calls an API that the
// operator named, or else the authorization server's own check endpoint, which
// Spring's library has beside the token endpoint.
type aliveness struct {
	client   *http.Client
	apiURL   string
	checkURL string // empty where there is none
	how, why string // how it was seen, or why it cannot be
}

func newAliveness(tokenURL, apiURL string) *aliveness {
	a := &aliveness{
		client: &http.Client{
			Timeout: 20 * time.Second, Transport: newProbeTransport(),
			// A token goes where the operator said, and nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		apiURL: apiURL, how: "API_URL was asked",
	}
	if apiURL == "" {
		a.how = "the server's check endpoint was asked"
		a.why = "no API_URL was given, and the server has no check endpoint that answers"
		if u, err := url.Parse(tokenURL); err == nil && strings.HasSuffix(u.Path, "/token") {
			u.Path = strings.TrimSuffix(u.Path, "/token") + "/check_token"
			a.checkURL = u.String()
		}
	}
	return a
}

// is reports whether the token is accepted now.
func (a *aliveness) is(ctx context.Context, s rotator.CredentialSet, token secret.Value) known {
	switch {
	case token.Empty():
		return unknown
	case a.apiURL != "":
		return a.byAPI(ctx, token)
	case a.checkURL != "":
		return a.byCheck(ctx, s, token)
	}
	return unknown
}

// settle is how long a gateway may keep an ended token in its cache.
const settle = 10 * time.Second

// stays reports whether the token is accepted now and after a while.
func (a *aliveness) stays(ctx context.Context, s rotator.CredentialSet, token secret.Value) known {
	now := a.is(ctx, s, token)
	if now != yes || sleep(ctx, settle) != nil {
		return now
	}
	return a.is(ctx, s, token)
}

// byAPI calls the API. 401 means no. Any other answer below 500 means that the token
// was accepted, whatever it allows.
func (a *aliveness) byAPI(ctx context.Context, token secret.Value) known {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.apiURL, nil)
	if err != nil {
		return unknown
	}
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	status, ok := a.do(r)
	switch {
	case !ok || status >= 500 || status == http.StatusTooManyRequests:
		a.why = "API_URL did not answer"
		return unknown
	case status >= 300 && status < 400:
		a.why = "API_URL answers with a redirect, which is not followed"
		return unknown
	case status == http.StatusNotFound:
		a.why = "API_URL answers 404"
		return unknown
	}
	return knownIf(status != http.StatusUnauthorized)
}

// byCheck asks Spring's check endpoint: 200 is yes, 400 no. Most servers do not
// open it to clients (401, 403), or have none (404).
func (a *aliveness) byCheck(ctx context.Context, s rotator.CredentialSet, token secret.Value) known {
	body := url.Values{"token": {token.Reveal()}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.checkURL, strings.NewReader(body))
	if err != nil {
		return unknown
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	r.SetBasicAuth(s.ClientID, s.ClientSecret.Reveal())
	status, ok := a.do(r)
	if ok && (status == http.StatusOK || status == http.StatusBadRequest) {
		return knownIf(status == http.StatusOK)
	}
	return unknown
}

func (a *aliveness) do(r *http.Request) (status int, ok bool) {
	response, err := a.client.Do(r)
	if err != nil {
		return 0, false
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	_ = response.Body.Close()
	return response.StatusCode, true
}
