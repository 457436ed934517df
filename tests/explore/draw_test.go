package explore_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// drawing draws a schedule from a seed.
type drawing struct {
	*rand.Rand
}

func pick[T any](d drawing, from []T) T { return from[d.IntN(len(from))] }

var (
	providerNames   = slices.Sorted(maps.Keys(providers))
	credentialNames = slices.Sorted(maps.Keys(credentialModes))
	eventNames      = slices.Sorted(maps.Keys(events))
)

// wanted are kinds for the faults of a schedule, so that each ordered pair of kinds
// is about as likely as any other: more than a schedule has, since some are of calls
// that it does not make.
func (d drawing) wanted() (kinds []kind) {
	for range 20 {
		kinds = append(kinds, pick(d, allKinds))
	}
	if d.IntN(4) == 0 {
		kinds[0], kinds[1] = pick(d, kindsOf(tokenRequest)), pick(d, kindsOf(tokenRequest))
	}
	return kinds
}

// logins reports whether a schedule is about logins: two token requests in a row fail.
func logins(wanted []kind) bool {
	return wanted[0].call == "token request" && wanted[1].call == "token request"
}

// allKinds are the kinds of faults of all calls.
var allKinds = slices.Concat(
	kindsOf("Lister.List"), kindsOf("Credentials.Read"), kindsOf("Parameters.Put(lease)"), kindsOf(tokenRequest),
	kindsOf("Saver.Save"), kindsOf("Saver.Labels"), kindsOf("Saver.RestorePrevious"), kindsOf("Pending.PutPending"),
	kindsOf("Tokens.Publish"), kindsOf("Parameters.Put(state)"),
	kindsOf("Saver.RestorePrevious"), kindsOf("Pending.PutPending"), // rarely made
)

// wants reports whether one of the first two kinds is a fault of such a call.
func wants(wanted []kind, calls ...string) bool {
	return slices.ContainsFunc(wanted[:min(2, len(wanted))], func(k kind) bool { return slices.Contains(calls, k.call) })
}

// without draws a schedule without acts and faults.
func (d drawing) without(wanted []kind) schedule {
	s := schedule{provider: pick(d, providerNames), credentials: pick(d, credentialNames), two: d.IntN(5) < 2, turns: d.IntN(4)}
	switch { // refresh tokens change, or a login brings one
	case d.IntN(3) == 0: // every mode, the usual ones too
	case wants(wanted, "restore", "pending"), wants(wanted, "save", "verify") && d.IntN(2) == 0:
		s.provider = pick(d, []string{"rotates", "rotates and revokes"})
		s.credentials = pick(d, []string{"refresh token", "refresh token and login", "login"})
	case wants(wanted, "save", "verify"):
		s.credentials = "login"
	case logins(wanted):
		s.credentials = pick(d, []string{"login", "refresh token and login"})
	}
	for range 2 + d.IntN(4) {
		b := beat{after: heartbeat}
		switch d.IntN(12) {
		case 0:
			b.after = time.Second // twice
		case 1:
			b.after = 3 * time.Minute // missed
		case 2:
			b.after = 20 * time.Second
		case 3, 4, 5, 6:
			b.after = untilDue
		}
		switch {
		case d.IntN(6) == 0:
			b.event = pick(d, eventNames)
		case logins(wanted) && d.IntN(3) == 0:
			b.event = "force"
		}
		s.beats = append(s.beats, b)
	}
	return s
}

// place draws one of the calls that were made: first its name, and then which of its
// calls. Early calls are more likely.
func (d drawing) place(s schedule, calls []place, only func(place) bool) (place, bool) {
	byName := map[string][]place{}
	for _, at := range calls {
		if at.beat < len(s.beats) && only(at) {
			byName[at.on] = append(byName[at.on], at)
		}
	}
	if len(byName) > 1 && d.IntN(10) > 0 {
		delete(byName, "Lister.List")
	}
	if len(byName) == 0 {
		return place{}, false
	}
	from := byName[pick(d, slices.Sorted(maps.Keys(byName)))]
	return from[min(d.IntN(len(from)), d.IntN(len(from)))], true
}

