package explore_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

func decode(text string, into any) bool { return json.Unmarshal([]byte(text), into) == nil }

// check checks what must be true after every run, as soon as no run is active.
func (f *fixture) check(v *invocation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.active > 0 {
		return
	}
	state := f.state()
	lease, open := f.lease()
	f.checkCertain(state, lease, open)
	f.checkErrors(state)
	f.checkKept()
	if r := v.result(); r.Error == rotator.InternalError {
		f.violate(7, "internal_error", r.Message)
	}
}

// checkCertain checks that what the state says for certain is true at the server.
func (f *fixture) checkCertain(state rotator.State, lease rotator.Lease, open bool) {
	p := state.Published
	switch {
	case p.IssuedAt.IsZero() || !p.UncertainSince.IsZero() || !time.Now().Before(p.ExpiresAt.Add(-f.stepped)):
	case open && (lease.Set != "" || p.Set == ""): // that run may have published another token
	case f.executedUnseen(state):
	case !f.changedAt.Before(p.IssuedAt) || !f.lostStateAt.IsZero() && !f.lostStateAt.Before(p.IssuedAt) || f.leaseDeleted:
	case !f.h.Alive(connection):
		f.violate(3, "jobs have a dead token and the state says that it is valid",
			fmt.Sprintf("issued %v, expires %v, set %s", p.IssuedAt, p.ExpiresAt, p.Set))
	default:
		token, _ := f.h.Token(connection)
		known, ok := f.h.Reltio.AccessToken(token.AccessToken)
		if ok && secret.New(token.AccessToken).Fingerprint() == p.Fingerprint && p.ExpiresAt.After(known.ExpiresAt.Add(f.stepped)) {
			f.violate(3, "the state's expires_at is later than the server's", fmt.Sprint(p.ExpiresAt, known.ExpiresAt))
		}
	}
}

// executedUnseen reports whether the server may have executed a request whose answer was
// lost, and so ended the published token, without the state saying so: by the stepped
// clock a minute had passed, or nothing was left that named the request.
func (f *fixture) executedUnseen(state rotator.State) bool {
	p := state.Published
	return f.stepped > 0 && p.IssuedAt.Sub(state.Of(p.Set).AnswerLostAt) < time.Minute+f.stepped ||
		p.IssuedAt.Sub(f.recreatedAt) < time.Minute
}

// checkErrors checks that an answer caused each error and each refused login in the
// state.
func (f *fixture) checkErrors(state rotator.State) {
	for _, set := range []rotator.SetState{state.Primary, state.Alternate} {
		switch set.Error {
		case rotator.RefreshTokenRejected, rotator.ClientRejected, rotator.LoginRejected, rotator.RequestRejected,
			rotator.Throttled, rotator.ServerError, rotator.Unreachable:
			if f.delivered[set.Error] == 0 {
				f.violate(3, "an error stands that no answer brought", string(set.Error))
			}
		}
		if set.Login.Outcome == rotator.LoginRefused && f.delivered[rotator.LoginRejected] == 0 {
			f.violate(3, "the state says that a login was refused, and none was", "")
		}
	}
}

// checkKept: each refresh token that arrived is in the secret or pending. What an
// operator, or an older write that came late, put over it is put right before the
// next token request.
func (f *fixture) checkKept() {
	_, open := f.lease()
	anywhere := open || f.current().Version != f.state().CredentialsVersion
	for user, refreshToken := range f.arrived {
		if !f.mustKeep(refreshToken) || f.kept(refreshToken, anywhere) {
			continue
		}
		if given := f.given[user]; given != "" && f.spent[given] == "" && f.kept(given, false) {
			continue // it was obtained with the credentials of before, while a run restored these
		}
		f.violate(2, "a refresh token that arrived is neither in the secret nor pending", user)
		f.lostAllowed[refreshToken] = true
	}
}

