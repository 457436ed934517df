package explore_test

import (
	"testing"
	"time"
)

// Schedules that failed once, about logins and lost refresh tokens.

// A refused login stays refused when the run dies that saved the other set's
// refresh token: its version of the credentials is no news.
func TestRefusedLoginThenASaveByARunThatDied(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "refresh token and login", two: true, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "the password changes"},
			{place{0, "Lister.List", 1}, "the refresh tokens expire"},
		},
		faults: []injection{
			{place{0, "Endpoint.RequestToken(refresh_token)", 2}, "not executed", once},
			{place{1, "Saver.Labels", 1}, "killed before", once},
		},
	})
}

// A login's record names the credentials version that it was sent with, so that a
// save by a run that dies is known as the rotator's own.
func TestFirstRunDiesAfterARefusedLogin(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "refresh token and login", two: true, turns: 0,
		beats: []beat{
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "the password changes"},
			{place{0, "Lister.List", 1}, "the refresh tokens expire"},
		},
		faults: []injection{
			{place{0, "Tokens.Publish", 1}, "killed before", once},
		},
	})
}

// A lost refresh token is no standing error where a login replaces it.
func TestLostRefreshTokenBesideALogin(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token and login", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "timeout", fourMinutes},
			{place{0, "Parameters.Put(lease)", 1}, "timeout", once},
			{place{1, "Pending.PutPending", 1}, "timeout", fourMinutes},
		},
	})
}

// A login that an operator forces, and whose answer is lost, does not make a refused
// password one that may be sent again.
func TestForcedLoginOfARefusedPasswordWhoseAnswerIsLost(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "refresh token and login", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, "force"},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "the password changes"},
			{place{0, "Lister.List", 1}, "the refresh tokens expire"},
		},
		faults: []injection{
			{place{1, "Endpoint.RequestToken(password)", 1}, "504, executed 30 s later", once},
		},
	})
}

// A refresh token that can be kept nowhere is lost. The next request replays the one
// before, and a server that detects that ends the published token.
func TestLostRefreshTokenAtAServerThatDetectsReuse(t *testing.T) {
	holds(t, schedule{
		provider: "rotates and revokes", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "timeout", once},
			{place{0, "Pending.PutPending", 1}, "refused", thisRun},
			{place{0, "Saver.Save", 2}, "timeout", fourMinutes},
		},
	})
}

// The refresh token of one of two sets is lost: that stays an error until an operator
// logs in.
func TestLostRefreshTokenOfOneOfTwoSets(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "timeout", fourMinutes},
			{place{0, "Pending.PutPending", 1}, "refused", thisRun},
		},
	})
}
