package rotator

import (
	"sync"
	"time"
)

// hostFailures is after how many failed connections of one token URL a run defers
// the other connections of that URL to the next run.
const hostFailures = 3

// hosts counts, for one run and by token URL, the failures that concern every
// connection with that URL.
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

// deferredFor reports whether the attempt is deferred to the next run, because its
// token URL fails for other connections and its token can still be used.
func (a *attempt) deferredFor(now time.Time) bool {
	return len(a.d.ask) > 0 && now.Before(a.c.State.Published.ValidUntil) && a.event.Heartbeat() && a.hosts.down(a.c.Config.TokenURL)
}
