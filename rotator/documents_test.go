package rotator

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator/secret"
)

var settings = Settings{
	TokenURL: "https://auth.reltio.com/oauth/token", TokenHosts: []string{"reltio.com", "127.0.0.1"},
	RefreshBefore: 10 * minute, Heartbeat: minute,
}

func TestParseConfig(t *testing.T) {
	standard := Config{TokenURL: settings.TokenURL, RefreshBefore: 10 * minute, Enabled: true, RefreshEndsToken: true}
	for _, c := range []struct {
		document string
		want     Config
		mistake  string // a part of the message; empty: none
	}{
		{`{}`, standard, ""},
		{`{"enabled":false}`, Config{settings.TokenURL, 10 * minute, "", false, true}, ""},
		{
			`{"token_url":"https://auth-stg.reltio.com/oauth/token","refresh_before_seconds":300,"scope":"a b"}`,
			Config{"https://auth-stg.reltio.com/oauth/token", 5 * minute, "a b", true, true},
			"",
		},
		{`{"token_url":"http://127.0.0.1:8080/oauth/token"}`, Config{"http://127.0.0.1:8080/oauth/token", 10 * minute, "", true, true}, ""},
		{``, standard, "not a JSON object"},
		{`null`, standard, "not a JSON object"},
		{`[]`, standard, "not a JSON object"},
		{`{"tokenUrl":"x"}`, standard, `"tokenUrl" is unknown`},
		{`{"Enabled":true}`, standard, `"Enabled" is unknown`},
		{`{"enabled":"true"}`, standard, "enabled must be true or false"},
		{`{"enabled":null}`, standard, "enabled must be true or false"},
		{`{"refresh_ends_token":false}`, Config{settings.TokenURL, 10 * minute, "", true, false}, ""},
		{`{"refresh_ends_token":"no"}`, standard, "refresh_ends_token must be true or false"},
		{`{"scope":["a"]}`, standard, "scope must be a string"},
		{`{"refresh_before_seconds":"600"}`, standard, "refresh_before_seconds must be a whole number"},
		{`{"refresh_before_seconds":600.5}`, standard, "refresh_before_seconds must be a whole number"},
		{`{"refresh_before_seconds":119}`, standard, "less than two heartbeats"},
		{`{"refresh_before_seconds":-9000000000000000000}`, standard, "less than two heartbeats"},
		{`{"refresh_before_seconds":9000000000000000000}`, standard, "longer than a token"},
		{`{"token_url":"http://auth.reltio.com/oauth/token"}`, standard, "use https"},
		{`{"token_url":"http://127.0.0.2/"}`, standard, "not within TOKEN_HOSTS"},
		{`{"token_url":"https://evilreltio.com/"}`, standard, "not within TOKEN_HOSTS"},
		{`{"token_url":"https://reltio.com.evil.org/"}`, standard, "not within TOKEN_HOSTS"},
		{`{"token_url":"https://user:canary@reltio.com/"}`, standard, "user information"},
		{`{"token_url":"https://reltio.com/oauth/token?grant_type=client_credentials"}`, standard, "query or a fragment"},
		{`{"token_url":"https://reltio.com/oauth/token#"}`, standard, "query or a fragment"},
		{`{"token_url":"://"}`, standard, "is not a URL"},
		{`{"token_url":5}`, standard, "token_url must be a string"},
	} {
		got, err := parseConfig(c.document, settings)
		if c.mistake == "" {
			if err != nil || got != c.want {
				t.Errorf("%s: %+v, %v", c.document, got, err)
			}
			continue
		}
		if CodeOf(err) != ConfigInvalid || !strings.Contains(err.Error(), c.mistake) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want it to say %q", c.document, err, c.mistake)
		}
	}
}

