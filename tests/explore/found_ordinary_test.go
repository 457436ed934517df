package explore_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// Schedules with ordinary events, after which an operator's intention was overridden or
// a token or a warning was wrong.

// A run died after it had replaced a new refresh token, and the operator writes it
// again, as the log asks.
func TestARefreshTokenIsWrittenAgain(t *testing.T) {
	for _, on := range []string{"Parameters.Put(lease)", "Endpoint.RequestToken(refresh_token)", "Saver.Save"} {
		holds(t, schedule{
			provider: "rotates", credentials: "refresh token", two: false, turns: 1,
			beats: []beat{
				{untilDue, ""},
				{60 * time.Second, ""},
			},
			acts: []act{
				{place{0, on, 1}, "a new refresh token"},
				{place{1, "", 1}, "the last refresh token again"},
			},
			faults: []injection{
				{place{0, "Saver.Save", 1}, "killed after", once},
			},
		})
	}
}

// An operator returns to a refresh token that the operator had replaced, not the
// rotator, although a run has died in the meantime.
func TestAnOperatorReturnsToAnEarlierRefreshToken(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 1,
		beats: []beat{
			{60 * time.Second, ""},
			{120 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "new credentials"},
			{place{1, "", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "killed after", once},
		},
	})
}

// A forced refresh with a resting set that is rejected dies: the published token is
// not touched.
func TestADeadLeaseOfARejectedSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, schedule{
			provider: "keeps", credentials: "refresh token", two: true, turns: 0,
			faults: []injection{
				{place{1, "Endpoint.RequestToken(refresh_token)", 1}, "invalid_grant 400", once},
				{place{2, "Endpoint.RequestToken(refresh_token)", 1}, "killed before", once},
			},
		})
		defer f.running.Wait()
		f.beat(0, "")
		published, _ := f.h.Token(connection)
		for number, event := range []string{"force alternate", "force alternate", "", "", ""} {
			f.sleep(heartbeat)
			f.beat(number+1, event)
		}
		if !f.h.Reltio.Alive(published.AccessToken) {
			t.Error("the published token was ended before its valid_until")
		}
	})
}

// An operator edits the credentials twice. A run that dies much later has saved nothing
// over that.
func TestNoWarningOfARunThatSavedNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, schedule{
			provider: "rotates", credentials: "refresh token", two: false, turns: 1,
			beats: []beat{
				{60 * time.Second, ""},
				{untilDue, ""},
			},
			acts: []act{
				{place{0, "", 1}, "edit another field"},
				{place{0, "", 1}, "edit another field"},
			},
			faults: []injection{
				{place{1, "Parameters.Put(lease)", 1}, "killed after", once},
			},
		})
		f.live()
		if f.askedToWriteAgain(0) {
			t.Error("an operator is asked to write credentials again that no run has replaced")
		}
	})
}

// A run that could not read the credentials holds no lease for long.
func TestForcedAfterUnreadableCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, schedule{
			provider: "rotates", credentials: "refresh token", two: false, turns: 1,
			faults: []injection{
				{place{0, "Saver.Save", 1}, "killed before", once},
				{place{1, "Credentials.Read", 1}, "refused", once},
			},
		})
		defer f.running.Wait()
		f.beat(0, "")
		f.sleep(heartbeat)
		f.beat(1, "")
		f.sleep(25 * time.Second)
		f.beat(2, "force")
		if got := f.last0().Outcome; got == "busy" {
			t.Error("a forced refresh finds a lease that no run holds")
		}
	})
}

// While an edit that a save replaced is merged, an operator writes a new refresh token
// into what was saved: the edit may be lost.
func TestANewRefreshTokenWhileAnEditIsMerged(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "add an alternate set"},
			{place{0, "Tokens.Publish", 1}, "a new refresh token"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "slow", thisRun},
		},
	})
}

// The credentials could not be read at once, and the state is lost: an older version is
// not taken for one that a run has replaced.
func TestUnreadableCredentialsThenALostState(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "overtake, forced"},
			{place{0, "", 1}, "delete the state"},
		},
		faults: []injection{
			{place{0, "Credentials.Read", 1}, "timeout", once},
		},
	})
}

// The restore of a pending refresh token takes effect late over new credentials, right
// after another run has read them and discarded what was pending.
func TestRestoreThatComesLateAfterItsPendingIsDiscarded(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
			{1 * time.Second, ""},
		},
		acts: []act{
			{place{1, "Saver.Save", 1}, "new credentials"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "late effect", once},
			{place{0, "Saver.Save", 1}, "timeout", once},
		},
	})
}

// An older document is put right by a save that takes effect late, and an operator saves
// another one meanwhile: the run goes on until then, so that no other run puts that one
// right before.
func TestTwoOldDocumentsAndARestoreThatComesLate(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "", 1}, "the refresh tokens expire"},
			{place{0, "", 1}, "edit the first document"},
			{place{1, "", 1}, "beside"},
			{place{1, "Saver.Save", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "late effect", once},
		},
	})
}

// A late save replaces an older document while the other set's refresh token is pending:
// the document is current again before that one is saved.
func TestLateSaveBesideTheOtherSetsPendingRefreshToken(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{2, "Credentials.Read", 1}, "add an alternate set"},
			{place{2, "Credentials.Read", 1}, "the last refresh token again"},
			{place{0, "Parameters.Put(lease)", 1}, "new credentials"},
			{place{2, "Saver.Labels", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{2, "Saver.Save", 1}, "late effect", once},
			{place{2, "Saver.Save", 2}, "timeout", once},
		},
	})
}

// A save that came late is completed after runs that left no record: the refresh token of
// the other set, which one of them replaced, is not taken back.
func TestLateSaveAfterRunsWithoutARecord(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 3,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, ""},
			{60 * time.Second, "force primary"},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{2, "", 1}, "add a login"},
		},
		faults: []injection{
			{place{0, "Parameters.Put(lease)", 1}, "killed before", once},
			{place{2, "Saver.Save", 1}, "late effect", once},
			{place{3, "Pending.DeletePending", 1}, "timeout", fourMinutes},
			{place{1, "Parameters.Put(state)", 1}, "timeout", fourMinutes},
		},
	})
}

// A run saves over new credentials, its merge comes late over an edit, and it dies: the
// operator is told that the new credentials may be lost.
func TestMergeThatComesLateOfARunThatDied(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 3,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "new credentials"},
			{place{0, "", 1}, "edit another field"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 2}, "late effect", once},
			{place{0, "Saver.RestorePrevious", 1}, "killed before", once},
		},
	})
}

// An operator writes before a save, and again before that document is current again: the
// operator is told that the first write may be lost.
func TestOperatorWritesBeforeADocumentIsCurrentAgain(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Tokens.Publish", 1}, "a new refresh token"},
			{place{0, "Saver.Save", 1}, "add an alternate set"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 2}, "late effect", once},
		},
	})
}
