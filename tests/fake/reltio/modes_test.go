package reltio_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/tests/fake/reltio"
)

func TestModes(t *testing.T) {
	rows := []struct {
		name    string
		options reltio.Options
		test    func(*caller)
	}{
		{"same token until expired", reltio.Options{SameTokenUntilExpired: true}, func(c *caller) {
			first := c.login()
			time.Sleep(3598*time.Second + 500*time.Millisecond)
			same := c.refresh(first.Refresh)
			c.same("access token", same.Access, first.Access)
			if *same.Expires != 0 {
				c.t.Errorf("expires_in = %d, want 0 in the last second", *same.Expires)
			}
			c.alive("in the last second", same.Access, true)
			sleep(1)
			c.differ("after expiry", c.granted("refresh", c.refresh(first.Refresh), lifetime).Access, first.Access)
		}},
		{"same token, but ended early", reltio.Options{SameTokenUntilExpired: true}, func(c *caller) {
			first := c.login()
			c.server.EndAccessTokens()
			c.alive("ended", first.Access, false)
			renewed := c.granted("refresh", c.refresh(first.Refresh), lifetime)
			c.differ("access token", renewed.Access, first.Access)
		}},
		{"same token with rotation", reltio.Options{SameTokenUntilExpired: true, RotateRefreshToken: true}, func(c *caller) {
			first := c.login()
			second := c.refresh(first.Refresh)
			c.same("access token", second.Access, first.Access)
			c.differ("refresh token", second.Refresh, first.Refresh)
			c.refused("replay", c.refresh(first.Refresh), 400, "invalid_grant", "Invalid refresh token")
		}},
		{"rotation with reuse detection", reltio.Options{RotateRefreshToken: true, RevokeFamilyOnReplay: true}, func(c *caller) {
			first := c.login()
			second := c.refresh(first.Refresh)
			third := c.refresh(second.Refresh)
			c.refused("replay", c.refresh(first.Refresh), 400, "invalid_grant", "Invalid refresh token")
			c.alive("the family's access token", third.Access, false)
			c.refused("the family's refresh token", c.refresh(third.Refresh), 400, "invalid_grant", "Invalid refresh token")
			c.granted("another login", c.login(), lifetime)
		}},
		{"a rotated refresh token has a clock of its own", reltio.Options{RotateRefreshToken: true}, func(c *caller) {
			token := c.login().Refresh
			for range 60 {
				sleep(24 * 3600)
				token = c.granted("refresh", c.refresh(token), lifetime).Refresh
			}
		}},
		{"JWT", reltio.Options{JWT: true}, func(c *caller) {
			old := c.login()
			renewed := c.refresh(old.Refresh)
			c.alive("the old one", old.Access, true)
			c.alive("the new one", renewed.Access, true)
			if strings.Count(renewed.Access, ".") != 2 {
				c.t.Error("not of a JWT's shape")
			}
			sleep(3600)
			c.alive("the old one, expired", old.Access, false)
		}},
		{"MFA", reltio.Options{MFA: true}, func(c *caller) {
			a := c.login()
			if a.Status != 200 || a.Access != "" || *a.Expires != 599 || !strings.Contains(a.Body, `"state_token"`) {
				c.t.Errorf("%d %s, want a challenge", a.Status, a.Body)
			}
		}},
		{"echo of the refresh token", reltio.Options{EchoRefreshToken: true}, func(c *caller) {
			c.refused("unknown", c.refresh("canary"), 400, "invalid_grant", "Invalid refresh token: canary")
			old := c.login().Refresh
			c.server.ExpireRefreshTokens()
			a := c.refresh(old)
			c.refused("expired", a, 401, "invalid_token", "Invalid refresh token (expired): "+old)
			if !strings.Contains(a.Header.Get("WWW-Authenticate"), old) {
				c.t.Error("the challenge does not echo the token")
			}
		}},
		{"multi token", reltio.Options{MultiToken: true}, func(c *caller) {
			first, second := c.clientCredentials(), c.clientCredentials()
			c.differ("access token", second.Access, first.Access)
			c.alive("the first", first.Access, true)
		}},
		{"loose shape", reltio.Options{LooseShape: true}, func(c *caller) {
			a := c.login()
			for _, want := range []string{`"token_type":"Bearer"`, `"expires_in":"3598"`, `"scope":["read","write"]`} {
				if !strings.Contains(a.Body, want) {
					c.t.Errorf("%s lacks %s", a.Body, want)
				}
			}
		}},
		{"omitted refresh token", reltio.Options{OmitRefreshToken: true}, func(c *caller) {
			token := c.login().Refresh
			if a := c.granted("refresh", c.refresh(token), lifetime); a.Refresh != "" {
				c.t.Error("the unchanged refresh token is named")
			}
			c.server.SetOptions(func(o *reltio.Options) { o.RotateRefreshToken = true })
			c.differ("a changed one", c.refresh(token).Refresh, token)
		}},
		{"Base64 tokens", reltio.Options{TokenFormat: reltio.Base64}, func(c *caller) {
			a := c.login()
			for _, character := range []string{"+", "/", "="} {
				if !strings.Contains(a.Refresh, character) || !strings.Contains(a.Access, character) {
					c.t.Errorf("no %q in both tokens", character)
				}
			}
			c.granted("refresh", c.refresh(a.Refresh), lifetime)
		}},
		{"Base64url tokens", reltio.Options{TokenFormat: reltio.Base64URL}, func(c *caller) {
			a := c.login()
			if a.Refresh[0] != '-' || a.Access[0] != '-' {
				c.t.Error("want tokens that begin with '-'")
			}
			c.granted("refresh", c.refresh(a.Refresh), lifetime)
		}},
		{"requests a second", reltio.Options{RequestsPerSecond: 2, RetryAfter: "1"}, func(c *caller) {
			for _, want := range []int{200, 200, 429, 429} {
				if a := c.clientCredentials(); a.Status != want {
					c.t.Errorf("status %d, want %d", a.Status, want)
				} else if want == 429 && a.Header.Get("Retry-After") != "1" {
					c.t.Error("no Retry-After")
				}
			}
			sleep(1)
			c.granted("a second later", c.clientCredentials(), lifetime-1)
		}},
		{"scope", reltio.Options{}, func(c *caller) {
			if a := c.ask("grant_type", "client_credentials", "scope", "read"); a.Scope != "read" {
				c.t.Errorf("scope %q, want read", a.Scope)
			}
			c.refused("too much", c.ask("grant_type", "client_credentials", "scope", "read admin"), 400, "invalid_scope", "Invalid scope")
		}},
		{"latency", reltio.Options{Latency: 3 * time.Second}, func(c *caller) {
			before := time.Now()
			c.granted("login", c.login(), lifetime)
			if took := time.Since(before); took != 3*time.Second {
				c.t.Errorf("took %v", took)
			}
		}},
		{"race window", reltio.Options{RaceWindow: 50 * time.Millisecond}, func(c *caller) {
			token := c.login().Refresh
			done := make(chan struct{})
			go func() {
				defer close(done)
				time.Sleep(25 * time.Millisecond)
				c.alive("the later one, when it is answered", c.refresh(token).Access, true)
			}()
			c.alive("the earlier one, when it is answered", c.refresh(token).Access, false)
			<-done
		}},
		{"a refresh token from elsewhere", reltio.Options{}, func(c *caller) {
			c.server.AddRefreshToken("a+b/c=")
			a := c.granted("refresh", c.refresh("a+b/c="), lifetime)
			c.same("refresh token", a.Refresh, "a+b/c=")
			c.same("what a login gives", c.login().Refresh, "a+b/c=")
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { inBubble(t, row.options, row.test) })
	}
}

// The secret is compared unchanged. A client that form-encodes it first, as RFC 6749
// section 2.3.1 says, is rejected.
func TestPlainBasic(t *testing.T) {
	const secret = "s3c+r/e=t%41 x:y"
	overTCP(t, reltio.Options{ClientSecret: secret}, func(c *caller) {
		c.secret = secret
		c.granted("plain", c.login(), lifetime)
		c.secret = url.QueryEscape(secret)
		c.notOAuth(c.login())
		seen := c.server.Requests()
		if !seen[0].PlainBasic || seen[1].PlainBasic {
			t.Errorf("PlainBasic = %t, %t; want true, false", seen[0].PlainBasic, seen[1].PlainBasic)
		}
	})
}

func TestWhoamiRefusesWithAChallenge(t *testing.T) {
	overTCP(t, reltio.Options{}, func(c *caller) {
		c.refused("unknown token", c.whoami("no-such-token"), 401, "invalid_token", "Invalid access token")
		c.refused("no token", c.whoami(""), 401, "invalid_token", "Invalid access token")
	})
}

func TestRequestsHoldNoSecret(t *testing.T) {
	overTCP(t, reltio.Options{}, func(c *caller) {
		a := c.login()
		b := c.refresh(a.Refresh)
		seen := c.server.Requests()
		text := fmt.Sprintf("%v %+v %#v", seen, seen, seen)
		for _, secret := range []string{a.Access, a.Refresh, b.Access, "secret", "password\"}"} {
			if strings.Contains(text, secret) {
				t.Errorf("Requests print %q", secret)
			}
		}
		got := seen[1]
		if got.GrantType != "refresh_token" || got.Status != 200 || got.AccessToken == "" || got.RefreshToken == "" || got.Query ||
			strings.Join(got.Fields, " ") != "grant_type refresh_token" || got.Accept != "application/json" ||
			got.ContentType != "application/x-www-form-urlencoded" {
			t.Errorf("request = %+v", got)
		}
	})
}
