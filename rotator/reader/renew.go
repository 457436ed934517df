package reader

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

const (
	// patience is how long the secret may lag behind a grant.
	patience = 5 * time.Second
	// The pauses between the reads in that time double from the first to the
	// last: eight reads at most.
	firstPause = 125 * time.Millisecond
	lastPause  = time.Second
	// reportInterval bounds a report: the function's cold start and its refresh.
	reportInterval = 30 * time.Second
	// renewalInterval is how often one token is waited for and reported.
	renewalInterval = time.Minute
	// muteInterval is how long nothing is reported after a token that a report
	// brought was refused as well. The 401 has another cause then, and reports
	// would go on replacing good tokens. It is as often as Secrets Manager
	// takes a new value for long.
	muteInterval = 15 * time.Minute
)

// errSame says that the secret goes on holding the refused token.
var errSame = errors.New("the secret holds no other token")

// renewal is the search for the token that replaces a refused one.
type renewal struct {
	*flight
	startedAt time.Time
	// reported: it took a report to get it. Read it after the flight.
	reported bool
}

// replacement waits for a token other than the refused one. The error is
// errSame, the context's, or what kept it from reading the secret.
func (s *Source) replacement(ctx context.Context, refused Token) (Token, error) {
	if t, ok := s.cache(); ok && t.Reveal() != refused.Reveal() {
		return t, nil
	}
	r, tried := s.renewal(ctx, refused)
	if !tried {
		return r.wait(ctx)
	}
	// A minute's waiting is over or has not helped: look, and no more.
	return s.other(ctx, refused)
}

// renewal returns the search under way for the refused token, or begins one
// unless the last one is over and was begun less than a minute ago.
func (s *Source) renewal(ctx context.Context, refused Token) (r *renewal, tried bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, name := time.Now(), refused.Fingerprint()
	if r = s.renewals[name]; r != nil {
		if !r.over() {
			return r, false
		}
		if now.Sub(r.startedAt) < renewalInterval {
			return r, true
		}
	}
	for name, old := range s.renewals {
		if old.over() && now.Sub(old.startedAt) >= renewalInterval {
			delete(s.renewals, name)
		}
	}
	r = &renewal{flight: newFlight(), startedAt: now}
	s.renewals[name] = r
	go func() { r.land(s.renew(context.WithoutCancel(ctx), refused, r)) }()
	return r, false
}

func (r *renewal) over() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// renew waits for another token, and asks the function for one if none comes.
func (s *Source) renew(ctx context.Context, refused Token, r *renewal) (Token, error) {
	token, err := s.await(ctx, refused)
	if !errors.Is(err, errSame) || !s.mayReport() {
		return token, err
	}
	event, _ := json.Marshal(struct { // cannot fail: strings
		Action      string   `json:"action"`
		Connections []string `json:"connections"`
		DeadToken   string   `json:"dead_token"`
	}{"refresh", []string{refused.connection}, refused.Fingerprint()})
	r.reported = true
	reportCtx, cancel := context.WithTimeout(ctx, reportInterval)
	defer cancel()
	if err := s.config.Report(reportCtx, event); err != nil {
		s.config.Log.WarnContext(ctx, "the refused token could not be reported", "token_fingerprint", refused.Fingerprint(), "error", err)
		return Token{}, errSame
	}
	return s.await(ctx, refused)
}

// await reads the secret until it holds another token, for as long as patience.
func (s *Source) await(ctx context.Context, refused Token) (Token, error) {
	deadline := time.Now().Add(patience)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		token, err := s.other(ctx, refused)
		if err == nil || time.Now().Add(pause).After(deadline) {
			return token, err
		}
		time.Sleep(pause)
	}
}

// other reads the secret once.
func (s *Source) other(ctx context.Context, refused Token) (Token, error) {
	token, err := s.read(ctx)
	if err == nil && token.Reveal() == refused.Reveal() {
		return Token{}, errSame
	}
	return token, err
}

func (s *Source) mayReport() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.Report != nil && !time.Now().Before(s.mutedUntil)
}

// refusedAgain takes note that the replacement of a refused token was refused.
func (s *Source) refusedAgain(refused Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.renewals[refused.Fingerprint()]; r != nil && r.over() && r.reported {
		s.mutedUntil = time.Now().Add(muteInterval)
	}
}
