package explore_test

import (
	"testing"
	"time"
)

// Schedules that failed once, about the user of a credential set.

// An operator changes to another user of the same client, and returns to the first one
// with the document of before: it does not get the other user's refresh token.
func TestReturnToAnEarlierUser(t *testing.T) {
	for _, back := range []place{{2, "Lister.List", 1}, {2, "Saver.Save", 1}, {2, "Saver.Labels", 1}} {
		holds(t, schedule{
			provider: "rotates", credentials: "refresh token and login", two: false, turns: 0,
			beats: []beat{
				{60 * time.Second, ""},
				{60 * time.Second, "force"},
				{60 * time.Second, "force"},
			},
			acts: []act{
				{place{1, "Lister.List", 1}, "another user of the same client"},
				{back, "edit the first document"},
			},
		})
	}
}

// The same during a refresh of the other set, whose new refresh token is written into the
// document of before.
func TestReturnToAnEarlierUserDuringTheOtherSetsRefresh(t *testing.T) {
	holds(t, schedule{
		provider: "rotates", credentials: "refresh token and login", two: true, turns: 0,
		beats: []beat{
			{60 * time.Second, ""},
			{60 * time.Second, "force primary"},
			{60 * time.Second, "force alternate"},
		},
		acts: []act{
			{place{1, "Lister.List", 1}, "another user of the same client"},
			{place{2, "Saver.Save", 1}, "edit the first document"},
		},
	})
}

// An operator adds a copy of the primary set as the alternate set. It is an error of the
// alternate set, and no used refresh token is sent, which would end all of the user's.
func TestAlternateSetThatIsACopy(t *testing.T) {
	for _, copied := range []string{"the alternate set is a copy", "the alternate set is a copy of the first document"} {
		for _, at := range []place{{0, "", 1}, {1, "Credentials.Read", 1}, {1, "Parameters.Put(lease)", 1}, {1, "Saver.Save", 1}, {1, "Saver.Labels", 1}} {
			holds(t, schedule{
				provider: "rotates and revokes", credentials: "refresh token", two: false, turns: 0,
				beats: []beat{
					{60 * time.Second, ""},
					{untilDue, ""},
					{untilDue, ""},
					{untilDue, ""},
				},
				acts: []act{{at, copied}},
			})
		}
	}
}

// The same where the run that read the copy dies right after its save, or cannot save.
func TestAlternateSetThatIsACopyThenAFault(t *testing.T) {
	for _, copied := range []string{"the alternate set is a copy", "the alternate set is a copy of the first document"} {
		for _, fault := range []injection{
			{place{1, "Saver.Save", 1}, "killed after", once},
			{place{1, "Parameters.Put(state)", 1}, "killed before", once},
			{place{1, "Saver.Save", 1}, "refused", thisRun},
			{place{1, "Saver.Save", 1}, "late effect", thisRun},
		} {
			holds(t, schedule{
				provider: "rotates and revokes", credentials: "refresh token", two: false, turns: 0,
				beats: []beat{
					{60 * time.Second, ""},
					{untilDue, ""},
					{60 * time.Second, ""},
					{untilDue, ""},
				},
				acts:   []act{{place{1, "Lister.List", 1}, copied}},
				faults: []injection{fault},
			})
		}
	}
}