// checkUsers checks that no set holds a refresh token of another user.
func (f *fixture) checkUsers(creds rotator.Credentials) {
	for _, set := range creds.Sets() {
		for _, name := range []string{user, other, third} {
			if set.CanLogIn() && set.Username.Reveal() != name && slices.Contains(f.h.Reltio.RefreshTokens(name), set.RefreshToken.Reveal()) {
				f.violate(2, "a set holds another user's refresh token", name)
			}
		}
	}
}

// turnOfResting is the latest time at which the set is used that did not obtain the
// published token.
func turnOfResting(state rotator.State, creds rotator.Credentials) time.Time {
	p := state.Published
	if !creds.Two() || p.Set == "" {
		return p.ValidUntil // that of a set that an operator has taken away
	}
	turn := p.IssuedAt.Add(max(p.ExpiresAt.Sub(p.IssuedAt)/2, 15*heartbeat) + 2*heartbeat)
	if p.ValidUntil.Before(turn) {
		turn = p.ValidUntil
	}
	return later(turn, state.Of(p.Set.Other()).TokenExpiresAt.Add(3*time.Second))
}

// nextRequest is the latest time of the next request with a set that has an error. The
// zero time means at once.
func (f *fixture) nextRequest(set rotator.SetName, state rotator.State, creds rotator.Credentials) time.Time {
	p := state.Published
	switch {
	case set != p.Set:
		return turnOfResting(state, creds)
	case creds.Two() && p.UncertainSince.IsZero():
		return p.ValidUntil // a forced request failed, or another set was added
	case f.stepped > 0:
		return p.ValidUntil // its spread is another one now, so that nothing may be due
	}
	return time.Time{}
}

// hold is the latest time before which the state, or a lease after many runs without a
// record, forbids token requests.
func (f *fixture) hold() time.Time {
	state := f.state()
	hold := state.NotBefore
	for _, set := range f.current().Sets() {
		if part := state.Of(set.Name); part.Error != "" { // otherwise only its turn waits
			hold = later(hold, part.NotBefore)
		}
	}
	if lease, open := f.lease(); open && lease.RunsWithoutRecord >= 9 {
		hold = later(hold, lease.Until.Add(30*time.Minute))
	}
	return hold
}

// checkQuiet checks what must be true two heartbeats after the last fault.
func (f *fixture) checkQuiet() (hold time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, now, creds := f.state(), time.Now(), f.current()
	if f.config["enabled"] == false {
		return time.Time{}
	}
	f.checkKept()
	f.checkOperator()
	f.checkUsers(creds)
	usable, unusable := false, false
	f.allUsable = true
	for _, set := range creds.Sets() {
		part := state.Of(set.Name)
		ok := f.usable(set)
		refused := part.Login.Outcome == rotator.LoginRefused && f.refusedLogins[set.Username.Reveal()+" "+set.Password.Reveal()]
		login := !set.CanLogIn() || !refused || set.RefreshToken.Reveal() != "" && f.h.Reltio.RefreshTokenAlive(set.RefreshToken.Reveal())
		usable, unusable = usable || ok && login, unusable || !ok
		f.allUsable = f.allUsable && ok && login
		until := later(part.NotBefore, state.NotBefore)
		if part.Error == "" || !ok || !login || until.After(now) {
			continue
		}
		if now.Add(-heartbeat - time.Second).After(f.nextRequest(set.Name, state, creds)) {
			f.violate(7, string(part.Error)+" stands two heartbeats after the last fault", string(set.Name))
		}
	}
	if hold = f.hold(); hold.After(now) {
		return hold
	}
	lost := state.Error == rotator.CredentialsNotSaved && unusable // an operator has to log in
	switch {
	case state.Error != "" && usable && !lost:
		f.violate(7, string(state.Error)+" stands two heartbeats after the last fault", "of no set")
	case usable && !f.h.Alive(connection) && now.Before(state.Published.ExpiresAt) && !now.Before(state.Published.ExpiresAt.Add(-f.stepped)):
		return state.Published.ExpiresAt // by the clock of the function it has not expired yet
	case usable && !f.h.Alive(connection) && state.Published.Unchanged && now.Before(state.Published.ExpiresAt.Add(heartbeat)):
		return state.Published.ExpiresAt.Add(heartbeat) // the server returned this token until it expired, so that the next heartbeat replaces it
	case usable && !f.h.Alive(connection) && !f.leaseDeleted && !f.executedUnseen(state):
		f.violate(7, "no live token is published two heartbeats after the last fault", fmt.Sprintf("%+v", f.last.result()))
	case usable && f.executedUnseen(state) && !state.Published.UncertainSince.IsZero():
		return now.Add(heartbeat) // by the stepped clock, the server may still execute the lost request
	case usable && !state.Published.UncertainSince.IsZero():
		f.violate(7, "the token is uncertain two heartbeats after the last fault", fmt.Sprintf("%+v", f.last.result()))
	case len(f.pendingTokens()) > 0 && usable:
		f.violate(7, "a refresh token is pending two heartbeats after the last fault", "")
	}
	return time.Time{}
}

