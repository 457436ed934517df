package reltio_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/tests/fake/reltio"
)

// lifetime is what the first answer says of a token that lives 3599 s.
const lifetime = 3598

// TestReplies has one row for each reply that the library behind Reltio's
// service was seen to send. Rows without a wait also run over TCP.
func TestReplies(t *testing.T) {
	day29 := 28*24*3600 + 1
	rows := []struct {
		name    string
		options reltio.Options
		waits   bool
		test    func(*caller)
	}{
		{name: "password", test: func(c *caller) {
			a := c.granted("login", c.login(), lifetime)
			if a.Refresh == "" || a.Scope != "read write" {
				c.t.Errorf("body %s: want refresh token and scope", a.Body)
			}
			if got := a.Header.Get("Content-Type"); got != "application/json;charset=UTF-8" {
				c.t.Errorf("Content-Type = %q", got)
			}
			if got := a.Header.Get("Cache-Control"); got != "no-store" {
				c.t.Errorf("Cache-Control = %q", got)
			}
			if a.Length != -1 || a.Header.Get("Content-Length") != "" {
				c.t.Errorf("the answer names a length (%d), want chunks", a.Length)
			}
			c.alive("granted token", a.Access, true)
		}},
		{name: "password again while the token lives", waits: true, test: func(c *caller) {
			first := c.login()
			sleep(1000)
			again := c.granted("again", c.login(), lifetime-1000)
			c.same("access token", again.Access, first.Access)
			c.same("refresh token", again.Refresh, first.Refresh)
			time.Sleep(2598*time.Second + 500*time.Millisecond)
			if last := c.login(); last.Access != first.Access || *last.Expires != 0 {
				c.t.Errorf("in the last second: %s, want the same token with 0", last.Body)
			}
			c.alive("in the last second", first.Access, true)
			time.Sleep(500*time.Millisecond + 1)
			c.alive("after it", first.Access, false)
		}},
		{name: "password after the access token expired", waits: true, test: func(c *caller) {
			first := c.login()
			for range 27 * 24 {
				sleep(3600)
				second := c.granted("login", c.login(), lifetime)
				c.differ("access token", second.Access, first.Access)
				c.same("refresh token", second.Refresh, first.Refresh)
			}
			sleep(24*3600 + 1)
			c.refused("its clock was not extended", c.refresh(first.Refresh), 401, "invalid_token", "Invalid refresh token (expired)")
		}},
		{
			name: "password, access token alive, refresh token expired", waits: true,
			options: reltio.Options{RefreshLifetime: 1000 * time.Second},
			test: func(c *caller) {
				first := c.login()
				sleep(1001)
				again := c.granted("login", c.login(), lifetime-1001)
				c.same("access token", again.Access, first.Access)
				c.same("refresh token", again.Refresh, first.Refresh)
				c.refused("the expired refresh token", c.refresh(again.Refresh), 401, "invalid_token", "Invalid refresh token (expired)")
				fresh := c.granted("and now", c.login(), lifetime)
				c.differ("refresh token", fresh.Refresh, first.Refresh)
			},
		},
		{name: "refresh, reuse", test: func(c *caller) {
			old := c.login()
			renewed := c.granted("refresh", c.refresh(old.Refresh), lifetime)
			c.differ("access token", renewed.Access, old.Access)
			c.same("refresh token", renewed.Refresh, old.Refresh)
			c.alive("the old one, at once", old.Access, false)
			c.alive("the new one", renewed.Access, true)
			c.same("what a login gives", c.login().Access, renewed.Access)
		}},
		{name: "refresh, reuse: the clock is not extended by use", waits: true, test: func(c *caller) {
			first := c.login()
			sleep(day29 - 10)
			c.granted("day 28", c.refresh(first.Refresh), lifetime)
			sleep(10)
			c.refused("day 29", c.refresh(first.Refresh), 401, "invalid_token", "Invalid refresh token (expired)")
		}},
		{name: "refresh, reuse off", options: reltio.Options{RotateRefreshToken: true}, test: func(c *caller) {
			old := c.login()
			renewed := c.granted("refresh", c.refresh(old.Refresh), lifetime)
			c.differ("access token", renewed.Access, old.Access)
			c.differ("refresh token", renewed.Refresh, old.Refresh)
			c.alive("the old one", old.Access, false)
			c.refused("replay", c.refresh(old.Refresh), 400, "invalid_grant", "Invalid refresh token")
			c.alive("no family revocation: access token", renewed.Access, true)
			c.granted("no family revocation: refresh token", c.refresh(renewed.Refresh), lifetime)
		}},
		{name: "refresh, unknown token", test: func(c *caller) {
			old := c.login()
			c.refused("refresh", c.refresh("no-such-token"), 400, "invalid_grant", "Invalid refresh token")
			c.alive("the live token", old.Access, true)
		}},
		{name: "refresh, expired", test: func(c *caller) {
			old := c.login()
			c.server.ExpireRefreshTokens()
			c.alive("before it was tried", old.Access, true)
			c.refused("first time", c.refresh(old.Refresh), 401, "invalid_token", "Invalid refresh token (expired)")
			c.alive("after it was tried", old.Access, false)
			c.refused("afterwards", c.refresh(old.Refresh), 400, "invalid_grant", "Invalid refresh token")
		}},
		{name: "wrong secret", test: func(c *caller) {
			c.secret = "wrong"
			c.notOAuth(c.login())
		}},
		{name: "unknown client", test: func(c *caller) {
			c.id = "stranger"
			c.notOAuth(c.login())
		}},
		{name: "no Basic", test: func(c *caller) {
			c.noBasic = true
			c.notOAuth(c.ask("grant_type", "password", "client_id", "client", "client_secret", "secret"))
		}},
		{name: "grant not allowed to the client", options: reltio.Options{Grants: []string{"refresh_token"}}, test: func(c *caller) {
			c.refused("password", c.login(), 401, "invalid_client", "Unauthorized grant type")
			c.refused("client_credentials", c.clientCredentials(), 401, "invalid_client", "Unauthorized grant type")
			_, seeded := c.server.Login()
			c.granted("refresh", c.refresh(seeded), lifetime)
		}},
		{name: "wrong user password", test: func(c *caller) {
			a := c.ask("grant_type", "password", "username", "user", "password", "wrong")
			c.refused("login", a, 400, "invalid_grant", "Bad credentials")
		}},
		{name: "missing grant_type", test: func(c *caller) {
			c.refused("none", c.ask("refresh_token", "x"), 400, "invalid_request", "Missing grant type")
		}},
		{name: "unknown grant_type", test: func(c *caller) {
			c.refused("magic", c.ask("grant_type", "magic"), 400, "unsupported_grant_type", "Unsupported grant type")
		}},
		{name: "client_credentials twice", waits: true, test: func(c *caller) {
			first := c.granted("first", c.clientCredentials(), lifetime)
			sleep(100)
			again := c.granted("again", c.clientCredentials(), lifetime-100)
			c.same("access token", again.Access, first.Access)
			if strings.Contains(again.Body, "refresh_token") {
				c.t.Error("client_credentials answers with a refresh token")
			}
			sleep(3599)
			c.differ("after expiry", c.granted("later", c.clientCredentials(), lifetime).Access, first.Access)
		}},
		{name: "errors with Accept: text/html", test: func(c *caller) {
			c.accept = "text/html"
			c.page("unknown refresh token", c.refresh("no-such-token"), 500)
			c.page("missing grant_type", c.ask(), 500)
			c.secret = "wrong"
			c.page("wrong secret", c.login(), 401)
		}},
		{
			name: "8 refreshes at once, reuse", waits: true,
			options: reltio.Options{RaceWindow: 50 * time.Millisecond},
			test: func(c *caller) {
				answers := c.atOnce(8, c.login().Refresh)
				tokens, living := map[string]bool{}, 0
				for _, a := range answers {
					tokens[c.granted("refresh", a, lifetime).Access] = true
					if c.server.Alive(a.Access) {
						living++
					}
				}
				if len(tokens) != 8 || living < 1 || living > 3 {
					c.t.Errorf("%d different tokens of which %d live, want 8 of which 1 to 3", len(tokens), living)
				}
			},
		},
		{
			name:    "8 refreshes at once, reuse off",
			options: reltio.Options{RotateRefreshToken: true, RaceWindow: 50 * time.Millisecond},
			test: func(c *caller) {
				good := 0
				for _, a := range c.atOnce(8, c.login().Refresh) {
					if a.Status == http.StatusOK {
						good++
						c.alive("the one that was granted", a.Access, true)
						continue
					}
					c.refused("the others", a, 400, "invalid_grant", "Invalid refresh token")
				}
				if good != 1 {
					c.t.Errorf("%d were granted, want 1", good)
				}
			},
		},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Run("bubble", func(t *testing.T) { inBubble(t, row.options, row.test) })
			if !row.waits {
				t.Run("tcp", func(t *testing.T) { overTCP(t, row.options, row.test) })
			}
		})
	}
}

