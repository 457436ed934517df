package explore_test

import (
	"testing"
	"time"
)

// Schedules that failed once, in which a run died and an operator writes.

// What a run that died had replaced is found out although a run between recorded
// that the credentials could not be read.
func TestSaveOfARunThatDiedThenUnreadableCredentials(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "killed after", once},
			{place{2, "Credentials.Read", 1}, "refused", once},
		},
	})
}

// An operator who may have to write credentials again is told so where the version
// that a dead run replaced cannot be read.
func TestReplacedVersionThatCannotBeRead(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "login", two: true, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "add a login"},
		},
		faults: []injection{
			{place{0, "Saver.RestorePrevious", 1}, "killed before", once},
			{place{2, "Credentials.ReadVersion", 2}, "refused", fourMinutes},
			{place{2, "Credentials.Read", 1}, "timeout", once},
		},
	})
}

// An operator is told where it cannot be verified what a dead run replaced.
func TestSavesThatCannotBeVerified(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "exchange the sets"},
		},
		faults: []injection{
			{place{0, "Saver.Labels", 1}, "timeout", fourMinutes},
			{place{0, "Tokens.Publish", 1}, "killed before", fourMinutes},
		},
	})
}

// A run that died had replaced new credentials, and its lease was deleted: nothing is
// due, so the next refresh finds that out.
func TestLeaseOfARunThatDiedIsDeleted(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, ""},
			{60 * time.Second, "report"},
		},
		acts: []act{
			{place{2, "Saver.Save", 1}, "new credentials"},
			{place{2, "Saver.Save", 1}, "delete the lease"},
		},
		faults: []injection{
			{place{2, "Saver.Save", 1}, "killed after", once},
		},
	})
}

// A run that died had replaced new credentials, and an operator edited what it saved:
// the operator is told that the new credentials may be lost.
func TestEditOfWhatARunThatDiedSaved(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Endpoint.RequestToken(refresh_token)", 1}, "new credentials"},
			{place{0, "", 1}, "edit another field"},
		},
		faults: []injection{
			{place{0, "Saver.RestorePrevious", 1}, "killed before", once},
		},
	})
}

// A refresh token that a run replaced before it died is known to have been replaced.
func TestOldDocumentAfterARunThatDied(t *testing.T) {
	for _, on := range []string{"Saver.Save", "Saver.Labels", "Parameters.Put(state)"} {
		holds(t, schedule{
			provider: "rotates", credentials: "refresh token", two: false, turns: 1,
			beats: []beat{
				{untilDue, ""},
				{120 * time.Second, ""},
				{untilDue, ""},
			},
			acts: []act{
				{place{2, "", 1}, "edit the first document"},
			},
			faults: []injection{
				{place{0, on, 1}, "killed after", once},
			},
		})
	}
}

// A run that died had replaced new credentials, and an operator wrote twice after it:
// the operator is told that the new credentials may be lost.
func TestTwoEditsOfWhatARunThatDiedSaved(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "new credentials"},
			{place{0, "", 1}, "add a login"},
			{place{0, "", 1}, "edit another field"},
		},
		faults: []injection{
			{place{0, "Saver.RestorePrevious", 1}, "killed before", once},
		},
	})
}

// What a run that died had replaced is current again although a login of unknown
// outcome forbids token requests for an hour.
func TestSaveOfARunThatDiedThenAHold(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "login", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "Parameters.Put(lease)", 1}, "new credentials"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "killed before", once},
			{place{1, "Saver.RestorePrevious", 1}, "killed before", once},
		},
	})
}

// A run that died had replaced new credentials, the next one could not read them, and
// then an operator edited what was saved: the new credentials may be lost.
func TestUnreadableCredentialsThenAnEditOfWhatARunThatDiedSaved(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "new credentials"},
			{place{1, "", 1}, "add an alternate set"},
		},
		faults: []injection{
			{place{0, "Saver.RestorePrevious", 1}, "killed before", once},
			{place{1, "Credentials.Read", 1}, "refused", once},
		},
	})
}

// The first run of a connection dies after it saved over an edit: no state says which
// refresh token it replaced, so the new one stays, and the operator is warned.
func TestAnEditDuringAFirstRunThatDies(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "edit another field"},
		},
		faults: []injection{
			{place{0, "Saver.Labels", 1}, "killed before", once},
		},
	})
}

// New credentials were used by no run yet, and an operator edits them during the run that
// uses them first and dies after its save: the edit is merged.
func TestAnEditOfNewCredentialsDuringARunThatDies(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "new credentials"},
			{place{1, "Parameters.Put(lease)", 1}, "edit another field"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "killed after", once},
		},
	})
}

// A run that died had replaced new credentials, an operator wrote twice after it, and the
// runs that look at that die too: the operator is told all the same.
func TestTwoEditsAndRunsThatDieAtTheirLook(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "new credentials"},
			{place{0, "Saver.Labels", 1}, "edit another field"},
			{place{0, "Saver.Labels", 1}, "edit another field"},
		},
		faults: []injection{
			{place{0, "Saver.Labels", 1}, "killed before", fourMinutes},
		},
	})
}

// Two runs write the lease at the same moment, and the one that holds it dies after its
// save: the listing shows what the other one had read.
func TestTheHolderOfTheLeaseDies(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "edit another field"},
			{place{0, "Parameters.Put(lease)", 1}, "beside, forced"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 2}, "refused", once},
			{place{0, "Pending.PutPending", 1}, "killed before", fourMinutes},
		},
	})
}

// An operator exchanges the sets during a save, and the run dies before its write into
// that document takes effect: the refresh tokens are told apart by what they are.
func TestExchangedSetsThenARunThatDies(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, "force"},
		},
		acts: []act{
			{place{1, "Saver.Save", 1}, "exchange the sets"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
			{place{1, "Pending.DeletePending", 1}, "late effect", once},
			{place{1, "Saver.Save", 2}, "late effect", thisRun},
			{place{1, "Pending.PutPending", 2}, "killed after", once},
		},
	})
}

// The version that a dead run had read cannot be read in the next run.
func TestOldDocumentAndAVersionThatCannotBeRead(t *testing.T) {
	for _, tc := range []struct {
		beat  int
		fault injection
	}{
		{0, injection{place{1, "Credentials.ReadVersion", 2}, "refused", thisRun}},
		{1, injection{place{1, "Credentials.ReadVersion", 1}, "refused", thisRun}},
	} {
		holds(t, schedule{
			provider: "rotates", credentials: "refresh token", two: false, turns: 1,
			beats: []beat{
				{untilDue, ""},
				{120 * time.Second, ""},
				{untilDue, ""},
			},
			acts: []act{
				{place{tc.beat, "", 1}, "edit the first document"},
			},
			faults: []injection{
				{place{0, "Saver.Labels", 1}, "killed before", once},
				tc.fault,
			},
		})
	}
}

// Two runs refresh between the listing and the lease of a third one, and an operator
// resets the state: the last lease before that one says what the current version replaced.
func TestTwoRunsBeforeTheLeaseOfAThird(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "the refresh tokens expire"},
			{place{0, "Parameters.Put(lease)", 1}, "new credentials"},
			{place{0, "", 1}, "reset the state"},
			{place{0, "Parameters.Put(lease)", 1}, "overtake"},
			{place{0, "Credentials.Read", 1}, "overtake"},
		},
	})
}
