package reltio_test

import (
	"slices"
	"testing"
	"time"

	"reltio-token-rotator/tests/fake/reltio"
)

// Two users of one client, and one user of two clients, never end each other's
// tokens.
func TestUsersAndClientsAreIndependent(t *testing.T) {
	options := reltio.Options{
		Users: map[string]string{"second": "other password"}, Clients: map[string]string{"client-2": "secret-2"},
	}
	inBubble(t, options, func(c *caller) {
		first := c.login()
		second := c.granted("second user", c.ask("grant_type", "password", "username", "second", "password", "other password"), lifetime)
		c.id, c.secret = "client-2", "secret-2"
		third := c.granted("second client", c.login(), lifetime)
		c.refused("another client's refresh token", c.refresh(first.Refresh), 400, "invalid_grant", "Invalid refresh token")
		c.id, c.secret = "client", "secret"
		c.differ("second user's token", second.Access, first.Access)
		c.differ("second client's token", third.Access, first.Access)
		renewed := c.granted("refresh", c.refresh(second.Refresh), lifetime)
		c.alive("the refreshed user's old token", second.Access, false)
		c.alive("the refreshed user's new token", renewed.Access, true)
		c.alive("the first user's token", first.Access, true)
		c.alive("the second client's token", third.Access, true)
		c.server.EndAccessTokensOf("second")
		c.alive("the ended token", renewed.Access, false)
		c.alive("the first user's token", first.Access, true)
	})
}

func TestAccessTokenIsKnownForEver(t *testing.T) {
	inBubble(t, reltio.Options{}, func(c *caller) {
		begun := time.Now()
		first := c.login()
		sleep(60)
		second := c.refresh(first.Refresh)
		c.server.SetClock(10 * time.Second)
		old, _ := c.server.AccessToken(first.Access)
		want := reltio.AccessToken{
			Client: "client", User: "user", IssuedAt: begun.Add(-10 * time.Second),
			ExpiresAt: begun.Add(3589 * time.Second), EndedAt: begun.Add(50 * time.Second),
		}
		if old != want {
			c.t.Errorf("the first is %+v, want %+v", old, want)
		}
		if _, known := c.server.AccessToken("unknown"); known {
			c.t.Error("a token that was never issued is known")
		}
		sleep(3600 - 11 - 60)
		c.alive("before its end on the server's clock", second.Access, true)
		for before, want := range map[time.Duration]int{50 * time.Second: 0, 51 * time.Second: 1, time.Hour: 1} {
			if got := c.server.Ended(begun.Add(before)); got != want {
				c.t.Errorf("%d tokens ended before %v, want %d", got, before, want)
			}
		}
		sleep(120)
		c.alive("after it", second.Access, false)
	})
}

func TestRefreshTokensOfAUser(t *testing.T) {
	inBubble(t, reltio.Options{RotateRefreshToken: true}, func(c *caller) {
		c.server.AddRefreshToken("from elsewhere")
		first := c.login()
		want := func(what string, tokens ...string) {
			if got := c.server.RefreshTokens("user"); !slices.Equal(got, tokens) {
				c.t.Errorf("%s: %q are alive, want %q", what, got, tokens)
			}
		}
		want("after a login", "from elsewhere", first.Refresh)
		second := c.refresh(first.Refresh)
		want("after a refresh", "from elsewhere", second.Refresh)
		c.server.Revoke("user")
		want("after a revocation")
		c.alive("the revoked access token", second.Access, false)
	})
}

func TestWrongPasswordsAreCounted(t *testing.T) {
	inBubble(t, reltio.Options{InvalidGrantStatus: 403}, func(c *caller) {
		for range 2 {
			a := c.ask("grant_type", "password", "username", "user", "password", "wrong")
			c.refused("wrong password", a, 403, "invalid_grant", "Bad credentials")
		}
		c.login()
		if user, other := c.server.WrongPasswords("user"), c.server.WrongPasswords("other"); user != 2 || other != 0 {
			c.t.Errorf("%d and %d wrong passwords, want 2 and 0", user, other)
		}
	})
}
