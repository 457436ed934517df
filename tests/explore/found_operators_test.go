package explore_test

import (
	"fmt"
	"testing"
	"time"
)

// Schedules that failed once, in which an operator writes.

// An operator's document that a save replaced is current again when the changed
// refresh token cannot be brought into it.
func TestOperatorsDocumentWhoseMergeFails(t *testing.T) {
	for _, lasts := range []lasting{once, thisRun} {
		holds(t, schedule{
			provider: "rotates", credentials: "refresh token", two: true, turns: 3,
			beats: []beat{
				{untilDue, ""},
			},
			acts: []act{
				{place{0, "Saver.Save", 1}, "new credentials"},
			},
			faults: []injection{
				{place{0, "Saver.Save", 2}, "timeout", lasts},
			},
		})
	}
}

// A merge into an older document brings the refresh tokens of both sets into it.
func TestOldDocumentSavedDuringTheOtherSetsRefresh(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "Endpoint.RequestToken(refresh_token)", 1}, "edit the first document"},
		},
	})
}

// The version that holds the newer refresh token stays named until that one is in
// the secret again.
func TestOldDocumentThatCannotBePutRight(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 0,
		beats: []beat{
			{untilDue, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "refused", thisRun},
		},
	})
}

// An older document is put right where a run could not read the credentials and
// another one left no record.
func TestRunsThatLeaveNoRecordThenUnreadableCredentials(t *testing.T) {
	holds(t, schedule{
		provider: "rotates and revokes", credentials: "refresh token and login", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, "force"},
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{1, "Endpoint.RequestToken(refresh_token)", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{1, "Parameters.Put(state)", 1}, "timeout", fourMinutes},
			{place{3, "Credentials.Read", 1}, "timeout", once},
		},
	})
}

// The only set has an error, and an operator adds another set: the error stays until
// the turn of the set that has it.
func TestErrorOfTheOnlySetThenAnotherIsAdded(t *testing.T) {
	holds(t, schedule{
		provider: "JWT", credentials: "client credentials", two: false, turns: 1,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "", 1}, "add an alternate set"},
		},
		faults: []injection{
			{place{0, "Endpoint.RequestToken(client_credentials)", 1}, "another token type", once},
		},
	})
}

// An operator writes before a save and edits what it saved before it is verified: the
// edit is no news, and the operator is told that the first write may be lost.
func TestOperatorWritesOnBothSidesOfASave(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Saver.Labels", 1}, "edit another field"},
			{place{0, "Parameters.Put(lease)", 1}, "new credentials"},
		},
	})
}

// An operator saves a document without a refresh token while one is pending: the
// rotator logs in.
func TestDocumentWithoutRefreshTokenWhileOneIsPending(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "login", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "timeout", once},
		},
	})
}

// An operator saves an older document whose refresh token another operator had
// replaced, not the rotator: it is used.
func TestOldDocumentWithARefreshTokenThatWasNotUsed(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "new credentials"},
			{place{0, "", 1}, "edit the first document"},
			{place{0, "Parameters.Put(lease)", 1}, "overtake, forced"},
		},
	})
}

// A refresh token could not be put back into an older document before the request,
// and its successor is saved after it: no error stays.
func TestOldDocumentThatIsPutRightByTheNextSave(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{0, "Endpoint.RequestToken(refresh_token)", 1}, "no access token", once},
			{place{1, "Saver.Save", 1}, "timeout", once},
		},
	})
}

// The sets are exchanged, and the pending refresh token is in the secret already: no
// error stays.
func TestExchangedSetsAndAPendingRefreshTokenThatIsSaved(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token and login", two: true, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "exchange the sets"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "refused", once},
			{place{0, "Pending.PutPending", 1}, "answer lost", once},
			{place{1, "Saver.Save", 2}, "refused", once},
		},
	})
}

// An operator writes before a save, and exchanges the sets of what it saved.
func TestOperatorWritesAndExchangesTheSets(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: true, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{0, "Parameters.Put(lease)", 1}, "new credentials"},
			{place{0, "Saver.Labels", 1}, "exchange the sets"},
		},
	})
}

