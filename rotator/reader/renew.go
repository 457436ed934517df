package reader

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

const (
	// publishTimeout is how long the rotator may take to publish a new token after
	// the old one has ended.
	publishTimeout = 5 * time.Second
	// The pauses between the reads in that time double from firstPause to
	// lastPause: eight reads at most.
	firstPause = 125 * time.Millisecond
	lastPause  = time.Second
	// reportTimeout limits one report: the function's cold start and its refresh.
	reportTimeout = 30 * time.Second
	// renewalInterval is the time between two searches for a replacement of the
	// same token.
	renewalInterval = time.Minute
	// reportPause is how long nothing is reported after the API has also rejected
	// a token that a report brought. The 401 then has another cause, and further
	// reports would replace good tokens. Secrets Manager accepts a new value as
	// often as this for a long time.
	reportPause = 15 * time.Minute
)

// errSame means that the secret still holds the rejected token.
var errSame = errors.New("the secret holds no other token")

// renewal is the search for the token that replaces a rejected one.
type renewal struct {
	*flight
	startedAt time.Time
	// reported says that the token was reported. Read it after the flight.
	reported bool
}

// replacement waits for a token other than the rejected one. The error is errSame,
// the context's, or that of reading the secret.
func (s *Source) replacement(ctx context.Context, rejected Token) (Token, error) {
	if t, usable := s.cache(); usable && t.Reveal() != rejected.Reveal() {
		return t, nil
	}
	r, tried := s.renewal(ctx, rejected)
	if !tried {
		return r.wait(ctx)
	}
	// A search in the last minute has ended: read once, without waiting.
	return s.other(ctx, rejected)
}

// renewal returns the search in progress for a replacement of the rejected token,
// or starts one. It starts none, and tried is true, if the last one has ended and
// started less than a minute ago.
func (s *Source) renewal(ctx context.Context, rejected Token) (r *renewal, tried bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, name := time.Now(), rejected.Fingerprint()
	if r = s.renewals[name]; r != nil {
		if !r.done() {
			return r, false
		}
		if now.Sub(r.startedAt) < renewalInterval {
			return r, true
		}
	}
	for name, old := range s.renewals {
		if old.done() && now.Sub(old.startedAt) >= renewalInterval {
			delete(s.renewals, name)
		}
	}
	s.rejected = name
	r = &renewal{flight: newFlight(), startedAt: now}
	s.renewals[name] = r
	go func() { r.land(s.renew(context.WithoutCancel(ctx), rejected, r)) }()
	return r, false
}

func (r *renewal) done() bool {
	select {
	case <-r.landed:
		return true
	default:
		return false
	}
}

// renew waits for another token, and reports the rejected one if none comes.
func (s *Source) renew(ctx context.Context, rejected Token, r *renewal) (Token, error) {
	token, err := s.await(ctx, rejected)
	if !errors.Is(err, errSame) || !s.mayReport() {
		return token, err
	}
	event, _ := json.Marshal(struct { // cannot fail: strings
		Action      string   `json:"action"`
		Connections []string `json:"connections"`
		DeadToken   string   `json:"dead_token"`
	}{"refresh", []string{rejected.connection}, rejected.Fingerprint()})
	r.reported = true
	reportCtx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	if err := s.config.Report(reportCtx, event); err != nil {
		s.config.Log.WarnContext(ctx, "the rejected token could not be reported", "token_fingerprint", rejected.Fingerprint(), "error", err)
		return Token{}, errSame
	}
	return s.await(ctx, rejected)
}

// await reads the secret until it holds another token, for up to publishTimeout.
func (s *Source) await(ctx context.Context, rejected Token) (Token, error) {
	deadline := time.Now().Add(publishTimeout)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		token, err := s.other(ctx, rejected)
		if err == nil || time.Now().Add(pause).After(deadline) {
			return token, err
		}
		time.Sleep(pause)
	}
}

// other reads the secret once.
func (s *Source) other(ctx context.Context, rejected Token) (Token, error) {
	token, err := s.read(ctx)
	if err == nil && token.Reveal() == rejected.Reveal() {
		return Token{}, errSame
	}
	return token, err
}

func (s *Source) mayReport() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.Report != nil && !time.Now().Before(s.noReportBefore)
}

// rejectedAgain records that the API has rejected the replacement of a rejected token
// too.
func (s *Source) rejectedAgain(rejected Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.renewals[rejected.Fingerprint()]; r != nil && r.done() && r.reported {
		s.noReportBefore = time.Now().Add(reportPause)
	}
}
