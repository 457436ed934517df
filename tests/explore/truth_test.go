package explore_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
	"reltio-token-rotator/tests/harness"
)

// truth is what the checks know of a schedule, whatever the rotator was told. The
// fixture's lock guards it.
type truth struct {
	// notes counts the operators' writes that change the note, writes all of them.
	runs, notes, writes, logins int
	config                      map[string]any
	// opened is the document that a console showed as the schedule began.
	opened map[string]any
	// savedOld: an operator saved an old document.
	savedOld bool
	// changedAt is when an operator last changed a field of a credential set, and
	// changes counts that; lostStateAt is when the state was last lost, and recreatedAt
	// when the lease was lost with it.
	changedAt, lostStateAt, recreatedAt time.Time
	changes                             int
	leaseDeleted                        bool
	// stepped is by how much the clock of the function has stepped in all.
	stepped time.Duration
	// passwordChanged: Reltio has another password of the user.
	passwordChanged bool
	// arrived are the last refresh tokens that answers brought, by user; given
	// those that operators gave.
	arrived, given map[string]string
	// notedAt and gaveAt are the lengths of the output when an operator last changed the
	// note and gave a refresh token.
	notedAt, gaveAt int
	// lostAllowed: a refresh token could not be kept. spent are the users of those that
	// the rotator replaced, successor what it replaced them with.
	lostAllowed      map[string]bool
	spent, successor map[string]string
	// refused are the users whose password was refused, and the state says so;
	// unknown are the times of logins of which nothing is known.
	refused map[string]bool
	// allUsable says that the server accepted each credential set at the last check.
	allUsable bool
	// refusedLogins are the user names with the passwords that the server refused.
	refusedLogins map[string]bool
	unknown       map[string][]time.Time
	// delivered are the failures that answers brought.
	delivered map[rotator.Code]int
}

func newTruth() truth {
	return truth{
		config: map[string]any{}, arrived: map[string]string{}, given: map[string]string{}, lostAllowed: map[string]bool{},
		spent: map[string]string{}, successor: map[string]string{}, refused: map[string]bool{}, refusedLogins: map[string]bool{}, unknown: map[string][]time.Time{}, delivered: map[rotator.Code]int{},
	}
}

// knowledge is what is known of one invocation.
type knowledge struct {
	// seen is what its listing showed.
	seen rotator.Connection
	// changesRead and writesRead are the counts when it read the credentials.
	changesRead, writesRead int
	leaseHeld               bool
	requests                int
	refusedNow              string
	protected               []published
	delivering              []string // users whose refresh tokens it received
}

// published is a token in the token secret, with when it is promised to live.
type published struct {
	token harness.Token
	user  string
}

func (f *fixture) operatorWrote() {
	f.writes++
	clear(f.refused)
	clear(f.unknown)
}

func (f *fixture) changedCredentials() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changedAt = time.Now()
	f.changes++
}

func (f *fixture) gave(user, refreshToken string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.arrived) // the sets may have been exchanged before
	clear(f.given)
	f.given[user], f.gaveAt = refreshToken, len(f.h.Output())
}

// opensAgain drops what the document that the console still shows takes away: it has
// no refresh token, or one that the rotator has not replaced. It reports whether the
// document is news.
func (f *fixture) opensAgain() (news bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.given)
	for _, name := range []string{user, other} {
		refreshToken := f.refreshTokenOf(name, f.opened)
		if f.spent[refreshToken] != "" && !f.lostAllowed[f.successor[refreshToken]] && f.knownAsUsed(refreshToken) {
			continue
		}
		news = news || refreshToken != f.refreshTokenOf(name, f.document())
		delete(f.arrived, name)
		if f.h.Reltio.RefreshTokenAlive(refreshToken) {
			f.given[name], f.gaveAt = refreshToken, len(f.h.Output())
		}
	}
	return news
}

