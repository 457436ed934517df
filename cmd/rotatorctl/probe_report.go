package main

import (
	"cmp"
	"fmt"
	"net/url"
	"time"
)

// report prints what was seen and what to set. It holds nothing secret, so that
// it can be pasted into an issue.
func (p *prober) report(all seen) {
	host := p.tokenURL
	if u, err := url.Parse(p.tokenURL); err == nil {
		host = u.Host + u.Path
	}
	p.say("")
	p.say("Probe of %s on %s with rotatorctl %s, %d token requests", host, p.now().UTC().Format(time.DateOnly), cmp.Or(release, "(development)"), p.transport.sent)
	for _, s := range all.sets {
		p.say("")
		p.say("%s", s.credentials.Name)
		p.reportSet(s)
	}
	if len(all.sets) > 1 {
		p.say("")
		p.line("primary's token after alternate's request", lives(all.primaryLives, p.alive))
		p.line("alternate's token after primary's request", lives(all.alternateLives, p.alive))
	}
	p.say("")
	p.say("What to set")
	for _, advice := range recommend(all) {
		p.indented("  ", "%s", advice)
	}
	if p.saver.saved {
		p.say("")
		p.say("The refresh token changed. The file %s (mode 0600) holds the credentials with the new one; the old one no longer works. Seed that file.", p.saver.path)
	}
}

// line prints a name and a value. If they do not fit on one line, the value is on
// the next.
func (p *prober) line(name, value string) {
	text := fmt.Sprintf("  %-42s %s", name, value)
	if len(text) <= width {
		fmt.Fprintln(p.out, plain(text))
		return
	}
	p.indented("  ", "%s", name)
	p.indented("      ", "%s", value)
}

func (p *prober) reportSet(s *observed) {
	if s.grant == "" {
		p.trouble("  ", "no token: %s", reason(s.failure))
		return
	}
	p.line("grant type that worked", string(s.grant))
	kind := "opaque"
	if s.jwt {
		kind = "a JWT"
	}
	life := "lifetime not known"
	if s.lifetime > 0 {
		life = fmt.Sprintf("lives %d s", int(s.lifetime.Seconds()))
		if s.atLeast {
			life = fmt.Sprintf("lives %d s or longer (a token given again may be older)", int(s.lifetime.Seconds()))
		}
	}
	p.line("access token", kind+", "+life)
	switch {
	case !s.hasRefreshToken:
		p.line("refresh token", "none")
	case s.refreshTokenLife > 0:
		p.line("refresh token", "ends in "+span(s.refreshTokenLife))
	default:
		p.line("refresh token", "lifetime not known")
	}
	if s.failure != nil {
		p.trouble("  ", "the second request failed: %s", reason(s.failure))
	}
	p.line("a further request returns", word(s.newToken, "a new access token", "the same token while it lives"))
	if s.hasRefreshToken {
		p.line("a refresh changes the refresh token", word(s.refreshTokenChanged, "yes", "no"))
	}
	old := word(s.oldTokenLives, "lives on", "ends at once")
	if s.why != "" {
		old += " (" + s.why + ")"
	}
	p.line("the old access token after it", old)
}

func word(k known, ifYes, ifNo string) string {
	switch k {
	case yes:
		return ifYes
	case no:
		return ifNo
	}
	return "not known"
}

func lives(k known, a *aliveness) string {
	text := word(k, "lives on", "ends")
	if k == unknown && a.why != "" {
		return text + " (" + a.why + ")"
	}
	return text
}

// recommend says what to set, from what was seen alone.
func recommend(all seen) []string {
	first := all.sets[0]
	if first.grant == "" {
		return []string{"Nothing: without a token nothing was seen."}
	}
	return append([]string{refreshEndsToken(first), secondSet(all)}, refreshBefore(first)...)
}

func refreshEndsToken(s *observed) string {
	switch {
	case s.newToken == no:
		return "refresh_ends_token: leave it out. The same token is returned until it has expired."
	case s.oldTokenLives == yes:
		return "refresh_ends_token: false, in the connection's config. An old token lives on after a refresh."
	case s.oldTokenLives == no:
		return "refresh_ends_token: leave it out (true). A refresh ends the old token."
	}
	return "refresh_ends_token: not known, so leave it out (true), which is safe either way. API_URL=... shows it."
}

func secondSet(all seen) string {
	first := all.sets[0]
	switch {
	case len(all.sets) > 1 && (all.primaryLives == no || all.alternateLives == no):
		return "Second credential set: not this one. One set's request ends the other's token. Use another user."
	case len(all.sets) > 1 && all.primaryLives == yes && all.alternateLives == yes && first.oldTokenLives == yes:
		return "Second credential set: not needed. Old tokens live on, and the two sets are independent."
	case len(all.sets) > 1 && all.primaryLives == yes && all.alternateLives == yes:
		return "Second credential set: keep it. The two sets are independent."
	case len(all.sets) > 1:
		return "Second credential set: whether the two are independent is not known."
	case first.oldTokenLives == yes:
		return "Second credential set: not needed. A token that is read lives on after a refresh."
	case first.oldTokenLives == no:
		return "Second credential set: recommended where jobs read a token once and run for long. A refresh ends the token that they hold."
	case first.newToken == no:
		return "Second credential set: recommended where jobs read a token once and run for long. A new token comes only when the old one has expired."
	}
	return "Second credential set: not known."
}

// refreshBefore checks whether the default of RefreshBeforeSeconds suits the
// lifetime.
func refreshBefore(s *observed) []string {
	switch {
	case s.lifetime <= 0:
		return []string{"RefreshBeforeSeconds: not known, because the lifetime is not."}
	case s.atLeast && s.lifetime < 2*shortLife:
		return []string{"RefreshBeforeSeconds: not known, because a new token was not seen."}
	case s.lifetime < shortLife-time.Minute:
		return []string{fmt.Sprintf("RefreshBeforeSeconds: has no effect with tokens that live %s; two minutes are used.", span(s.lifetime)), shortLifeAdvice(s.lifetime)}
	case s.newToken == no:
		return []string{"RefreshBeforeSeconds: leave 600 (the default). A new token comes only at the expiry."}
	}
	return []string{"RefreshBeforeSeconds: leave 600 (the default), which fits this lifetime."}
}