// checkOperator checks that no field that an operator wrote is lost.
func (f *fixture) checkOperator() {
	text, _ := f.h.AWS.Secret(harness.SecretName(connection, "credentials"))
	note := fmt.Sprintf("note %d", f.notes)
	if parse(text)["note"] != note && !f.leaseDeleted && !f.askedToWriteAgain(f.notedAt) {
		f.violate(5, "a field that an operator wrote is lost", fmt.Sprintf("%v, want %s", parse(text)["note"], note))
	}
	for user, refreshToken := range f.given {
		fingerprint := secret.New(refreshToken).Fingerprint()
		used := slices.ContainsFunc(f.h.Reltio.Requests(), func(r fakereltio.Request) bool { return r.RefreshToken == fingerprint })
		// No heartbeat reads the credentials where nothing is due. If the lease was
		// deleted, that a run died is found at the next refresh.
		if !used && !f.kept(refreshToken, f.leaseDeleted) && !f.askedToWriteAgain(f.gaveAt) {
			f.violate(5, "a refresh token that an operator gave is lost", user)
		}
	}
}

// askedToWriteAgain reports whether the log asks the operator to check what was written
// when the output was so long.
func (f *fixture) askedToWriteAgain(since int) bool {
	output := f.h.Output()[since:]
	return strings.Contains(output, "write them again") || strings.Contains(output, "your last change is there")
}

// holdsToken reports whether a text holds a token of the fake.
func holdsToken(text string) bool {
	for digit := range 10 {
		if strings.Contains(text, fmt.Sprint("token-", digit)) || strings.Contains(text, fmt.Sprint("login-", digit)) {
			return true
		}
	}
	return strings.Contains(text, "eyJhb")
}

// checkPrinted checks that nothing that is printed or recorded holds a secret.
func (f *fixture) checkPrinted() {
	text := f.h.Output()
	for _, kind := range []string{"config", "state", "lease"} {
		document, _, _ := f.h.AWS.Parameter(harness.ParameterName(connection, kind))
		text += document
	}
	if holdsToken(text) || strings.Contains(text, clientSecret) || strings.Contains(text, passwordOf(user)) {
		f.violate(8, "a secret is printed", "")
	}
}

// checkVersions checks that without faults no secret gets more than 100 versions in
// 24 hours, which Secrets Manager would not accept in the long run.
// An operator's document that no run has read yet may need a save of its own.
func (f *fixture) checkVersions(since time.Time, unread bool) {
	limit := 1 + int(time.Since(since)/(24*time.Hour/100))
	if unread {
		limit++
	}
	for _, kind := range []string{"credentials", "token"} {
		n := 0
		for _, version := range f.h.AWS.SecretVersions(harness.SecretName(connection, kind)) {
			if version.CreatedAt.After(since) {
				n++
			}
		}
		if n > limit {
			f.violate(6, "too many versions of a secret", fmt.Sprintf("%d of the %s since %v", n, kind, since))
		}
	}
}