// knownAsUsed reports whether the state names a refresh token as replaced, or the version
// that the last run had read holds it. If more than one run left no record, nothing
// shows that the rotator replaced it.
func (f *fixture) knownAsUsed(refreshToken string) bool {
	state, fingerprint := f.state(), secret.New(refreshToken).Fingerprint()
	for _, set := range []rotator.SetState{state.Primary, state.Alternate} {
		if slices.Contains(set.Replaced, fingerprint) {
			return true
		}
	}
	lease, _ := f.lease()
	read := f.h.AWS.SecretVersions(harness.SecretName(connection, "credentials"))[lease.CredentialsVersion]
	return strings.Contains(read.Value, `"`+refreshToken+`"`)
}

// withoutTokens returns a document without its note and its refresh tokens.
func withoutTokens(document map[string]any) map[string]any {
	fields := maps.Clone(document)
	delete(fields, "note")
	delete(fields, "refresh_token")
	if alternate, ok := fields["alternate"].(map[string]any); ok {
		fields["alternate"] = fmt.Sprint(withoutTokens(alternate))
	}
	return fields
}

// refreshTokenOf returns the refresh token of a user in a document, or "".
func (f *fixture) refreshTokenOf(name string, document map[string]any) string {
	alternate, _ := document["alternate"].(map[string]any)
	for _, set := range []map[string]any{document, alternate} {
		refreshToken, _ := set["refresh_token"].(string)
		if f.spent[refreshToken] == name || slices.Contains(f.h.Reltio.RefreshTokens(name), refreshToken) {
			return refreshToken
		}
	}
	return ""
}

// forget drops what is known of a set that an operator takes away.
func (f *fixture) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.arrived)
	clear(f.given)
}

func (f *fixture) lostState() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lostStateAt = time.Now()
	clear(f.refused)
	clear(f.unknown)
}

// listed notes what the invocation sees of the connection.
func (v *invocation) listed(listing []rotator.Parameter) {
	for _, c := range rotator.Connections(listing, v.h.Settings, time.Now()) {
		v.mu.Lock()
		v.seen = c
		v.mu.Unlock()
	}
}

func (v *invocation) reading() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.changesRead, v.writesRead = v.changes, v.writes
}

// putting checks that only the holder of the lease writes the state.
func (v *invocation) putting(kind rotator.Kind) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if kind == rotator.KindState && !v.leaseHeld && !v.leaseDeleted {
		v.violate(3, "a run that does not hold the lease writes the state", "")
	}
}

func (v *invocation) put(kind rotator.Kind, value string, version int64, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case err != nil:
	case kind == rotator.KindLease && version == v.seen.LeaseVersion+1:
		v.leaseHeld = true
	case kind == rotator.KindState && v.refusedNow != "" && v.writesRead == v.writes:
		v.refused[v.refusedNow], v.refusedNow = true, ""
	}
}

// userOf is the user whose tokens a request asks for.
func (f *fixture) userOf(request rotator.TokenRequest) string {
	if request.GrantType == rotator.GrantTypePassword {
		return request.Username.Reveal()
	}
	if request.GrantType == rotator.GrantTypeRefreshToken {
		for _, name := range []string{user, other} {
			if slices.Contains(f.h.Reltio.RefreshTokens(name), request.RefreshToken.Reveal()) {
				return name
			}
		}
		return ""
	}
	return request.ClientID
}

// mustKeep reports whether a refresh token that arrived must be kept. It need not if
// nothing says that it replaced another one, or if two runs were at work.
func (f *fixture) mustKeep(refreshToken string) bool {
	return f.h.Reltio.RefreshTokenAlive(refreshToken) && !f.lostAllowed[refreshToken] &&
		(!f.savedOld || f.lostStateAt.IsZero()) && !f.leaseDeleted
}

