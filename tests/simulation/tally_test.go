package simulation_test

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

const (
	// window is the refresh window of a token that lives an hour.
	window = 10 * time.Minute
	// recovery is how soon after a fault a live token is published again: after two
	// heartbeats, each late by up to half of one, and after the end of a lease that
	// a run left open because of the fault.
	recovery = 2*(time.Minute+30*time.Second) + 50*time.Second
)

// tally has the counts of one simulation, or the sum of several.
type tally struct {
	length            time.Duration
	reads             int
	none              int // had no token at all
	expired           int
	ended             int // by the server, before its time
	requests          int
	answersLost       int
	refreshTokensLost int

	// uses are the reads that got a token that had not been ended.
	uses []use
	// withoutCredentials has the times in which no token could be obtained with what
	// was stored.
	withoutCredentials []span
	// loginsBackedOff are the times in which no login was sent, since the answers of
	// two had been lost.
	loginsBackedOff []span

	// unexplained are the expired reads that no long outage explains, and least
	// is the least life left at a read that none explains. whileBackedOff are those
	// that only a held login explains.
	unexplained    []use
	whileBackedOff int
	least          time.Duration
}

// use is a read at an instant, of a token that expires at another.
type use struct{ at, expiry time.Duration }

// used notes that a job used a token, and reports whether that was alive.
func (d *deployment) used(token string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tally.reads++
	if token == "" {
		d.tally.none++
		return false
	}
	known, _ := d.Reltio.AccessToken(token)
	left := time.Until(known.ExpiresAt)
	switch {
	case left < 0:
		d.tally.expired++
		d.tally.uses = append(d.tally.uses, use{d.now(), d.now() + left})
		return false
	case !d.Reltio.Alive(token):
		d.tally.ended++
		return false
	}
	d.tally.uses = append(d.tally.uses, use{d.now(), d.now() + left})
	return true
}

// finish compares the expired reads with the outages that can explain them.
func (t *tally) finish(of *scenario) {
	outages := merge(append(of.outages(), t.withoutCredentials...))
	withBackedOff := merge(slices.Concat(outages, t.loginsBackedOff))
	t.least = math.MaxInt64
	for _, r := range t.uses {
		switch late := r.at > r.expiry; {
		case explained(outages, r, of.mode):
		case explained(withBackedOff, r, of.mode):
			if late {
				t.whileBackedOff++
			}
		default:
			t.least = min(t.least, r.expiry-r.at)
			if late {
				t.unexplained = append(t.unexplained, r)
			}
		}
	}
	t.uses = nil
}

// merge joins outages that have no time to recover between them.
func merge(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var merged []span
	for _, s := range all {
		if n := len(merged); n > 0 && s.from < merged[n-1].to+recovery {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// explained reports whether an outage longer than the refresh window prevented the
// token's replacement. It began before there was time to recover after the window's
// beginning, and it had not ended, with time to recover, when the token was read.
//
// If the server gives a new token only after the old one has expired, the window
// begins at the expiry. Any outage at that time is an explanation, and so is the
// time to recover.
func explained(outages []span, r use, m mode) bool {
	long, begins := window, r.expiry-window
	if m == sameTokenUntilExpired {
		long, begins = 0, r.expiry
		if r.at > r.expiry && r.at <= r.expiry+recovery {
			return true
		}
	}
	return slices.ContainsFunc(outages, func(o span) bool {
		return o.to-o.from > long && o.from <= begins+recovery && o.to > begins && r.at <= o.to+recovery
	})
}

func (t *tally) add(other tally) {
	if t.length == 0 {
		t.least = math.MaxInt64
	}
	t.length += other.length
	t.reads += other.reads
	t.none += other.none
	t.expired += other.expired
	t.ended += other.ended
	t.requests += other.requests
	t.answersLost += other.answersLost
	t.refreshTokensLost += other.refreshTokensLost
	t.unexplained = append(t.unexplained, other.unexplained...)
	t.whileBackedOff += other.whileBackedOff
	t.least = min(t.least, other.least)
}

const legend = `
expired       reads that got a token whose time was over
unexplained   how many of them no outage longer than the refresh window explains (with the
              same token until it has expired: no outage at its end, nor the time to recover)
ended         reads that got a token which the server had ended before its time
no token      reads of a job that had none at all
least left    the least life left at a read that no such outage explains; negative: over
`

// table prints the policies side by side, for one mode of the server.
func table(w io.Writer, m mode, names []string, sums map[string]tally) {
	columns := []string{"expired", "unexplained", "ended", "no token", "least left", "requests/h", "refresh tokens lost"}
	fmt.Fprintf(w, "\n%s:\n%-28s", strings.ToUpper(m.String()[:1])+m.String()[1:], "")
	for _, c := range columns {
		fmt.Fprintf(w, "  %s", c)
	}
	fmt.Fprintln(w)
	held := 0
	for _, name := range names {
		s := sums[name]
		if s.reads == 0 {
			continue
		}
		held += s.whileBackedOff
		share := func(n int) string { return fmt.Sprintf("%.3f %%", 100*float64(n)/float64(s.reads)) }
		values := []string{
			share(s.expired), fmt.Sprint(len(s.unexplained)), share(s.ended), share(s.none),
			fmt.Sprintf("%.0f s", s.least.Seconds()), fmt.Sprintf("%.2f", float64(s.requests)/s.length.Hours()),
			fmt.Sprint(s.refreshTokensLost),
		}
		fmt.Fprintf(w, "%-28s", name)
		for i, value := range values {
			fmt.Fprintf(w, "  %*s", len(columns[i]), value)
		}
		fmt.Fprintln(w)
	}
	if held > 0 {
		fmt.Fprintf(w, "%d expired reads of this rotator, not counted as unexplained, were in the hour in which it sends no login after the answers of two were lost\n", held)
	}
}
