package rotator

import (
	"encoding/json"
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
	standard := Config{TokenURL: settings.TokenURL, RefreshBefore: 10 * minute, Enabled: true}
	for _, c := range []struct {
		document string
		want     Config
		mistake  string // a part of the message; empty: none
	}{
		{`{}`, standard, ""},
		{`{"enabled":false}`, Config{settings.TokenURL, 10 * minute, "", false}, ""},
		{
			`{"token_url":"https://auth-stg.reltio.com/oauth/token","refresh_before_seconds":300,"scope":"a b"}`,
			Config{"https://auth-stg.reltio.com/oauth/token", 5 * minute, "a b", true},
			"",
		},
		{`{"token_url":"http://127.0.0.1:8080/oauth/token"}`, Config{"http://127.0.0.1:8080/oauth/token", 10 * minute, "", true}, ""},
		{``, standard, "not a JSON object"},
		{`null`, standard, "not a JSON object"},
		{`[]`, standard, "not a JSON object"},
		{`{"tokenUrl":"x"}`, standard, `"tokenUrl" is unknown`},
		{`{"Enabled":true}`, standard, `"Enabled" is unknown`},
		{`{"enabled":"true"}`, standard, "enabled must be true or false"},
		{`{"enabled":null}`, standard, "enabled must be true or false"},
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
		{`{` + client + `,"refresh_token":null}`, ""},
		{``, "not a JSON object"},
		{`"canary"`, "not a JSON object"},
		{`null`, "not a JSON object"},
		{"\ufeff{" + client + "}", "byte order mark"},
		{`{"client_secret":"canary"}`, "client_id is missing or empty"},
		{`{"client_id":"i","Client_Secret":"canary"}`, "client_secret is missing or empty"},
		{`{"client_id":"i","client_secret":""}`, "client_secret is missing or empty"},
		{`{"client_id":"a:b","client_secret":"canary"}`, "client_id holds a colon"},
		{`{` + client + `,"refresh_token":12345}`, "refresh_token must be a string"},
		{`{` + client + `,"username":"u"}`, "password is missing"},
		{`{` + client + `,"password":"canary"}`, "username is missing"},
	} {
		_, err := ParseCredentials(SecretVersion{Document: secret.New(c.document)})
		switch {
		case c.mistake == "" && err != nil:
			t.Errorf("%s: %v", c.document, err)
		case c.mistake != "" && (CodeOf(err) != CredentialsUnread || !strings.Contains(err.Error(), c.mistake) || strings.Contains(err.Error(), "canary")):
			t.Errorf("%s: %v, want it to say %q", c.document, err, c.mistake)
		}
	}
}

func TestUnknownFieldsOfTheCredentialsSurvive(t *testing.T) {
	document := `{"client_id":"i","client_secret":"s <&> +/=","refresh_token":"old","Refresh_Token":"theirs","number":12345678901234567890,"nested":{"a":[1,null]}}`
	c, err := ParseCredentials(SecretVersion{Document: secret.New(document)})
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]json.RawMessage
	_ = json.Unmarshal([]byte(c.withRefreshToken(secret.New(`n"ew`)).Reveal()), &got)
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
	at := func(d time.Duration) string { return noon.Add(d).Format(time.RFC3339) }
	good := `{"expires_at":"` + at(50*minute) + `","refreshed_at":"` + at(-10*minute) + `","login_attempted":"v1"}`
	for _, c := range []struct {
		name, document string
		known          bool
		loginAttempted string
	}{
		{"a good state", good, true, "v1"},
		{"none", `{}`, false, ""},
		{"empty", ``, false, ""},
		{"null", `null`, false, ""},
		{"not JSON", `{"expires_at":`, false, ""},
		{"a wrong type", `{"expires_at":5,"login_attempted":"v1"}`, false, ""},
		{"no expiry", `{"refreshed_at":"` + at(0) + `"}`, false, ""},
		{"refreshed in the future", `{"expires_at":"` + at(90*minute) + `","refreshed_at":"` + at(5*minute) + `","login_attempted":"v1"}`, false, "v1"},
		{"refreshed a clock's step ahead", `{"expires_at":"` + at(60*minute) + `","refreshed_at":"` + at(30*time.Second) + `"}`, true, ""},
		{"a lifetime over a day", `{"expires_at":"` + at(25*60*minute) + `","refreshed_at":"` + at(0) + `","login_attempted":"v1"}`, false, "v1"},
		{"unknown fields", `{"expires_at":"` + at(50*minute) + `","refreshed_at":"` + at(0) + `","colour":1}`, true, ""},
	} {
		s := parseState(c.document, noon)
		if s.known() != c.known || s.LoginAttempted != c.loginAttempted {
			t.Errorf("%s: known %v, login_attempted %q", c.name, s.known(), s.LoginAttempted)
		}
	}
	if s := parseState(`{"not_before":"`+at(2*60*minute)+`"}`, noon); !s.NotBefore.IsZero() {
		t.Error("a hold of two hours is believed; none is longer than one")
	}
	if s := parseState(`{"refresh_token_since":"`+at(minute)+`"}`, noon); s.RefreshTokenSince.After(noon) {
		t.Error("a refresh token from the future is believed")
	}
}