func TestMistakesAreNamedAllAtOnce(t *testing.T) {
	wrong := Settings{TokenURL: "http://auth.reltio.com/", TokenHosts: []string{"RELTIO.com", ""}, RefreshBefore: 90 * time.Second, Heartbeat: minute}
	var variables []string
	for _, m := range wrong.Mistakes() {
		variables = append(variables, m.Variable)
	}
	if got := strings.Join(variables, " "); got != "TOKEN_HOSTS TOKEN_HOSTS TOKEN_URL REFRESH_BEFORE" {
		t.Errorf("named: %s", got)
	}
	if len(settings.Mistakes()) > 0 {
		t.Errorf("good settings are refused: %v", settings.Mistakes())
	}
}

func TestParseCredentials(t *testing.T) {
	const client = `"client_id":"i","client_secret":"s"`
	for _, c := range []struct{ document, mistake string }{
		{`{` + client + `}`, ""},
		{`{` + client + `,"refresh_token":"r","note":{"of":"mine"}}`, ""},
		{`{` + client + `,"username":"u","password":"p"}`, ""},
		{`{` + client + `,"username":"","password":""}`, ""},
		{`{` + client + `,"password":"\ud83d\ude00","username":"u"}`, ""},
		{`{` + client + `,"refresh_token":null}`, "refresh_token must be a string; leave it out"},
		{``, "not a JSON object"},
		{`"canary"`, "not a JSON object"},
		{`null`, "not a JSON object"},
		{"\ufeff{" + client + "}", "byte order mark"},
		{`{` + client + `,"password":"p` + "\xe4" + `","username":"u"}`, "not valid UTF-8"},
		{`{` + client + `,"password":"p\ud800","username":"u"}`, "half of a surrogate pair"},
		{`{` + client + `,"password":"\\\udc00","username":"u"}`, "half of a surrogate pair"},
		{`{` + client + `,"password":"\\\\ud800","username":"u"}`, ""}, // a backslash and the text ud800
		{`{"client_secret":"canary"}`, "client_id is missing or empty"},
		{`{"client_id":"i","Client_Secret":"canary"}`, "client_secret is missing or empty"},
		{`{"client_id":"i","client_secret":""}`, "client_secret is missing or empty"},
		{`{"client_id":"a:b","client_secret":"canary"}`, "client_id holds a colon"},
		{`{` + client + `,"refresh_token":12345}`, "refresh_token must be a string"},
		{`{` + client + `,"username":"u"}`, "password is missing"},
		{`{` + client + `,"password":"canary"}`, "username is missing"},

		{`{` + client + `,"username":"u","password":"p","alternate":{` + client + `,"username":"v","password":"q"}}`, ""},
		{`{` + client + `,"refresh_token":"r","alternate":{` + client + `,"refresh_token":"q"}}`, ""},
		{`{` + client + `,"refresh_token":"r","alternate":{}}`, ""},
		{`{` + client + `,"alternate":null}`, "alternate must be an object"},
		{`{` + client + `,"alternate":["canary"]}`, "alternate must be an object"},
		{`{` + client + `,"alternate":{"client_id":"i"}}`, "field alternate.client_secret is missing"},
		{`{` + client + `,"alternate":{` + client + `,"username":"canary"}}`, "field alternate.username is there but password is missing"},
		{`{` + client + `,"refresh_token":"r","alternate":{"client_id":"j","client_secret":"s","refresh_token":"r"}}`, "the same login"},
		{`{` + client + `,"username":"u","password":"p","alternate":{` + client + `,"username":"u","password":"q"}}`, "the same login"},
		{`{` + client + `,"alternate":{"client_id":"i","client_secret":"t"}}`, "the same login"},
		{`{` + client + `,"alternate":{"client_id":"j","client_secret":"t"}}`, ""},
	} {
		_, err := CheckCredentials(secret.New(c.document))
		switch {
		case c.mistake == "" && err != nil:
			t.Errorf("%s: %v", c.document, err)
		case c.mistake != "" && (CodeOf(err) != CredentialsUnread || !strings.Contains(err.Error(), c.mistake) || strings.Contains(err.Error(), "canary")):
			t.Errorf("%s: %v, want it to say %q", c.document, err, c.mistake)
		}
	}
}

