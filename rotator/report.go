package rotator

import (
	"context"
	"log/slog"
	"time"
)

// Outcome is what a run did about a connection.
type Outcome string

// The outcomes.
const (
	NotDue        Outcome = "not_due"
	Refreshed     Outcome = "refreshed"
	Unchanged     Outcome = "unchanged"      // the server returned the token already out
	Restored      Outcome = "restored"       // a pending refresh token was saved, nothing else was due
	BackingOff    Outcome = "backing_off"    // held back after a failure; no attempt made
	Busy          Outcome = "busy"           // another run holds the lease
	Deferred      Outcome = "deferred"       // no time left in this run
	NoCredentials Outcome = "no_credentials" // never refreshed, and no credentials found
	Disabled      Outcome = "disabled"
	Failed        Outcome = "failed"
)

// Report is what a run returns. It holds nothing secret.
type Report struct {
	Version    string    `json:"version"`
	StartedAt  time.Time `json:"started_at"`
	DurationMS int64     `json:"duration_ms"`
	// Error is the code of a failed listing; Connections is empty then.
	Error       Code     `json:"error,omitempty"`
	Message     string   `json:"message,omitempty"`
	Connections []Result `json:"connections"`
}

// Result is what became of one connection.
type Result struct {
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	Reason  Reason  `json:"reason,omitempty"`
	// ExpiresAt is the published token's, absent where there never was one.
	ExpiresAt        time.Time `json:"expires_at,omitzero"`
	SecondsRemaining *int64    `json:"seconds_remaining,omitempty"`
	Error            Code      `json:"error,omitempty"`
	// RetryAt is absent where no time is known.
	RetryAt time.Time `json:"retry_at,omitzero"`
	// Message is one sentence that says what to do.
	Message string `json:"message,omitempty"`
}

// result is the connection's line of the report.
func (a *attempt) result(outcome Outcome, err error) Result {
	result := Result{Name: a.c.Name, Outcome: outcome, Reason: a.c.reason}
	state := a.next
	if outcome == NotDue || outcome == Disabled {
		result.Reason = ""
	}
	if state.known() {
		seconds := int64(time.Until(state.ExpiresAt) / time.Second)
		result.ExpiresAt, result.SecondsRemaining = wholeSeconds(state.ExpiresAt), &seconds
	}
	switch {
	case outcome == Failed:
		failure := firstOf(err)
		result.Error, result.Message = failure.Code, failure.Message
	case outcome == BackingOff:
		result.Error, result.Message = state.Error, state.Error.Advice()
	default:
		return result
	}
	if a.c.ConfigError == nil && time.Now().Before(state.NotBefore) {
		result.RetryAt = wholeSeconds(state.NotBefore)
	}
	return result
}

func failures(results []Result) []string {
	var failed []string
	for _, result := range results {
		if result.Outcome == Failed {
			failed = append(failed, result.Name+": "+string(result.Error))
		}
	}
	return failed
}

// logRun logs the report when something happened.
func (r *Rotator) logRun(ctx context.Context, report Report) {
	level, idle := slog.LevelInfo, true
	for _, result := range report.Connections {
		switch {
		case result.Outcome == NotDue || result.Outcome == Disabled:
			continue
		case result.Error.ActionRequired():
			level = max(level, slog.LevelError)
		case result.Error != "":
			level = max(level, slog.LevelWarn)
		}
		idle = false
	}
	if !idle {
		r.Log.Log(ctx, level, "run", "report", report)
	}
}