// A save's answer is lost, and an operator edits what it saved: the operator is told
// that what the save replaced may be lost.
func TestEditOfASaveWhoseAnswerIsLost(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Saver.Save", 1}, "new credentials"},
			{place{0, "Saver.Labels", 1}, "edit another field"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 1}, "answer lost", once},
		},
	})
}

// An operator saves an older document, another one writes new credentials before it is
// put right, and a third one edits what was saved: the second one is told that the new
// credentials may be lost.
func TestOperatorsOnBothSidesOfARestore(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "Parameters.Put(lease)", 1}, "new credentials"},
			{place{1, "Saver.Labels", 1}, "add an alternate set"},
			{place{0, "", 1}, "edit the first document"},
		},
	})
}

// An operator's document that a save replaced is current again where the refresh token
// of a login cannot be brought into it.
func TestOperatorsDocumentWhoseMergeAfterALoginFails(t *testing.T) {
	holds(t, schedule{
		provider: "keeps", credentials: "refresh token and login", two: true, turns: 1,
		beats: []beat{
			{untilDue, ""},
		},
		acts: []act{
			{place{0, "Lister.List", 1}, "the refresh tokens expire"},
			{place{0, "Parameters.Put(lease)", 1}, "new credentials"},
		},
		faults: []injection{
			{place{0, "Saver.Save", 2}, "refused", fourMinutes},
		},
	})
}

// An older document is saved, and Secrets Manager takes no save for minutes: what is
// pending is newer than what the state's version holds.
func TestOldDocumentThenNoSaveForMinutes(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
		},
		acts: []act{
			{place{1, "Credentials.Read", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{1, "Saver.Save", 1}, "refused", fourMinutes},
		},
	})
}

// The same where the server ends every token if a used refresh token comes again.
func TestOldDocumentThenNoSaveAndReuseDetection(t *testing.T) {
	holds(t, schedule{
		provider: "rotates and revokes", credentials: "refresh token", two: false, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{untilDue, ""},
			{60 * time.Second, ""},
		},
		acts: []act{
			{place{1, "Parameters.Put(state)", 1}, "edit the first document"},
		},
		faults: []injection{
			{place{1, "Credentials.Read", 1}, "timeout", once},
			{place{2, "Saver.Save", 1}, "refused", once},
			{place{2, "Saver.Save", 2}, "timeout", once},
		},
	})
}

// An operator saves an unusable document during a save and corrects it a minute later
// with the document of before: it gets the refresh token that the run had saved.
func TestUnusableDocumentDuringASave(t *testing.T) {
	for document, sets := range map[string][]bool{
		"a document that is not JSON":            {false, true},
		"a document without client_id":           {false, true},
		"a document whose refresh_token is null": {false}, // the other set could be used
	} {
		for _, at := range []string{"Saver.Save", "Saver.Labels", ""} {
			for _, two := range sets {
				t.Run(fmt.Sprintf("%s %s %v", document, at, two), func(t *testing.T) {
					holds(t, schedule{
						provider: "rotates", credentials: "refresh token", two: two, turns: 1,
						beats: []beat{
							{untilDue, ""},
							{60 * time.Second, ""},
						},
						acts: []act{
							{place{0, at, 1}, document},
							{place{1, "", 1}, "correct the document"},
						},
					})
				})
			}
		}
	}
}

// An operator's program saves its document again and again during a save: the next
// heartbeat writes the newer refresh token into it.
func TestDocumentThatIsSavedThreeTimesDuringASave(t *testing.T) {
	for _, two := range []bool{false, true} {
		holds(t, schedule{
			provider: "rotates", credentials: "refresh token", two: two, turns: 0,
			beats: []beat{
				{60 * time.Second, ""},
			},
			acts: []act{
				{place{0, "Saver.Save", 1}, "edit the first document"},
				{place{0, "Saver.Save", 2}, "edit the first document"},
				{place{0, "Saver.Save", 3}, "edit the first document"},
			},
		})
	}
}