func TestStateKeepsWholeSecondsAndComesBack(t *testing.T) {
	s := State{
		ExpiresAt: noon.Add(59*minute + 900*time.Millisecond), RefreshedAt: noon.Add(900 * time.Millisecond), Unchanged: true,
		NotBefore: noon.Add(minute), Failures: 2, Error: Throttled, GrantType: GrantTypePassword, CanLogIn: true, LoginAttempted: "v",
		TokenFingerprint: "0123456789abcdef", RefreshTokenFingerprint: "fedcba9876543210", RefreshTokenSince: noon,
		CredentialsVersion: "v", LeaseVersion: 3,
	}
	got := parseState(s.document(), noon.Add(minute))
	s.ExpiresAt, s.RefreshedAt = noon.Add(59*minute), noon
	if got != s {
		t.Errorf("came back as %+v\nwant %+v", got, s)
	}
	if strings.Contains(s.document(), ".9") {
		t.Errorf("fractions of a second: %s", s.document())
	}
	if (State{}).document() != "{}" {
		t.Errorf("the zero state is %s", State{}.document())
	}
}

func TestARefreshTokenNeverLooksYounger(t *testing.T) {
	s := State{RefreshTokenFingerprint: "f", RefreshTokenSince: noon}
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
	want := `{"access_token":"a+/=","token_type":"Bearer","scope":"x y","expires_in":3599,"issued_at":"2026-11-23T10:00:00Z","expires_at":"2026-11-23T10:59:59Z"}`
	if got := token.document().Reveal(); got != want {
		t.Errorf("the secret is\n%s\nwant\n%s", got, want)
	}
}

func TestDoubtIsNotPublished(t *testing.T) {
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
	e := PendingToken{RefreshToken: secret.New("r"), RotatedFrom: "v1", SavedAt: noon.Add(time.Millisecond)}
	if got := e.document().Reveal(); got != `{"refresh_token":"r","rotated_from":"v1","saved_at":"2026-11-23T12:00:00Z"}` {
		t.Errorf("the pending refresh token is %s", got)
	}
	if back := parsePending(e.document()); back == nil || !back.RefreshToken.Equal(e.RefreshToken) || back.RotatedFrom != "v1" {
		t.Error("a pending refresh token does not come back")
	}
	for _, document := range []string{"", "{}", "null", `{"refresh_token":5}`, `{"refresh_token":""}`} {
		if parsePending(secret.New(document)) != nil {
			t.Errorf("%s is no pending refresh token", document)
		}
	}
	e.RefreshToken = secret.New(strings.Repeat("r", 4096))
	if e.fits() {
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
	if b := all[2]; b.State.Failures != 2 || b.Lease.From != 4 || b.LeaseVersion != 5 || b.Pending != nil {
		t.Errorf("b is %+v", b)
	}
}