// asking checks what a token request is about to do.
func (v *invocation) asking(request rotator.TokenRequest) {
	state := v.state()
	protected := v.publishedTokens()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	v.protected = protected
	if newer := v.arrived[v.spent[request.RefreshToken.Reveal()]]; v.spent[request.RefreshToken.Reveal()] != "" && v.mustKeep(newer) {
		v.violate(2, "a refresh token is used that the rotator has replaced", v.spent[request.RefreshToken.Reveal()])
	}
	if request.GrantType != rotator.GrantTypePassword {
		return
	}
	name := request.Username.Reveal()
	recorded := func(l rotator.Login) bool {
		return l.Outcome != "" && !l.At.Before(v.began.Truncate(time.Second).Add(-v.stepped))
	}
	if !recorded(state.Primary.Login) && !recorded(state.Alternate.Login) && v.lostStateAt.Before(v.began) && !v.leaseDeleted {
		v.violate(4, "a login is sent before it is recorded", name)
	}
	if v.event.Force {
		return
	}
	if v.refused[name] && v.changesRead == v.changes && !v.leaseDeleted {
		v.violate(4, "a refused password is sent again", name)
	}
	recent := slices.DeleteFunc(v.unknown[name], func(at time.Time) bool { return time.Since(at) >= time.Hour-time.Minute })
	if len(recent) >= 2 && !v.leaseDeleted {
		v.violate(4, "a login of which nothing is known is sent a third time within an hour", name)
	}
	// Otherwise it is one of older credentials, or its record was lost.
	if v.writesRead == v.writes && v.lostStateAt.Before(v.began) {
		v.unknown[name] = append(recent, time.Now())
	}
}

// publishedTokens are the tokens that jobs may hold. One that was published twice
// counts as it was the second time.
func (f *fixture) publishedTokens() (tokens []published) {
	for _, version := range f.h.AWS.SecretVersions(harness.SecretName(connection, "token")) {
		var token harness.Token
		if decode(version.Value, &token) && time.Now().Before(token.ExpiresAt) {
			known, ok := f.h.Reltio.AccessToken(token.AccessToken)
			twice := slices.IndexFunc(tokens, func(p published) bool { return p.token.AccessToken == token.AccessToken })
			switch {
			case !ok || !known.EndedAt.IsZero():
			case twice < 0:
				tokens = append(tokens, published{token, known.User})
			case tokens[twice].token.IssuedAt.Before(token.IssuedAt):
				tokens[twice].token = token
			}
		}
	}
	return tokens
}

// asked checks which tokens a request has ended.
func (v *invocation) asked(rotator.TokenRequest) {
	state := v.state()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.protected {
		known, _ := v.h.Reltio.AccessToken(p.token.AccessToken)
		if known.EndedAt.IsZero() || !known.EndedAt.Before(p.token.ValidUntil.Add(-v.stepped)) || v.mayEnd(state, p) {
			continue
		}
		v.violate(1, "a token request ends a token before its valid_until",
			fmt.Sprintf("issued %v, valid until %v, ended %v", p.token.IssuedAt, p.token.ValidUntil, known.EndedAt))
	}
}

// mayEnd reports whether promise 1 has an exception for ending a token now.
func (v *invocation) mayEnd(state rotator.State, p published) bool {
	fingerprint := secret.New(p.token.AccessToken).Fingerprint()
	lapsed := v.seen.Lease.Run != "" && v.seen.Lease.From+1 > v.seen.State.LeaseVersion && !v.began.Before(v.seen.Lease.Until)
	switch {
	case v.event.Force, v.event.DeadToken != "":
		return true
	case !v.changedAt.Before(p.token.IssuedAt), !v.lostStateAt.IsZero() && !v.lostStateAt.Before(p.token.IssuedAt):
		return true
	case state.Published.IssuedAt.IsZero(), !state.Published.UncertainSince.IsZero():
		return true
	case state.Published.Fingerprint != fingerprint && state.Primary.TokenFingerprint != fingerprint && state.Alternate.TokenFingerprint != fingerprint:
		return true // its run left no record
	case v.leaseDeleted, v.stepped > time.Minute:
		return true
	}
	return lapsed
}

