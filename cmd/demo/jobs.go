package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
)

// row is one line of the table at the end: a job, or jobs of one kind, and what
// became of its calls to the API.
type row struct {
	short, name string
	counts
}

// counts are of calls to the API: all of them, those that were answered with 401,
// and how often a job had no answer in the end.
type counts struct{ calls, refused, failed int }

func (c counts) minus(d counts) counts {
	return counts{c.calls - d.calls, c.refused - d.refused, c.failed - d.failed}
}

// call is one time that a job needed the API.
type call struct {
	row *row
	counts
	// reported is what became of a report that the token is refused; nil without
	// one. replaced: the next token that the job read was taken.
	reported *rotator.Result
	replaced bool
	err      error
}

// callAPI calls the API with a token, and counts.
func (c *call) callAPI(ctx context.Context, a *api, token publishedToken) bool {
	live, err := a.takes(ctx, token)
	if err != nil {
		c.err = err
		return false
	}
	c.calls++
	if !live {
		c.refused++
	}
	return live
}

// worker is what a job does each minute. ok reports whether the job got its answer
// from the API.
type worker func(ctx context.Context, c *call) (ok bool)

// readingJob reads the secret before each call. If the token is refused, it reads
// again, and if the secret still holds that token, reports it.
func readingJob(a *api, report func(ctx context.Context, fingerprint string) *rotator.Result) worker {
	return func(ctx context.Context, c *call) (ok bool) {
		refused := ""
		_, ok, c.err = a.callWithSecret(ctx, func(token publishedToken) (again bool) {
			c.calls++
			c.refused++
			if c.reported == nil && refused == fingerprint(token) {
				c.reported = report(ctx, refused)
			}
			refused = fingerprint(token)
			return c.refused < 20
		})
		if ok {
			c.calls++
			c.replaced = c.refused > 0
		}
		return ok
	}
}

// cachingJob reads the secret and keeps the token for a while, whatever the API
// answers.
func cachingJob(a *api, connection string, keeps time.Duration) worker {
	var token publishedToken
	var until time.Time
	return func(ctx context.Context, c *call) bool {
		if time.Now().After(until) {
			var found bool
			if token, found, c.err = a.read(ctx, connection); !found {
				return false
			}
			until = time.Now().Add(keeps)
		}
		return c.callAPI(ctx, a, token)
	}
}

// askingJob requests tokens itself, with a refresh token: at first, and when one is
// refused.
func askingJob(a *api, tokenURL, refreshToken string) worker {
	var token publishedToken
	return func(ctx context.Context, c *call) bool {
		if token.AccessToken != "" && c.callAPI(ctx, a, token) {
			return true
		}
		var err error
		if token, err = requestToken(ctx, tokenURL, refreshToken); err != nil {
			return false
		}
		return c.callAPI(ctx, a, token)
	}
}

func requestToken(ctx context.Context, tokenURL, refreshToken string) (token publishedToken, err error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, tokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return token, err
	}
	request.SetBasicAuth(clientID, clientSecret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return token, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return token, fmt.Errorf("the token endpoint answered %s", response.Status)
	}
	return token, json.NewDecoder(response.Body).Decode(&token)
}
