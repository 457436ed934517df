package simulation_test

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	// hourWindow is the refresh window of a token that lives an hour.
	hourWindow = 10 * time.Minute
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
	unexplained    []late
	whileBackedOff int
	least          time.Duration

	// fails are the jobs that read once and whose token ends within the times of
	// readOnce. Of the last of them, failOutage read in an outage or soon after, and
	// failException had a token that an exception of the promise ended. left is what
	// is left of the token's life at each other read, in order.
	fails                     [len(readOnce)]int
	failOutage, failException int
	left                      []time.Duration
	// endedEarly are the tokens that were ended before their valid_until, and
	// brokenPromises when those of them were that no exception explains.
	endedEarly     int
	brokenPromises []time.Duration
}

// readOnce are how long jobs that read once go on.
var readOnce = [...]time.Duration{5 * time.Minute, 15 * time.Minute, 25 * time.Minute}

// use is a read at an instant, of a token that expires at another. ended: the
// server had ended it by then.
type use struct {
	at, expiry time.Duration
	ended      bool
	fate       *fate
}

// late is a read after its token had expired.
type late struct{ at, expiry time.Duration }

// end is when the token ended, by its expiry or by something else.
func (u use) end() time.Duration {
	if u.fate.ended > 0 {
		return min(u.fate.ended, u.expiry)
	}
	return u.expiry
}

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
	u := use{d.now(), d.now() + left, left >= 0 && !d.Reltio.Alive(token), d.fate(token)}
	d.tally.uses = append(d.tally.uses, u)
	if left < 0 {
		d.tally.expired++
	}
	if u.ended {
		d.tally.ended++
	}
	return left >= 0 && !u.ended
}

// finish compares the expired reads with the outages that can explain them.
func (t *tally) finish(of *scenario, d *deployment) {
	outages := merge(append(of.outages(), t.withoutCredentials...))
	t.endedEarly, t.brokenPromises = d.judge()
	t.readOnce(outages)
	withBackedOff := merge(slices.Concat(outages, t.loginsBackedOff))
	t.least = math.MaxInt64
	window := d.policy.window(of.mode)
	for _, r := range t.uses {
		switch expired := r.at > r.expiry; {
		case r.ended:
		case explained(outages, r, window):
		case explained(withBackedOff, r, window):
			if expired {
				t.whileBackedOff++
			}
		default:
			t.least = min(t.least, r.expiry-r.at)
			if expired {
				t.unexplained = append(t.unexplained, late{r.at, r.expiry})
			}
		}
	}
	t.uses = nil
}

// readOnce says what became of jobs that read the secret once.
func (t *tally) readOnce(outages []span) {
	for i := range readOnce {
		t.fails[i] = t.none
	}
	for _, r := range t.uses {
		fails := false
		for i, lasts := range readOnce {
			if fails = r.end() < r.at+lasts; fails {
				t.fails[i]++
			}
		}
		outage := slices.ContainsFunc(outages, func(o span) bool { return o.from <= r.at && r.at <= o.to+recovery })
		switch {
		case !outage && !r.fate.excepted:
			t.left = append(t.left, r.end()-r.at)
		case fails && outage:
			t.failOutage++
		case fails:
			t.failException++
		}
	}
	slices.Sort(t.left)
}

// leastLeft is the 1 % quantile of what is left.
func (t *tally) leastLeft() time.Duration {
	if len(t.left) == 0 {
		return 0
	}
	return t.left[len(t.left)/100]
}

// share is a part of the reads.
func (t *tally) share(n int) float64 { return float64(n) / float64(max(t.reads, 1)) }

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
// If the window is shorter than the time to recover, that time is an explanation,
// too.
func explained(outages []span, r use, window time.Duration) bool {
	begins := r.expiry - window
	if r.at > r.expiry && r.at <= begins+recovery {
		return true
	}
	return slices.ContainsFunc(outages, func(o span) bool {
		return o.to-o.from > window && o.from <= begins+recovery && o.to > begins && r.at <= o.to+recovery
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
	for i, n := range other.fails {
		t.fails[i] += n
	}
	t.failOutage += other.failOutage
	t.failException += other.failException
	t.left = append(t.left, other.left...)
	slices.Sort(t.left)
	t.endedEarly += other.endedEarly
	t.brokenPromises = append(t.brokenPromises, other.brokenPromises...)
}