// notOAuth checks the 401 of the layer before the OAuth library.
func (c *caller) notOAuth(a answer) {
	c.t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		c.t.Fatalf("body %q: %v", a.Body, err)
	}
	_, err := time.Parse(time.RFC3339, body["timestamp"].(string))
	if a.Status != 401 || body["status"] != 401.0 || body["error"] != "Unauthorized" || body["path"] != "/oauth/token" || err != nil || len(body) != 4 {
		c.t.Errorf("%d %s", a.Status, a.Body)
	}
	if got := a.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic ") {
		c.t.Errorf("WWW-Authenticate = %q, want Basic", got)
	}
}

// page checks an HTML error.
func (c *caller) page(what string, a answer, status int) {
	c.t.Helper()
	if a.Status != status || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || !strings.HasPrefix(a.Body, "<html>") {
		c.t.Errorf("%s: %d %s %q, want %d and a page", what, a.Status, a.Header.Get("Content-Type"), a.Body, status)
	}
}

// atOnce sends n refreshes side by side.
func (c *caller) atOnce(n int, token string) []answer {
	answers := make([]answer, n)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			var err error
			answers[i], err = c.try("grant_type", "refresh_token", "refresh_token", token)
			if err != nil {
				c.t.Errorf("refresh %d: %v", i, err)
			}
		})
	}
	all.Wait()
	return answers
}
