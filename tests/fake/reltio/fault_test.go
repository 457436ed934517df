package reltio_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/tests/fake/reltio"
)

// TestFaults: what the client sees of each fault, whether the grant was
// executed, and that the next request succeeds.
func TestFaults(t *testing.T) {
	answers := func(status int, header, body string) func(*testing.T, answer, error) {
		return func(t *testing.T, a answer, err error) {
			name, value, _ := strings.Cut(header, ": ")
			if err != nil || a.Status != status || !strings.Contains(a.Body, body) || (name != "" && a.Header.Get(name) != value) {
				t.Errorf("%d %v %.80q %v", a.Status, a.Header, a.Body, err)
			}
		}
	}
	fails := func(want error) func(*testing.T, answer, error) {
		return func(t *testing.T, a answer, err error) {
			if !errors.Is(err, want) {
				t.Errorf("err = %v, want %v", err, want)
			}
		}
	}
	rows := []struct {
		fault    reltio.Fault
		sees     func(*testing.T, answer, error)
		executed bool
	}{
		{reltio.Pass(), answers(200, "", `"access_token"`), true},
		{reltio.Throttled(""), answers(429, "Retry-After: ", ""), false},
		{reltio.Throttled("7"), answers(429, "Retry-After: 7", ""), false},
		{reltio.Status(500), answers(500, "", "Internal"), false},
		{reltio.Status(502), answers(502, "", ""), false},
		{reltio.StatusRetryAfter(503, "3"), answers(503, "Retry-After: 3", ""), false},
		{reltio.Status(504), answers(504, "", ""), false},
		{reltio.OAuthError(401, "unauthorized_client", "no"), answers(401, `WWW-Authenticate: Bearer error="unauthorized_client", error_description="no"`, ""), false},
		{reltio.FirewallPage(), answers(403, "Content-Type: text/html;charset=UTF-8", "<html>"), false},
		{reltio.Redirect(307, "https://elsewhere.example/"), answers(307, "Location: https://elsewhere.example/", ""), false},
		{reltio.NotJSON(), answers(200, "", "<html>"), false},
		{reltio.Huge(), answers(200, "", strings.Repeat(" ", 65<<10)), false},
		{reltio.Empty(), answers(200, "", ""), false},
		{reltio.NoAccessToken(), answers(200, "", `"expires_in"`), false},
		{reltio.ErrorInside(), answers(200, "", `"error"`), false},
		{reltio.NotExecuted(), fails(io.EOF), false},
		{reltio.AnswerLost(), fails(io.EOF), true},
		{reltio.CutMidBody(20), fails(io.ErrUnexpectedEOF), true},
		{reltio.Hang(), fails(context.DeadlineExceeded), false},
		{reltio.Fault{Executed: true, Hang: true}, fails(context.DeadlineExceeded), true},
		{reltio.ExecutedThenStatus(408), answers(408, "", "Request Timeout"), true},
		{reltio.ExecutedThenStatus(500), answers(500, "", "Internal"), true},
		{reltio.ExecutedThenStatus(502), answers(502, "", ""), true},
		{reltio.ByteOrderMark(), answers(200, "", "\ufeff{"), true},
		{reltio.OddAnswer("no access token", map[string]any{"access_token": nil}), answers(200, "", `"refresh_token"`), true},
		{reltio.OddAnswer("huge life", map[string]any{"expires_in": int64(9223372036854775)}), answers(200, "", `"expires_in":9223372036854775,`), true},
		{reltio.Fault{Status: 503, Cut: true, CutAfter: 3, Body: "unavailable"}, fails(io.ErrUnexpectedEOF), false},
	}
	for _, row := range rows {
		test := func(c *caller) {
			c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			c.http.Timeout = 200 * time.Millisecond
			access, refresh := c.server.Login()
			c.server.Script(row.fault)
			a, err := c.try("grant_type", "refresh_token", "refresh_token", refresh)
			row.sees(c.t, a, err)
			if c.server.Alive(access) == row.executed {
				c.t.Errorf("executed = %t, want %t", !row.executed, row.executed)
			}
			c.http.Timeout = 0
			c.granted("the next one", c.refresh(refresh), lifetime)
			seen := c.server.Requests()
			if len(seen) != 2 || seen[1].Fault != "" || (seen[0].AccessToken != "") != row.executed {
				c.t.Errorf("requests = %v", seen)
			}
		}
		name := row.fault.Name
		if name == "" {
			name = "unnamed"
		}
		t.Run(name+"/bubble", func(t *testing.T) { inBubble(t, reltio.Options{}, test) })
		t.Run(name+"/tcp", func(t *testing.T) { overTCP(t, reltio.Options{}, test) })
	}
}

