package rotator

import "time"

const (
	// sameTokenTries and sameTokenPause: how often a token that should have
	// ended is asked for again when it comes back once more.
	sameTokenTries = 5
	sameTokenPause = time.Second
)

// published reports whether the answer is the token already out.
func (a *attempt) published(answer TokenResponse) bool {
	return a.c.State.TokenFingerprint != "" && answer.AccessToken.Fingerprint() == a.c.State.TokenFingerprint
}

// sameTokenEnd is when a token that came back once more ends: never later than
// was believed, since not every server counts down. What was recorded in doubt
// is no belief.
func (s State) sameTokenEnd(answer TokenResponse, now time.Time) time.Time {
	end := answer.SentAt.Add(min(answer.ExpiresIn, maxLifetime))
	doubt := s.Error != "" && !s.ExpiresAt.After(now)
	if s.known() && !doubt {
		end = earlier(end, s.ExpiresAt)
	}
	return wholeSeconds(end)
}

// longestWait is how far ahead a run waits for the end of a token that the
// server replaces only then: the longest that two heartbeats may lie apart when
// each is up to a third of the interval early or late.
func longestWait(heartbeat time.Duration) time.Duration { return heartbeat + 2*heartbeat/3 }
