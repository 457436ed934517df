package rotator

import (
	"sync"
	"time"
)

// hostFailures is how many connections of one host must fail in a run before the
// other ones of that host are left to the next run.
const hostFailures = 3

// hosts counts, for one run, the failures of token hosts that concern every
// connection of the host.
type hosts struct {
	mu     sync.Mutex
	failed map[string]int // by token URL
}

func (h *hosts) note(tokenURL string, code Code) {
	switch code {
	case Throttled, Unreachable, ServerError, AnswerLost:
	default:
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed == nil {
		h.failed = map[string]int{}
	}
	h.failed[tokenURL]++
}

func (h *hosts) down(tokenURL string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed[tokenURL] >= hostFailures
}

// deferredFor reports whether the attempt is left to the next run because its
// host fails for others, and its token can still be used.
func (a *attempt) deferredFor(now time.Time) bool {
	return len(a.d.ask) > 0 && now.Before(a.c.State.Published.ValidUntil) && a.event.Heartbeat() && a.hosts.down(a.c.Config.TokenURL)
}
