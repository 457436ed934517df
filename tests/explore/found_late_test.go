package explore_test

import (
	"fmt"
	"testing"
	"time"
)

// Schedules that failed once, in which AWS carries out a write after it has reported
// a failure.

// A login's refresh token is not pending where the secret holds none that it
// replaces: such an entry could never be used or deleted.
func TestOddLoginAnswerThatCannotBeSaved(t *testing.T) {
	holds(t, schedule{
		provider: "JWT", credentials: "login", two: true, turns: 2,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, ""},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "late effect", once},
			{place{1, "Endpoint.RequestToken(password)", 1}, "another token type", once},
		},
	})
}

// The error that the pending parameter could not be deleted ends when it is gone.
func TestPendingDeletedLate(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "refused", once},
			{place{1, "Pending.DeletePending", 1}, "late effect", once},
		},
	})
}

// The error that a changed refresh token is only pending ends when the secret has
// it, although the run that found that out left no record.
func TestSavedLateAndPendingDeletedByARunThatDied(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
			{place{1, "Pending.DeletePending", 1}, "killed after", once},
		},
	})
}

// A save takes effect late, after an operator wrote and another run found the
// pending refresh token: that run leaves it there, and the next one finds out.
func TestSaveThatComesLateOverNewCredentials(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "", 1}, "new credentials"},
			{place{0, "", 1}, "beside"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
		},
	})
}

// A save takes effect late over an operator's version, and the next run's first look
// fails: it looks again.
func TestSaveThatComesLateCannotBeVerifiedAtOnce(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Saver.Labels", 1}, "add an alternate set"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
			{place{1, "Saver.Labels", 1}, "refused", once},
		},
	})
}

// A pending refresh token that is written late, after its successor was saved, is not
// used.
func TestPendingThatComesLate(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "", 1}, "beside, forced"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "timeout", once},
			{place{0, "Pending.PutPending", 1}, "late effect", once},
		},
	})
}

// An operator exchanges the sets during a save, and the write of the refresh token
// into that document comes late: it is pending for one set only.
func TestExchangedSetsThenASaveThatComesLate(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 1,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Endpoint.RequestToken(refresh_token)", 1}, "exchange the sets"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 2}, "late effect", once},
		},
	})
}

// A save takes effect late, after a second run brought the pending refresh token into
// a newer document.
func TestSaveThatComesLateOverAnEdit(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{1 * time.Second, ""},
		},
		acts: []act{
			{place{0, "", 1}, "edit another field"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
		},
	})
}

// A pending refresh token is written late, after an operator gave another one and its
// successor was saved: it is not used.
func TestPendingThatComesLateAfterNewCredentials(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "new credentials"},
			{place{0, "", 1}, "overtake"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
			{place{0, "Pending.PutPending", 1}, "late effect", once},
		},
	})
}

// An operator adds a set while a run verifies a save that came late.
func TestEditWhileALateSaveIsVerified(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "Saver.Labels", 1}, "add an alternate set"},
			{place{0, "Parameters.Put(lease)", 1}, "new credentials"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
		},
	})
}

// The save of a pending refresh token takes effect late over new credentials, while its
// successor is pending already.
func TestRestoreThatComesLateOverNewCredentials(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "Saver.Save", 1}, "new credentials"},
			{place{0, "", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "late effect", fourMinutes},
		},
	})
}

// The pending parameter is deleted late, after the next refresh token was put into it.
func TestPendingDeletedAfterTheNextIsPending(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
			{60 * time.Second, "force"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "timeout", once},
			{place{1, "Credentials.Read", 1}, "refused", once},
			{place{2, "Pending.DeletePending", 1}, "late effect", once},
			{place{2, "Saver.Save", 2}, "refused", thisRun},
		},
	})
}

// A save takes effect late over an edit, and new credentials are written over it: the
// operator is told that the edit may be lost.
func TestSaveThatComesLateBetweenTwoWrites(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(state)", 1}, "a new refresh token"},
			{place{0, "Saver.Save", 1}, "add a login"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
			{place{0, "Pending.PutPending", 1}, "slow", once},
		},
	})
}

// A save takes effect late over new credentials, and neither the refresh token can be
// merged nor can they become current again at once: a later heartbeat tries again.
func TestSaveThatComesLateIsCompletedLater(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 3,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "", 1}, "new credentials"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
			{place{1, "Saver.Save", 1}, "refused", once},
			{place{1, "Saver.RestorePrevious", 1}, "timeout", once},
		},
	})
}