// answered notes what an answer brought.
func (v *invocation) answered(request rotator.TokenRequest, response rotator.TokenResponse, err error) {
	name := v.userOf2(request, response)
	v.mu.Lock()
	defer v.mu.Unlock()
	code := rotator.CodeOf(err)
	if code != "" {
		v.delivered[code]++
	}
	if request.GrantType == rotator.GrantTypePassword {
		user := request.Username.Reveal()
		switch code {
		case rotator.LoginRejected:
			v.refusedNow = user
			v.refusedLogins[user+" "+request.Password.Reveal()] = true
		case rotator.Throttled, rotator.ServerError, rotator.Unreachable, rotator.ClientRejected, "":
			if times := v.unknown[user]; len(times) > 0 && !v.event.Force {
				v.unknown[user] = times[:len(times)-1]
			}
			if code == "" {
				delete(v.unknown, user)
				delete(v.refused, user)
			}
		}
		return // another login can replace what it brought
	}
	if response.RefreshToken.Empty() || response.RefreshToken.Equal(request.RefreshToken) {
		return
	}
	v.spent[request.RefreshToken.Reveal()], v.successor[request.RefreshToken.Reveal()] = name, response.RefreshToken.Reveal()
	if v.changesRead != v.changes || name == "" {
		return
	}
	v.arrived[name] = response.RefreshToken.Reveal()
	v.lostAllowed[response.RefreshToken.Reveal()] = false
	v.delivering = append(v.delivering, response.RefreshToken.Reveal())
}

// userOf2 is the user whose tokens an answer brought.
func (f *fixture) userOf2(request rotator.TokenRequest, response rotator.TokenResponse) string {
	request.RefreshToken = response.RefreshToken
	return f.userOf(request)
}

// couldKeep reports whether an invocation could have kept a refresh token.
func (v *invocation) couldKeep() bool {
	return !v.dead.Load() && (!v.failed["Saver.Save"] || !v.failed["Pending.PutPending"])
}

// usable reports whether the server accepts a credential set.
func (f *fixture) usable(set rotator.CredentialSet) bool {
	refreshToken := set.RefreshToken.Reveal()
	for _, t := range f.pendingTokens() {
		if t.Replaces == set.RefreshToken.Fingerprint() {
			refreshToken = t.RefreshToken
		}
	}
	switch {
	case set.Err != nil:
		return false
	case refreshToken != "" && f.h.Reltio.RefreshTokenAlive(refreshToken):
		return true
	case set.CanLogIn():
		name := set.Username.Reveal()
		return set.Password.Reveal() == passwordOf(name) && !(name == user && f.passwordChanged)
	}
	return refreshToken == ""
}

type pendingToken struct {
	Replaces     string `json:"replaces"`
	RefreshToken string `json:"refresh_token"`
}

func (f *fixture) pendingTokens() []pendingToken {
	text, _, _ := f.h.AWS.Parameter(harness.ParameterName(connection, "pending"))
	var fields struct {
		Tokens []pendingToken `json:"tokens"`
	}
	decode(text, &fields)
	return fields.Tokens
}

// current returns the current credentials.
func (f *fixture) current() rotator.Credentials {
	for id, version := range f.h.AWS.SecretVersions(harness.SecretName(connection, "credentials")) {
		if slices.Contains(version.Labels, "AWSCURRENT") {
			c, _ := rotator.ParseCredentials(rotator.SecretVersion{ID: id, Document: secret.New(version.Value), CreatedAt: version.CreatedAt})
			return c
		}
	}
	return rotator.Credentials{}
}

// kept reports whether a refresh token is in the secret or pending; anywhere: in
// any version of the secret.
func (f *fixture) kept(refreshToken string, anywhere bool) bool {
	for _, t := range f.pendingTokens() {
		if t.RefreshToken == refreshToken {
			return true
		}
	}
	for _, version := range f.h.AWS.SecretVersions(harness.SecretName(connection, "credentials")) {
		if (anywhere || slices.Contains(version.Labels, "AWSCURRENT")) && strings.Contains(version.Value, `"`+refreshToken+`"`) {
			return true
		}
	}
	return false
}
