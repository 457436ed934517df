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

// An older document is put right by a save that takes effect late. That version is the
// rotator's own, so that a password that was refused with the document is not sent again.
func TestRefusedPasswordThenAnOldDocumentThatIsPutRightLate(t *testing.T) {
	for _, at := range []place{{1, "Parameters.Put(lease)", 1}, {0, "", 1}} {
		holds(t, schedule{
			provider: "keeps", credentials: "refresh token and login", two: true, turns: 1,
			beats: []beat{
				{60 * time.Second, ""},
				{untilDue, ""},
				{60 * time.Second, ""},
			},
			acts: []act{
				{place{0, "Lister.List", 1}, "the password changes"},
				{place{0, "Lister.List", 1}, "the refresh tokens expire"},
				{at, "edit the first document"},
			},
			faults: []injection{
				{place{2, "Saver.Save", 1}, "late effect", once},
			},
		})
	}
}

// The same where an operator returns to a refresh token that the rotator has replaced.
func TestRefusedPasswordThenAnEarlierRefreshTokenThatIsPutRightLate(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token and login", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, ""},
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "the password changes"},
			{place{0, "Lister.List", 1}, "the refresh tokens expire"},
			{place{2, "", 1}, "the last refresh token again"},
			{place{0, "", 1}, "new credentials"},
		},
		faults: []injection{
			{place{3, "Saver.Save", 1}, "late effect", once},
			{place{2, "Parameters.Put(state)", 1}, "killed before", once},
		},
	})
}

// A login's refresh token is merged into an older document by a save that takes effect
// late, over an edit: the edit is current again although nothing is due.
func TestMergeAfterALoginThatComesLate(t *testing.T) {
	for _, faults := range [][]injection{
		{{place{0, "Saver.Save", 2}, "late effect", once}},
		{{place{0, "Saver.Save", 2}, "late effect", once}, {place{0, "Pending.PutPending", 1}, "refused", once}},
	} {
		holds(t, schedule{
			provider: "keeps", credentials: "refresh token and login", two: false, turns: 0,
			beats: []beat{
				{60 * time.Second, ""},
			},
			acts: []act{
				{place{0, "", 1}, "add an alternate set"},
				{place{0, "Parameters.Put(lease)", 1}, "the refresh tokens expire"},
				{place{0, "Parameters.Put(lease)", 1}, "edit the first document"},
			},
			faults: faults,
		})
	}
}

// Two runs were at work, because the lease was deleted. One of them got a refresh token,
// the other one's login was refused: the refresh token is used.
func TestRefusedLoginBesideANewRefreshToken(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "login", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "delete the lease"},
			{place{0, "Parameters.Put(lease)", 1}, "overtake, forced"},
			{place{0, "Endpoint.RequestToken(password)", 1}, "the password changes"},
		},
	})
}

// The answers to the saves of a login's refresh token are lost, and an operator writes
// before and after one of them: the operator is told that the first write may be lost.
func TestOperatorWritesOnBothSidesOfALoginsSave(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "login", two: true, turns: 1,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "a new refresh token"},
			{place{0, "Saver.Labels", 1}, "exchange the sets"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "answer lost", fourMinutes},
		},
	})
}

// A refresh token could be kept nowhere. The one before it is used again, and the server
// that detects that ends the published token: it is uncertain, although a login follows.
func TestLostRefreshTokenThenARefusedLogin(t *testing.T) {
	holds(t, schedule{
		provider: "rotates and revokes", credentials: "refresh token and login", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "the password changes"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "timeout", fourMinutes},
			{place{1, "Pending.PutPending", 1}, "timeout", fourMinutes},
		},
	})
}

// Two sets share one user. The first login has no known outcome, and the second one, in
// the same second, is refused: the password is not sent again.
func TestRefusedPasswordOfTheUserOfBothSets(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "login", two: true, turns: 0,
		beats: []beat{
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "the alternate set is of the same user"},
			{place{0, "Lister.List", 1}, "the password changes"},
		},
		faults: []injection{
			{place{0, "Endpoint.RequestToken(password)", 1}, "firewall page", once},
		},
	})
}

// Two sets share one user, and the outcome of no login is known: both sets together send
// the password once more, and then once an hour.
func TestUnknownLoginsOfTheUserOfBothSets(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "login", two: true, turns: 0,
		beats: []beat{
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "the alternate set is of the same user"},
		},
		faults: []injection{
			{place{0, "Endpoint.RequestToken(password)", 1}, "firewall page", fourMinutes},
		},
	})
}