// The same where the run saved over the new credentials itself.
func TestSaveOverNewCredentialsIsCompletedLater(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "Saver.Save", 1}, "new credentials"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 2}, "refused", fourMinutes},
			{place{1, "Saver.RestorePrevious", 1}, "refused", fourMinutes},
		},
	})
}

// A save takes effect late over an edit, and the run that cannot verify it dies: the
// refresh token is still pending, so that it is merged into the edit.
func TestSaveThatComesLateThenARunThatDies(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "add an alternate set"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
			{place{1, "Pending.DeletePending", 1}, "killed after", once},
			{place{1, "Saver.Labels", 1}, "timeout", once},
		},
	})
}

// A save takes effect late over an added login, and an operator writes twice before the
// next run: the operator is told that the login may be lost.
func TestLateSaveHiddenByTwoWrites(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "add a login"},
			{place{1, "Saver.Labels", 1}, "a new refresh token"},
			{place{1, "Saver.Labels", 1}, "the last refresh token again"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "late effect", once},
		},
	})
}

// A run saves over new credentials, an operator edits what it saved, the merge takes
// effect late over the edit, and the run dies: the operator is told that the new
// credentials may be lost.
func TestLateMergeOverAnEditOfTheSave(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 3,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "new credentials"},
			{place{0, "", 1}, "edit another field"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 2}, "late effect", once},
			{place{0, "Pending.PutPending", 1}, "killed before", once},
		},
	})
}

// A deletion of the pending parameter takes effect late, after a run has written the next
// refresh token to it and died. No run could have prevented that.
func TestLateDeletionAfterARunDied(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 2,
		beats: []beat{
			{untilDue, ""},
			{60 * time.Second, ""},
			{60 * time.Second, "force alternate"},
		},
		acts: []act{
			{place{0, "", 1}, "a new refresh token"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "refused", once},
			{place{1, "Credentials.Read", 1}, "timeout", once},
			{place{2, "Pending.DeletePending", 1}, "late effect", once},
			{place{2, "Saver.Save", 1}, "refused", once},
			{place{2, "Pending.PutPending", 1}, "killed after", once},
		},
	})
}

// A save of a pending refresh token takes effect late, over what an operator wrote during
// the next request. The next save has the same id, so that it finds that out.
func TestLateRestoreOverAnEditDuringARequest(t *testing.T) {
	for _, do := range []string{"edit another field", "new credentials", "add an alternate set"} {
		for _, again := range []int{0, 2, 3} { // before which save an operator writes a second time, if any
			t.Run(fmt.Sprint(do, again), func(t *testing.T) {
				holds(t, schedule{
					provider: "rotates", credentials: "refresh token", two: false, turns: 0,
					beats: []beat{
						{60 * time.Second, ""},
						{60 * time.Second, "force"},
					},
					acts: []act{
						{place{1, "Endpoint.RequestToken(refresh_token)", 1}, do},
						{place{1, "Saver.Save", again}, "edit another field"},
					},
					faults: []injection{
						{place{0, "Saver.Save", 1}, "refused", once},
						{place{1, "Saver.Save", 1}, "late effect", once},
						{place{1, "Endpoint.RequestToken(refresh_token)", 1}, "slow answer", once},
						{place{1, "Pending.PutPending", 2}, "refused", once},
					},
				})
			})
		}
	}
}

// A deletion of the pending parameter, or a write to it, takes effect late. A refresh that
// is forced meanwhile waits for it, so that its own refresh token stays pending.
func TestPendingChangedLateThenAForcedRefresh(t *testing.T) {
	for on, beats := range map[string][]beat{
		"Pending.DeletePending": {{60 * time.Second, ""}, {60 * time.Second, ""}, {1 * time.Second, "force"}},
		"Pending.PutPending":    {{60 * time.Second, ""}, {1 * time.Second, "force"}},
	} {
		t.Run(on, func(t *testing.T) {
			last := len(beats) - 1
			holds(t, schedule{
				provider: "rotates", credentials: "refresh token", two: false, turns: 0,
				beats: beats,
				faults: []injection{
					{place{0, "Saver.Save", 1}, "refused", once},
					{place{last - 1, on, 1}, "late effect", once},
					{place{last, "Saver.Save", 1}, "refused", thisRun},
				},
			})
		})
	}
}

// A pending refresh token is written again with a later time, that takes effect late, and
// the next one is pending by then: the next one stays.
func TestPendingWrittenAgainLate(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, "force"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "refused", once},
			{place{1, "Pending.PutPending", 1}, "late effect", once},
			{place{1, "Saver.Save", 1}, "refused", thisRun},
		},
	})
}
