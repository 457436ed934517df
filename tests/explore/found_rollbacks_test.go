package explore_test

import (
	"testing"
	"time"
)

// Schedules that failed once, in which an operator makes an earlier version current again.

// A seeded client secret is wrong, and the seeding is taken back: the version that is
// current again is used, and the rotator does not write the wrong one back.
func TestRollbackFromAWrongClientSecret(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 1,
		beats: []beat{
			{60 * time.Second, "force"},
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "wrong client secret"},
			{place{0, "", 1}, "roll back"},
		},
	})
}

// A seeded password is refused, and the seeding is taken back: the password of before is
// sent when the refresh token has expired.
func TestRollbackFromAWrongPassword(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "login", two: false, turns: 1,
		beats: []beat{
			{60 * time.Second, "force"},
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "mistype the password"},
			{place{0, "", 1}, "roll back"},
			{place{1, "", 1}, "the refresh tokens expire"},
		},
	})
}

// Another user's refresh token is pending, and the document of the first user is made
// current again: that one keeps its own refresh token.
func TestRollbackFromAnotherUser(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token and login", two: false, turns: 1,
		beats: []beat{
			{60 * time.Second, "force"},
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "another user of the same client"},
			{place{0, "", 1}, "roll back"},
		},
		faults: []injection{{place{0, "Saver.Save", 1}, "refused", once}},
	})
}

// A run dies right after its save, and an operator makes the version before it current
// again: the new refresh token is written into it.
func TestRollbackAfterARunDied(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "", 1}, "roll back"},
		},
		faults: []injection{
			{place{0, "Parameters.Put(state)", 1}, "killed before", once},
		},
	})
}

// The password of one set was refused. An operator corrects it while the other set's new
// refresh token is saved, and the run dies after it has written that one into the
// operator's document: the corrected password is sent.
func TestCorrectedPasswordInAMergeOfARunThatDied(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token and login", two: true, turns: 1,
		beats: []beat{
			{60 * time.Second, "force primary"},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "mistype the password"},
			{place{1, "Saver.Save", 1}, "correct the password"},
		},
		faults: []injection{
			{place{1, "Parameters.Put(state)", 1}, "killed before", once},
		},
	})
}

// The same, and the run died right after its save.
func TestRollbackAfterARunDiedAtItsSave(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 1,
		beats: []beat{
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "", 1}, "roll back"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "killed after", once},
		},
	})
}

// A version of the rotator's is made current again during a refresh: it is not replaced
// by the document that the run has read.
func TestRollbackDuringARequest(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "", 1}, "add a login"},
			{place{1, "Endpoint.RequestToken(refresh_token)", 1}, "roll back"},
		},
	})
}

// A run made an operator's version current again, and a later one dies before its save:
// that is no rollback.
func TestRestoredVersionIsNoRollback(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "new credentials"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "refused", once},
			{place{2, "Saver.Save", 1}, "killed before", once},
		},
	})
}