// A server does not notice that its client gave up: the refresh is executed
// late and ends a newer token.
func TestSlowGrantIsExecutedAfterTheClientLeft(t *testing.T) {
	inBubble(t, reltio.Options{}, func(c *caller) {
		_, refresh := c.server.Login()
		c.server.Script(reltio.Slow(30 * time.Second))
		c.http.Timeout = 20 * time.Second
		if _, err := c.try("grant_type", "refresh_token", "refresh_token", refresh); !errors.Is(err, context.DeadlineExceeded) {
			c.t.Fatalf("err = %v", err)
		}
		newer := c.refresh(refresh)
		c.alive("at first", newer.Access, true)
		sleep(11)
		synctest.Wait()
		c.alive("after the late refresh", newer.Access, false)
	})
}

func TestSlowAnswer(t *testing.T) {
	inBubble(t, reltio.Options{}, func(c *caller) {
		access, refresh := c.server.Login()
		c.server.Script(reltio.SlowAnswer(10 * time.Second))
		time.AfterFunc(5*time.Second, func() {
			if c.server.Alive(access) {
				c.t.Error("not executed before the wait")
			}
		})
		c.granted("late", c.refresh(refresh), lifetime)
	})
}

// A gateway answers first, and the server behind it executes the request then.
func TestStatusThenExecuted(t *testing.T) {
	inBubble(t, reltio.Options{RotateRefreshToken: true}, func(c *caller) {
		access, refresh := c.server.Login()
		c.server.Script(reltio.StatusThenExecuted(502, 1500*time.Millisecond))
		if a := c.refresh(refresh); a.Status != 502 {
			c.t.Errorf("status %d, want 502", a.Status)
		}
		sleep(1)
		c.alive("before the late execution", access, true)
		sleep(1)
		c.alive("after it", access, false)
		if c.server.RefreshTokenAlive(refresh) || c.server.AnswersLost() != 1 {
			c.t.Errorf("the refresh token is alive: %t, answers lost: %d", c.server.RefreshTokenAlive(refresh), c.server.AnswersLost())
		}
	})
}

func TestUnreachableSendsNothing(t *testing.T) {
	inBubble(t, reltio.Options{}, func(c *caller) {
		c.server.Script(reltio.Unreachable())
		if _, err := c.try("grant_type", "client_credentials"); !errors.Is(err, syscall.ECONNREFUSED) {
			c.t.Errorf("err = %v, want connection refused", err)
		}
		if seen := c.server.Requests(); len(seen) != 0 {
			c.t.Errorf("requests = %v, want none", seen)
		}
	})
}

// The function is asked where the script has nothing.
func TestSetFaults(t *testing.T) {
	inBubble(t, reltio.Options{}, func(c *caller) {
		c.server.SetFaults(func() reltio.Fault { return reltio.Status(503) })
		c.server.Script(reltio.Pass())
		for _, want := range []int{200, 503, 503} {
			if a := c.clientCredentials(); a.Status != want {
				c.t.Errorf("status %d, want %d", a.Status, want)
			}
		}
	})
}

func TestCloseEndsWaits(t *testing.T) {
	overTCP(t, reltio.Options{}, func(c *caller) {
		c.server.Script(reltio.Slow(time.Hour))
		failed := make(chan error, 1)
		go func() {
			_, err := c.try("grant_type", "client_credentials")
			failed <- err
		}()
		for len(c.server.Requests()) == 0 {
			time.Sleep(time.Millisecond)
		}
		c.server.Close()
		if err := <-failed; !errors.Is(err, io.EOF) {
			t.Errorf("err = %v, want io.EOF", err)
		}
	})
}