// acts draws what operators and others do. It returns the calls that this makes
// likely.
func (d drawing) acts(s schedule, calls []place, wanted []kind) (all []act, then []place) {
	then = calls
	if d.IntN(10) == 0 || logins(wanted) && d.IntN(2) == 0 { // only an operator can help
		begin := place{0, "Lister.List", 1}
		all = append(all, act{begin, "the password changes"}, act{begin, "the refresh tokens expire"})
	}
	if wants(wanted, "restore") { // a save replaces an operator's version, which is made current again
		first := wanted[0].call == "restore"
		if at, ok := d.place(s, calls, func(at place) bool { return at.on == "Saver.Labels" && (first || at.beat > 0) }); ok {
			all = append(all, act{place{at.beat, pick(d, []string{"Parameters.Put(lease)", "Saver.Save"}), 1}, "new credentials"})
			then = slices.Insert(slices.Clone(calls), slices.Index(calls, at)+1, place{at.beat, "Saver.RestorePrevious", 1})
		}
	}
	for range d.IntN(4) {
		at, ok := d.place(s, calls, func(place) bool { return true })
		switch {
		case !ok:
			continue
		case d.IntN(4) == 0:
			at.on, at.nth = "", 1
		}
		all = append(all, act{at, pick(d, actNames)})
		if d.IntN(5) == 0 { // at the same instant
			all = append(all, act{at, pick(d, actNames)})
		}
	}
	return all, then
}

// faults draws the next fault, of a call that was made after that of the last fault.
// It draws a wanted kind if there is such a call. After a fault of its save, a
// refresh token is pending.
func (d drawing) faults(s schedule, calls []place, wanted *[]kind) []injection {
	if n := len(s.faults); n > 0 {
		last := slices.Index(calls, s.faults[n-1].place)
		calls = calls[last+1:]
	}
	lasts := pick(d, []lasting{once, once, thisRun, fourMinutes})
	for n, want := range *wanted {
		at, ok := d.place(s, calls, func(at place) bool {
			return callKind(at.on) == want.call && len(faultsLike(at.on, want)) > 0
		})
		if ok {
			*wanted = slices.Delete(*wanted, n, n+1)
			return []injection{{at, pick(d, faultsLike(at.on, want)), lasts}}
		}
		if want.call != "pending" {
			continue
		}
		if at, ok := d.place(s, calls, func(at place) bool { return at.on == "Saver.Save" }); ok {
			*wanted = slices.Delete(*wanted, n, n+1)
			put := place{at.beat, "Pending.PutPending", 1}
			if at.beat+1 < len(s.beats) && d.IntN(2) == 0 {
				put = place{at.beat + 1, "Pending.DeletePending", 1}
			}
			return []injection{{at, pick(d, []string{"refused", "timeout", "late effect"}), once}, {put, pick(d, faultsLike(put.on, want)), lasts}}
		}
	}
	at, ok := d.place(s, calls, func(place) bool { return true })
	if !ok {
		return nil
	}
	return []injection{{at, pick(d, faultsOf(at.on)), lasts}}
}

// explore draws the schedule of a seed and runs it several times: without acts and
// faults, with acts and one fault, and with more and more faults. It returns the
// first schedule that fails, or the last one.
func explore(t *testing.T, seed uint64, seen func(outcome)) (schedule, outcome) {
	d := drawing{rand.New(rand.NewPCG(seed, 0))}
	wanted := d.wanted()
	s := d.without(wanted)
	got := s.run(t)
	seen(got)
	if len(got.violations) > 0 {
		return s, got
	}
	calls := got.calls
	s.acts, calls = d.acts(s, calls, wanted)
	faults := pick(d, []int{0, 1, 2, 3, 4, 4, 4, 4})
	for _, more := range []int{1, 1, 2} {
		before := len(s.acts) + len(s.faults)
		s = s.clone()
		for range more {
			if len(s.faults) < faults {
				s.faults = append(s.faults, d.faults(s, calls, &wanted)...)
			}
		}
		if len(s.faults) > 0 && len(s.acts)+len(s.faults) == before {
			return s, got
		}
		got = s.run(t)
		seen(got)
		if len(got.violations) > 0 || len(s.faults) >= faults {
			return s, got
		}
		calls = got.calls
	}
	return s, got
}
