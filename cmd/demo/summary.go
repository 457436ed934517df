package main

import (
	"fmt"

	"reltio-token-rotator/rotator"
)

// summary says how it went, in the end, and reports whether all went well.
func (n *narrator) summary(st *fixture, tokenRequests string, interrupted bool) (well bool) {
	n.flush()
	n.line("")
	t := &n.tally
	if t.reads == 0 && t.failedBeats > 0 {
		n.tellStale(st)
		n.line(n.paint(red, "No token: ") + "nothing was published, and the last error is above.")
		return false
	}
	fact := func(name, text string) { n.line("  " + n.column(bold, name, 16) + text) }
	n.line(n.paint(bold, "Summary"))
	beats := fmt.Sprintf("%d: %d not due, %d refreshed, %d failed", t.beats, t.outcomes[rotator.NotDue], t.outcomes[rotator.Refreshed], t.failedBeats)
	if others := t.beats - t.failedBeats - t.outcomes[rotator.NotDue] - t.outcomes[rotator.Refreshed]; others > 0 {
		beats += fmt.Sprintf(", %d other", others)
	}
	fact("heartbeats", beats)
	reads := fmt.Sprintf("%d: %d not expired, %d expired", t.reads, t.live, t.dead)
	if n.settings.apiURL != "" {
		reads = fmt.Sprintf("%d: %d tokens taken by the API, %d refused with 401", t.reads, t.live, t.dead)
	}
	if t.dead > 0 && t.stranded == 0 {
		reads += fmt.Sprintf(" (replaced when read again, within %s)", brief(t.longestRefused))
	}
	fact("job reads", reads)
	fact("token requests", tokenRequests)
	fact("AWS calls", fmt.Sprintf("%v of an idle heartbeat, %v of a refresh", t.idleCalls, t.refreshCalls))
	n.tellStale(st)
	complaints := t.complaints(interrupted)
	for _, complaint := range complaints {
		n.line(n.paint(red, "Not well: ") + complaint + ".")
	}
	switch {
	case len(complaints) > 0:
		return false
	case t.live == 0:
		n.line("Ended before a token was read.")
	case n.settings.apiURL == "":
		n.line(n.paint(green, "The token that the job read had not expired, each time."))
		n.line("Whether an API takes it was not tried: API_URL=https://... tries it.")
	default:
		n.line(n.paint(green, "All well:") + " the API took the token, each time that the job worked.")
	}
	return true
}

// tellStale says that the credentials file is out of date.
func (n *narrator) tellStale(st *fixture) {
	changed, kept, err := st.keeper.state()
	if !changed {
		return
	}
	file := n.settings.credentialsFile
	n.line(n.paint(yellow, "The server changed a refresh token: ") + file + " is stale now.")
	switch {
	case kept:
		n.line("The new one, with the rest of the file, is in " + n.settings.saveTo + " (mode 0600).")
	case err != nil:
		n.line("The new one could not be saved: " + err.Error())
		n.line("Log in again for another.")
	default:
		n.line("The new one is gone with this run: log in again for another, and next time set")
		n.line("SAVE_TO=file to save it.")
	}
}