// What is wrong inside one set does not stop the other one.
func TestAWrongCredentialSetLeavesTheOther(t *testing.T) {
	c, err := ParseCredentials(SecretVersion{Document: secret.New(`{"client_id":"i","alternate":{"client_id":"j","client_secret":"s"}}`)})
	if err != nil || c.Primary.Err == nil || c.Alternate.Err != nil || !c.Two() || c.Broken() != nil {
		t.Errorf("%v, primary %v, alternate %v", err, c.Primary.Err, c.Alternate.Err)
	}
}

func TestUnknownFieldsOfTheCredentialsSurvive(t *testing.T) {
	document := `{"client_id":"i","client_secret":"s <&> +/=","refresh_token":"old","Refresh_Token":"theirs","number":12345678901234567890,"nested":{"a":[1,null]}}`
	c, err := ParseCredentials(SecretVersion{Document: secret.New(document)})
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]json.RawMessage
	_ = json.Unmarshal([]byte(c.with(map[SetName]secret.Value{Primary: secret.New(`n"ew`)}).document.Reveal()), &got)
	_ = json.Unmarshal([]byte(document), &want)
	want["refresh_token"] = json.RawMessage(`"n\"ew"`)
	for name := range want {
		var a, b string
		if json.Unmarshal(got[name], &a); json.Unmarshal(want[name], &b) == nil && a == b {
			continue // strings may be escaped otherwise
		}
		if string(got[name]) != string(want[name]) {
			t.Errorf("%s is %s, want %s", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d fields, want %d", len(got), len(want))
	}
}

func TestParseState(t *testing.T) {
	at := func(d time.Duration) string { return `"` + noon.Add(d).Format(time.RFC3339) + `"` }
	published := func(issued, valid, expires time.Duration) string {
		return `"published":{"set":"primary","issued_at":` + at(issued) + `,"valid_until":` + at(valid) + `,"expires_at":` + at(expires) + `}`
	}
	const login = `"primary":{"version":"v1","login":{"version":"v1","outcome":"refused"}}`
	for _, c := range []struct {
		name, document string
		known, login   bool
	}{
		{"a good state", `{` + published(-10*minute, 40*minute, 50*minute) + `,` + login + `}`, true, true},
		{"none", `{}`, false, false},
		{"empty", ``, false, false},
		{"null", `null`, false, false},
		{"not JSON", `{"published":`, false, false},
		{"a wrong type in one part", `{"published":{"issued_at":5},` + login + `}`, false, true},
		{"a wrong type in another", `{` + published(-10*minute, 40*minute, 50*minute) + `,"primary":5}`, true, false},
		{"no expiry", `{"published":{"issued_at":` + at(0) + `}}`, false, false},
		{"issued in the future", `{` + published(5*minute, 60*minute, 65*minute) + `,` + login + `}`, false, true},
		{"issued a clock's step ahead", `{` + published(30*time.Second, 50*minute, 60*minute) + `}`, true, false},
		{"a lifetime over a day", `{` + published(0, 50*minute, 25*60*minute) + `}`, false, false},
		{"valid for longer than it lives", `{` + published(-10*minute, 51*minute, 50*minute) + `}`, false, false},
		{"valid until before it was issued", `{` + published(-10*minute, -11*minute, 50*minute) + `}`, false, false},
		{"unknown fields", `{` + published(-10*minute, 40*minute, 50*minute) + `,"colour":1}`, true, false},
	} {
		s := parseState(c.document, noon)
		if s.Published.known() != c.known || (s.Primary.Login.Outcome == LoginRefused) != c.login {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
	if s := parseState(`{"not_before":`+at(66*minute)+`,"primary":{"not_before":`+at(66*minute)+`,"error":"bad_response"}}`, noon); !s.NotBefore.IsZero() || !s.Primary.NotBefore.IsZero() || s.Primary.Error != BadResponse {
		t.Errorf("a backoff of over an hour is believed: %+v", s)
	}
	if s := parseState(`{"primary":{"refresh_token_since":`+at(minute)+`,"replaced":["canary","0123456789abcdef"]}}`, noon); s.Primary.RefreshTokenSince.After(noon) || len(s.Primary.Replaced) != 1 {
		t.Errorf("believed: %+v", s.Primary)
	}
}

func fullState() State {
	part := SetState{
		Version: strings.Repeat("v", 64), Identity: "0123456789abcdef", RefreshTokenFingerprint: "fedcba9876543210", RefreshTokenSince: noon,
		Replaced:      slices.Repeat([]string{"0123456789abcdef"}, maxReplaced),
		TokenIssuedAt: noon, TokenExpiresAt: noon.Add(59 * minute), TokenFingerprint: "0123456789abcdef",
		GrantType: GrantTypeClientCredentials, CanLogIn: true, Error: RefreshTokenRejected, Failures: 6, FailingSince: noon,
		NotBefore: noon.Add(minute), AnswerLostAt: noon, Login: Login{Version: strings.Repeat("v", 64), Outcome: LoginRefused, At: noon, Tries: 6},
	}
	return State{
		Published: Published{
			Set: Alternate, IssuedAt: noon, ExpiresAt: noon.Add(59 * minute), ValidUntil: noon.Add(57 * minute),
			Fingerprint: "0123456789abcdef", Unchanged: true, UncertainSince: noon, ReportedAt: slices.Repeat([]time.Time{noon}, maxReports),
		},
		Primary: part, Alternate: part, Error: CredentialsUnread, Failures: 6, NotBefore: noon.Add(minute),
		CredentialsVersion: strings.Repeat("v", 64), LeaseVersion: 1 << 60,
	}
}

func TestStateComesBackAndFitsInAParameter(t *testing.T) {
	s := fullState()
	if got := parseState(s.document(), noon.Add(minute)); got.document() != s.document() {
		t.Errorf("came back as %s\nwant %s", got.document(), s.document())
	}
	if size := len(s.document()); size > maxParameterBytes {
		t.Errorf("two sets at their worst take %d bytes", size)
	}
	s.Published.IssuedAt, s.Primary.NotBefore = noon.Add(900*time.Millisecond), noon.Add(900*time.Millisecond)
	if strings.Contains(s.document(), ".9") {
		t.Errorf("fractions of a second: %s", s.document())
	}
	if (State{}).document() != "{}" {
		t.Errorf("the zero state is %s", State{}.document())
	}
}

func TestARefreshTokenNeverLooksYounger(t *testing.T) {
	s := SetState{RefreshTokenFingerprint: "f", RefreshTokenSince: noon}
	for _, c := range []struct {
		name, fingerprint string
		seen, want        time.Time
	}{
		{"the same, in a secret written later", "f", noon.Add(time.Hour), noon},
		{"the same, in a secret written before", "f", noon.Add(-time.Hour), noon.Add(-time.Hour)},
		{"another", "g", noon.Add(time.Hour), noon.Add(time.Hour)},
		{"none", "", noon, time.Time{}},
	} {
		if got := s.Since(c.fingerprint, c.seen); !got.Equal(c.want) {
			t.Errorf("%s: since %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTokenDocument(t *testing.T) {
	token, err := newToken(TokenResponse{
		AccessToken: secret.New("a+/="), TokenType: "Bearer", Scope: "x y", ExpiresIn: 3599 * time.Second,
		SentAt: time.Date(2026, 11, 23, 10, 0, 0, 999_000_000, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"access_token":"a+/=","token_type":"Bearer","scope":"x y","expires_in":3599,"issued_at":"2026-11-23T10:00:00Z","expires_at":"2026-11-23T10:59:59Z","valid_until":"2026-11-23T10:59:59Z"}`
	if got := token.document().Reveal(); got != want {
		t.Errorf("the secret is\n%s\nwant\n%s", got, want)
	}
}

func TestAnUncertainTokenIsNotPublished(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer TokenResponse
	}{
		{"no lifetime", TokenResponse{AccessToken: secret.New("a"), SentAt: noon}},
		{"a negative one", TokenResponse{AccessToken: secret.New("a"), SentAt: noon, ExpiresIn: -time.Second}},
		{"too large for a secret", TokenResponse{AccessToken: secret.New(strings.Repeat("a", 65500)), SentAt: noon, ExpiresIn: time.Hour}},
	} {
		if _, err := newToken(c.answer); CodeOf(err) != BadResponse {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	long, err := newToken(TokenResponse{AccessToken: secret.New("a"), SentAt: noon, ExpiresIn: 1e9 * time.Second})
	if err != nil || !long.ExpiresAt.Equal(noon.Add(24*time.Hour)) {
		t.Errorf("a token of 31 years is believed until %v (%v)", long.ExpiresAt, err)
	}
}

func TestParsePending(t *testing.T) {
	p := PendingTokens{[]PendingToken{{Set: Alternate, Replaces: "0123456789abcdef", RefreshToken: secret.New("r"), SavedAt: noon.Add(time.Millisecond)}}}
	if got := p.document().Reveal(); got != `{"tokens":[{"set":"alternate","replaces":"0123456789abcdef","refresh_token":"r","saved_at":"2026-11-23T12:00:00Z"}]}` {
		t.Errorf("the pending refresh token is %s", got)
	}
	if back := parsePending(p.document()); len(back.Tokens) != 1 || !back.Tokens[0].RefreshToken.Equal(p.Tokens[0].RefreshToken) || back.Tokens[0].Set != Alternate {
		t.Error("a pending refresh token does not come back")
	}
	for _, document := range []string{
		"", "{}", "null", `{"tokens":5}`, `{"tokens":[{"set":"primary","replaces":"0123456789abcdef","refresh_token":""}]}`,
		`{"tokens":[{"set":"third","replaces":"0123456789abcdef","refresh_token":"r"}]}`, `{"tokens":[{"set":"primary","replaces":"r","refresh_token":"r"}]}`,
	} {
		if !parsePending(secret.New(document)).empty() {
			t.Errorf("%s is no pending refresh token", document)
		}
	}
	p.Tokens[0].RefreshToken = secret.New(strings.Repeat("r", 2000))
	if !p.fits() || p.fitTwice() {
		t.Error("one of 2,000 characters fits, two do not")
	}
	p.Tokens[0].RefreshToken = secret.New(strings.Repeat("r", 4096))
	if p.fits() {
		t.Error("a pending refresh token of over 4 KB fits")
	}
}

func TestConnectionsOfAListing(t *testing.T) {
	parameter := func(name string, kind Kind, value string, version int64) Parameter {
		return Parameter{name, kind, secret.New(value), version}
	}
	all := Connections([]Parameter{
		parameter("b", KindState, `{"failures":2}`, 9),
		parameter("b", KindConfig, `{}`, 1),
		parameter("b", KindLease, `{"run":"r","from":4,"until":"2026-11-23T12:00:00Z"}`, 5),
		parameter("orphan", KindState, `{}`, 1), // no config: no connection
		parameter("a", KindConfig, `{"scope":5}`, 1),
		parameter("Not_Allowed", KindConfig, `{}`, 1),
	}, settings, noon)
	if len(all) != 3 || all[0].Name != "Not_Allowed" || all[1].Name != "a" || all[2].Name != "b" {
		t.Fatalf("connections: %+v", all)
	}
	if CodeOf(all[0].ConfigError) != ConfigInvalid || CodeOf(all[1].ConfigError) != ConfigInvalid || all[2].ConfigError != nil {
		t.Errorf("config errors: %v, %v, %v", all[0].ConfigError, all[1].ConfigError, all[2].ConfigError)
	}
	if b := all[2]; b.State.Failures != 2 || b.Lease.From != 4 || b.LeaseVersion != 5 || !b.Pending.empty() {
		t.Errorf("b is %+v", b)
	}
}
