package explore_test

import (
	"testing"
	"time"
)

// The schedules in these files failed once. In this file no operator writes, and no write
// takes effect late.

// A token that could not be published may be in the secret all the same.
func TestRestingSetsTokenNotPublished(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "refresh token", two: true, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, "force"},
		},
		faults: []injection{
			{place{1, "Tokens.Publish", 1}, "answer lost", thisRun},
		},
	})
}

// A record whose answer was lost is not repeated: by then a later run may have left
// its own.
func TestRecordWhoseAnswerIsLost(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "login", two: true, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		faults: []injection{
			{place{0, "Endpoint.RequestToken(password)", 1}, "executed, 500", once},
			{place{0, "Parameters.Put(state)", 2}, "answer lost", thisRun},
			{place{1, "Endpoint.RequestToken(password)", 1}, "executed, 500", once},
		},
	})
}

// A run of the resting set published its token and died. The next request ended
// that token, and its answer was lost: what jobs hold is uncertain.
func TestRestingSetsRunDiedAfterItPublished(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "refresh token", two: true, turns: 1,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		faults: []injection{
			{place{0, "Tokens.Publish", 1}, "killed after", once},
			{place{1, "Endpoint.RequestToken(refresh_token)", 1}, "executed, 504", once},
		},
	})
}

// A run that died may have published the resting set's token: until another one is
// published, what the token secret holds is uncertain.
func TestRestingSetsRunDiedAndTheNextRequestFails(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "refresh token", two: true, turns: 1,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, ""},
		},
		faults: []injection{
			{place{0, "Parameters.Put(state)", 1}, "killed before", once},
			{place{1, "Endpoint.RequestToken(refresh_token)", 1}, "another token type", once},
		},
	})
}

// A lease that is taken without a token request goes on naming the set of the run
// that died before.
func TestTwoRunsThatDied(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 1,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		faults: []injection{
			{place{0, "Saver.Labels", 1}, "killed before", once},
			{place{1, "Credentials.Read", 1}, "refused", once},
			{place{1, "Parameters.Put(lease)", 1}, "killed after", once},
		},
	})
}

// A forced refresh with the publishing set leaves no error of it where only the
// other set is due.
func TestForcedPublishingSetInTheOtherSetsTurn(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "refresh token", two: true, turns: 1,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, "force alternate"},
			{60 * time.Second, ""},
		},
		faults: []injection{
			{place{1, "Endpoint.RequestToken(refresh_token)", 1}, "503", once},
			{place{2, "Endpoint.RequestToken(refresh_token)", 1}, "invalid_grant 403", once},
		},
	})
}

// A run that died had obtained a token that the server returns until it expires. When the
// hold ends, that token lives for less than a heartbeat: the next one replaces it.
func TestTokenOfARunThatDiedDuringAHold(t *testing.T) {
	holds(t, schedule{
		provider: "same until expired", credentials: "refresh token", two: false, turns: 3,
		beats: []beat{
			{untilDue, ""},
			{untilDue, ""},
			{1 * time.Second, ""},
			{60 * time.Second, "force"},
		},
		faults: []injection{
			{place{1, "Endpoint.RequestToken(refresh_token)", 1}, "invalid_client", once},
			{place{3, "Endpoint.RequestToken(refresh_token)", 1}, "killed after", once},
		},
	})
}

// Two runs write the lease at the same moment, and the lease of the one that lost ends
// first: the one that holds it is still at work.
func TestTheLeaseOfTheRunThatLostEndsFirst(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "refresh token and login", two: false, turns: 1,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, ""},
			{untilDue, "force"},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "the password changes"},
			{place{0, "Endpoint.RequestToken(refresh_token)", 1}, "add an alternate set"},
			{place{0, "Endpoint.RequestToken(refresh_token)", 1}, "the refresh tokens expire"},
			{place{2, "Credentials.Read", 1}, "beside"},
		},
		faults: []injection{
			{place{2, "Tokens.Publish", 1}, "timeout", fourMinutes},
		},
	})
}

// A save takes effect late, the run that finds that dies, and an operator saves an older
// document: what that run had read is named by its lease alone.
func TestOldDocumentAfterALateSaveAndARunThatDied(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "new credentials"},
			{place{2, "", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "late effect", once},
			{place{2, "Pending.DeletePending", 1}, "killed after", once},
		},
	})
}

// A token of an odd number of seconds has a valid_until in whole seconds, as the state
// records it.
func TestValidUntilOfAShortToken(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "login", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
			{60 * time.Second, "force"},
		},
		acts: []act{
			{place{0, "", 1}, "the refresh tokens expire"},
			{place{0, "", 1}, "add an alternate set"},
		},
		faults: []injection{
			{place{0, "Lister.List", 1}, "slow", fourMinutes},
			{place{2, "Endpoint.RequestToken(password)", 1}, "executed, 408", once},
			{place{2, "Parameters.Put(state)", 2}, "answer lost", once},
			{place{2, "Saver.Save", 1}, "killed before", once},
		},
	})
}

// Two runs in a row die after their saves, and an operator saves an older document: what
// the first one replaced is known, too.
func TestOldDocumentAfterTwoRunsThatDied(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 1,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{2, "Credentials.Read", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{0, "Saver.Labels", 1}, "killed before", once},
			{place{1, "Saver.Save", 1}, "killed after", once},
		},
	})
}

// A run that cannot read the credentials dies: its lease names nothing of the run before,
// which left a record.
func TestARunThatDiesAfterUnreadableCredentials(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 1,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "", 1}, "add a login"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
			{place{0, "Pending.PutPending", 1}, "answer lost", once},
			{place{1, "Credentials.Read", 1}, "timeout", once},
			{place{1, "Parameters.Put(lease)", 1}, "killed after", once},
		},
	})
}
