package explore_test

import (
	"testing"
	"time"
)

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

// The same where the credentials could not be read and no record could be written.
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

// The same where the pending refresh token is in the secret already.
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

// The same where the edit comes while a run verifies a save that came late.
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
