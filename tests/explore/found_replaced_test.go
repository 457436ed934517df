package explore_test

import (
	"testing"
	"time"
)

// Schedules that failed once, in which an operator saves a document with a refresh token
// that the rotator has replaced.

// An operator saves an older document during a refresh: the new refresh token is written
// into it.
func TestOldDocumentSavedDuringARefresh(t *testing.T) {
	for _, on := range []string{"Parameters.Put(lease)", "Saver.Save", "Saver.Labels"} {
		holds(t, schedule{
			provider: "rotates", credentials: "refresh token", two: false, turns: 1,
			beats: []beat{
				{untilDue, ""},
				{untilDue, ""},
			},
			acts: []act{
				{place{1, on, 1}, "edit the first document"},
			},
		})
	}
}

// An operator saves an older document and then edits it during the refresh that puts it
// right.
func TestOldDocumentThatIsEditedWhileItIsPutRight(t *testing.T) {
	refused := injection{place{1, "Saver.Save", 1}, "refused", once}
	killed := injection{place{1, "Saver.Save", 2}, "killed after", once}
	for _, faults := range [][]injection{nil, {refused}, {killed}, {refused, killed}} {
		for _, on := range []place{{1, "Endpoint.RequestToken(refresh_token)", 1}, {1, "Saver.Save", 2}} {
			holds(t, schedule{
				provider: "rotates", credentials: "refresh token", two: false, turns: 1,
				beats: []beat{
					{untilDue, ""},
					{untilDue, ""},
				},
				acts: []act{
					{place{1, "Lister.List", 1}, "edit the first document"},
					{on, "edit another field"},
				},
				faults: faults,
			})
		}
	}
}

// A run dies right after its save, and an operator saves an older document before the
// next run: the refresh token that was saved is used.
func TestOldDocumentRightAfterARunThatDied(t *testing.T) {
	for _, two := range []bool{false, true} {
		for _, on := range []string{"Saver.Save", "Saver.Labels", "Parameters.Put(state)"} {
			holds(t, schedule{
				provider: "rotates", credentials: "refresh token", two: two, turns: 1,
				beats: []beat{
					{untilDue, ""},
				},
				acts: []act{
					{place{0, "", 1}, "edit the first document"},
				},
				faults: []injection{
					{place{0, on, 1}, "killed after", once},
				},
			})
		}
	}
}

// The same where that run saved a pending refresh token.
func TestOldDocumentAfterARunThatDiedAtItsRestore(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "timeout", once},
			{place{1, "Pending.DeletePending", 1}, "killed after", once},
		},
	})
}

// No record can be written for minutes, and an operator edits what was saved: the edit is
// no older document.
func TestEditWhileNoRecordCanBeWritten(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "", 1}, "edit another field"},
		},
		faults: []injection{
			{place{0, "Parameters.Put(state)", 1}, "refused", fourMinutes},
		},
	})
}

// A changed refresh token was dropped, because an operator had given another one. Then an
// operator returns to the one before it: that one was replaced all the same.
func TestOldDocumentAfterADroppedRefreshToken(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "a new refresh token"},
			{place{1, "Saver.Labels", 1}, "edit the first document"},
		},
	})
}

// The same where it was pending before it was dropped.
func TestOldDocumentAfterADroppedPendingRefreshToken(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{2, "Saver.Labels", 1}, "edit the first document"},
			{place{0, "Tokens.Publish", 1}, "a new refresh token"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "timeout", once},
		},
	})
}

// An operator returns to a refresh token that an operator had replaced during a refresh,
// not the rotator, and the state was lost: it is used.
func TestAnEarlierRefreshTokenAfterALostState(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 3,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "new credentials"},
			{place{0, "", 1}, "reset the state"},
			{place{1, "Parameters.Put(lease)", 1}, "edit the first document"},
		},
	})
}

// A run dies right after its save, and operators write twice before the next run, one of
// them an older document: what that run saved is found by the id in its lease.
func TestOldDocumentThenAnotherEditAfterARunThatDied(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 0,
		beats: []beat{
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "", 1}, "edit the first document"},
			{place{0, "", 1}, "exchange the sets"},
		},
		faults: []injection{
			{place{0, "Saver.Labels", 1}, "killed before", once},
		},
	})
}

// A run dies after it saved over new credentials, and these become current again. The
// refresh token that it had replaced is known when an older document brings it back.
func TestOldDocumentAfterACompletedSave(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "new credentials"},
			{place{2, "Saver.Save", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{0, "Saver.RestorePrevious", 1}, "killed before", once},
		},
	})
}

// An older document is put right by a save that takes effect late, and what it replaced
// cannot be looked at: the pending refresh token stays.
func TestOldDocumentThatIsPutRightLateAndNotVerified(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(state)", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "late effect", thisRun},
			{place{2, "Saver.Labels", 2}, "timeout", once},
		},
	})
}

// An operator exchanges the sets during the save of a run that dies, and one of them has
// a refresh token that no request has used yet.
func TestExchangedSetsAndARefreshTokenThatWasNotUsed(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 3,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "new credentials"},
			{place{1, "Saver.Save", 1}, "exchange the sets"},
		},
		faults: []injection{
			{place{1, "Credentials.ReadVersion", 1}, "killed before", once},
		},
	})
}

// A run dies right after its save, and an operator saves an older document during the
// next refresh.
func TestOldDocumentDuringTheRefreshAfterARunThatDied(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 1,
		beats: []beat{
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "Saver.Save", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{0, "Saver.Labels", 1}, "killed before", once},
		},
	})
}

// An older document is put right late, after the next refresh token became pending, and
// an operator edits it: what is pending replaces the one that was saved late.
func TestEditOfAnOldDocumentThatIsPutRightLate(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 1,
		beats: []beat{
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "", 1}, "add an alternate set"},
			{place{0, "", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{0, "Tokens.Publish", 1}, "late effect", fourMinutes},
			{place{1, "Saver.Save", 1}, "late effect", thisRun},
		},
	})
}

// No record can be written for minutes, and an operator saves an older document while the
// next run looks at what was saved: that run leaves it to the next one.
func TestOldDocumentDuringALook(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "Saver.Labels", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{0, "Parameters.Put(state)", 1}, "timeout", fourMinutes},
		},
	})
}

// A run makes a refresh token pending and dies at its record, the next one cannot save it
// either, and an operator edits the credentials: what is pending had replaced theirs.
func TestEditDuringTheRunAfterOneThatMadeARefreshTokenPending(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "Endpoint.RequestToken(refresh_token)", 1}, "edit another field"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "timeout", once},
			{place{0, "Parameters.Put(state)", 1}, "killed before", once},
			{place{1, "Saver.Save", 1}, "timeout", once},
		},
	})
}
