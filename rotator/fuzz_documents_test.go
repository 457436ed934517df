package rotator

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"reltio-token-rotator/rotator/secret"
)

// echo replaces "@" in the input of a fuzz target. No error may contain it, and no
// other text does.
const echo = "gXq7echo"

func withEcho(document string) string { return strings.ReplaceAll(document, "@", echo) }

func wantNoEcho(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), echo) {
		t.Errorf("what was read is repeated: %v", err)
	}
}

// object reads a JSON object independently of the code under test. Numbers stay as
// they are written.
func object(t *testing.T, document string) map[string]any {
	t.Helper()
	reader := json.NewDecoder(strings.NewReader(document))
	reader.UseNumber()
	var fields map[string]any
	if err := reader.Decode(&fields); err != nil {
		t.Fatalf("%q is no JSON object: %v", document, err)
	}
	return fields
}

// Whatever the credentials secret contains, either it can be used, and a new refresh
// token changes nothing else in it, or one sentence says what is wrong and shows no
// part of it.
func FuzzCredentials(f *testing.F) {
	for _, document := range []string{
		`{"client_id":"i","client_secret":"@"}`,
		`{"client_id":"i","client_secret":"@","refresh_token":"r","note":{"of":["mine",1.50,null]},"a<b>&c":"<>&"}`,
		`{"client_id":"i","client_secret":"@","username":"u","password":"p","Refresh_Token":"theirs"}`,
		`{"client_id":"i","client_secret":"@","refresh_token":"a","refresh_token":"b","n":1,"n":2}`,
		`{"client_id":"i","client_secret":"@","refresh_token":"\ud800","\ud800":12345678901234567890}`,
		`{"client_id":"a:b","client_secret":"@"}`, `{"client_id":["@"]}`, `{"client_id":"i","client_secret":"@","username":"@"}`,
		`{"client_id":"i","client_secret":"@","alternate":{"client_id":"j","client_secret":"@","refresh_token":"q","x":1.50}}`,
		`{"client_id":"i","client_secret":"@","alternate":{}}`, `{"client_id":"i","client_secret":"@","alternate":"@"}`,
		`{"client_id":"i","client_secret":"\ud83d\ude00","refresh_token":"\ud83d"}`,
		"\ufeff{\"client_id\":\"@\"}", `"@"`, `null`, ``, `{`, "{\"@\":\xff}",
	} {
		f.Add(document, "new+/=")
	}
	f.Add(`{"client_id":"i","client_secret":"s"}`, "\"\\<&>\u2028\x00")
	f.Fuzz(func(t *testing.T, document, refreshToken string) {
		document = withEcho(document)
		c, err := ParseCredentials(SecretVersion{ID: "v", Document: secret.New(document)})
		if err != nil {
			if CodeOf(err) != CredentialsUnread || !reflect.DeepEqual(c, Credentials{}) {
				t.Errorf("%v beside %+v", err, c)
			}
			wantNoEcho(t, err)
			return
		}
		for _, set := range c.Sets() {
			if set.Err != nil {
				wantNoEcho(t, set.Err)
				continue
			}
			if set.ClientID == "" || strings.Contains(set.ClientID, ":") || set.ClientSecret.Empty() || set.Username.Empty() != set.Password.Empty() {
				t.Fatalf("such credentials cannot be used: %q", document)
			}
		}
		if !utf8.ValidString(refreshToken) || refreshToken == "" {
			return // no response has such a one
		}
		for _, set := range c.Sets() {
			wantOnlyRefreshTokenChanged(t, c, set, document, refreshToken)
		}
	})
}

// wantOnlyRefreshTokenChanged writes a refresh token into a set and checks that
// nothing else in the document changes.
func wantOnlyRefreshTokenChanged(t *testing.T, c Credentials, set CredentialSet, document, refreshToken string) {
	t.Helper()
	if set.Err != nil {
		return // it is never asked for a token
	}
	changed := map[SetName]secret.Value{set.Name: secret.New(refreshToken)}
	written := c.with(changed)
	got, want := object(t, written.document.Reveal()), object(t, document)
	if set.Name == Primary {
		want["refresh_token"] = refreshToken
	} else {
		want["alternate"].(map[string]any)["refresh_token"] = refreshToken
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("written as %s", written.document.Reveal())
	}
	read, err := ParseCredentials(SecretVersion{ID: "v", Document: written.document})
	back := read.Of(set.Name)
	if set.RefreshToken = secret.New(refreshToken); err != nil || !back.equal(set) {
		t.Errorf("comes back otherwise (%v): %s", err, written.document.Reveal())
	}
	if again := read.with(changed); !again.document.Equal(written.document) {
		t.Errorf("written again it is %s", again.document.Reveal())
	}
}

// Whatever a config contains, either every field is known and within its limits, or
// the error names the mistake. No setting is silently ignored, and none sends
// credentials elsewhere.
func FuzzConfig(f *testing.F) {
	for _, document := range []string{
		`{}`, `{"enabled":false}`, `{"scope":"a b"}`, `{"refresh_before_seconds":300}`, `{"refresh_before_seconds":-9e18}`,
		`{"refresh_before_seconds":9000000000000000000}`, `{"refresh_before_seconds":600.0}`,
		`{"token_url":"https://auth-stg.reltio.com/oauth/token"}`, `{"token_url":"https://u:@@reltio.com/"}`,
		`{"token_url":"http://127.0.0.1/"}`, `{"token_url":"https://reltio.com.evil.org/"}`, `{"token_url":"https://reltio.com:@/"}`,
		`{"enabled":"@"}`, `{"@":1}`, `{"scope":["@"]}`, `{"enabled":true,"enabled":"@"}`, `{"Enabled":true}`, `["@"]`, `null`, ``, "\ufeff{}",
	} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		document = withEcho(document)
		config, err := parseConfig(document, settings)
		if err != nil {
			if CodeOf(err) != ConfigInvalid {
				t.Errorf("%v", err)
			}
			// The host of a token URL is shown, because the operator has to correct
			// it.
			if !strings.Contains(err.Error(), "token_url") {
				wantNoEcho(t, err)
			}
			return
		}
		if err := settings.checkTokenURL(config.TokenURL); err != nil {
			t.Errorf("credentials would go to %q: %v", config.TokenURL, err)
		}
		if config.RefreshBefore < 2*settings.Heartbeat || config.RefreshBefore > 24*time.Hour {
			t.Errorf("refresh_before is %v", config.RefreshBefore)
		}
		for name, value := range object(t, document) {
			var took any
			switch name {
			case "token_url":
				took = config.TokenURL
			case "scope":
				took = config.Scope
			case "enabled":
				took = config.Enabled
			case "refresh_before_seconds":
				took = config.RefreshBefore
				seconds, err := value.(json.Number).Int64()
				if err == nil {
					value = time.Duration(seconds) * time.Second
				}
			}
			if took != value {
				t.Errorf("%s is %v, the config says %v", name, took, value)
			}
		}
	})
}

// Whatever a state contains, it forbids a token request for an hour at most, no
// token looks valid for longer than a day, and it can be written again.
func FuzzState(f *testing.F) {
	at := func(d time.Duration) string { return `"` + noon.Add(d).Format(time.RFC3339) + `"` }
	for _, document := range []string{
		`{}`, `null`, ``, `[]`, `{"published":5}`, `{"failures":-1,"error":"bad_response"}`, `{"lease_version":9223372036854775807}`,
		`{"published":{"set":"primary","issued_at":` + at(-10*minute) + `,"expires_at":` + at(50*minute) + `,"valid_until":` + at(40*minute) + `},"primary":{"version":"v"}}`,
		`{"published":{"set":"alternate","issued_at":` + at(-10*minute) + `,"expires_at":` + at(50*minute) + `,"valid_until":` + at(48*minute) + `,"unchanged":true},"alternate":{"version":"v","error":"throttled"}}`,
		`{"published":{"issued_at":` + at(0) + `,"expires_at":` + at(24*time.Hour) + `,"valid_until":` + at(24*time.Hour) + `,"uncertain_since":` + at(minute) + `}}`,
		`{"published":{"issued_at":` + at(0) + `,"expires_at":` + at(-minute) + `}}`,
		`{"published":{"issued_at":` + at(0) + `,"expires_at":` + at(minute) + `,"valid_until":` + at(0) + `,"reported_at":[` + at(0) + `,` + at(minute) + `]}}`,
		`{"not_before":` + at(time.Hour) + `,"primary":{"error":"throttled"}}`, `{"primary":{"not_before":"9999-12-31T23:59:59Z","error":"client_rejected"}}`,
		`{"published":{"issued_at":"0000-01-01T00:00:00+23:59","expires_at":"0000-01-01T00:00:00+23:59"}}`,
		`{"not_before":"0000-01-01T00:00:00+23:59"}`, `{"primary":{"refresh_token_since":"0000-01-01T00:00:00+23:59"}}`,
		`{"primary":{"error":"login_rejected","version":"v1","login":{"version":"v1","outcome":"refused","tries":-5}}}`, `{"error":"@","primary":{"grant_type":"@"}}`,
		`{"alternate":{"version":"` + strings.Repeat("x", 4000) + `"}}`, `{"primary":{"replaced":[]}}`, `{"primary":{"replaced":["x"` + strings.Repeat(`,"0123456789abcdef"`, 200) + `]}}`,
	} {
		f.Add(document, 0)
		f.Add(document, -3600)
	}
	f.Fuzz(func(t *testing.T, document string, seconds int) {
		now := noon.Add(time.Duration(seconds%1_000_000_000) * time.Second)
		s := parseState(document, now)
		p := s.Published
		if p.known() && (p.IssuedAt.After(now.Add(clockStep)) || p.ExpiresAt.Sub(p.IssuedAt) > 24*time.Hour || p.ValidUntil.After(p.ExpiresAt)) {
			t.Errorf("believes %+v at %v", p, now)
		}
		c := Connection{Name: "default", Config: Config{RefreshBefore: settings.RefreshBefore, Enabled: true, RefreshEndsToken: true}, State: s}
		later := now.Add(25 * time.Hour)
		held := s.Primary.backedOff(later) && (s.Alternate.Version == "" || s.Alternate.backedOff(later))
		if d := c.decide(later, Event{}, minute, nil); d.outcome != "" && !held {
			t.Errorf("a day later it is %v with %s", d, s.document())
		}
		for _, part := range []SetState{s.Primary, s.Alternate} {
			if wait := part.NotBefore.Sub(now); wait > time.Hour+5*clockStep {
				t.Errorf("backs off for %v", wait)
			}
			failed := part.failed(now, now, &Error{Code: BadResponse})
			if failed.Failures < 1 || failed.Failures > maxFailures || failed.NotBefore.Sub(now) > 30*minute {
				t.Errorf("after a failure: %+v", failed)
			}
		}
		written := s.document()
		if object(t, written); len(written) > maxParameterBytes {
			t.Errorf("%d bytes do not fit in a parameter", len(written))
		}
		if back := parseState(written, now).document(); back != written {
			t.Errorf("written as %s, and then as %s", written, back)
		}
	})
}

// Whatever a lease contains, other runs wait for it for 15 minutes at most, and they
// see a run's lease until its record.
func FuzzLease(f *testing.F) {
	at := func(d time.Duration) string { return noon.Add(d).Format(time.RFC3339) }
	for _, document := range []string{
		`{}`, `null`, ``, `{"run":"r"}`, `{"run":"r","from":4,"until":"` + at(minute) + `"}`, `{"run":"r","from":4,"until":"` + at(-minute) + `"}`,
		`{"run":"r","from":9223372036854775807,"until":"` + at(15*minute) + `"}`, `{"run":"r","from":-1,"until":"` + at(16*minute) + `"}`,
		`{"run":"","from":4,"until":"` + at(minute) + `"}`, `{"run":"r","from":"4","until":"` + at(minute) + `"}`,
		`{"run":"r","from":4,"until":"9999-12-31T23:59:59Z"}`, `{"run":"r","from":4,"until":"0000-01-01T00:00:00+23:59"}`,
	} {
		f.Add(document, int64(5), int64(0))
		f.Add(document, int64(5), int64(5))
		f.Add(document, int64(1), int64(99))
	}
	f.Fuzz(func(t *testing.T, document string, version, recorded int64) {
		c := Connection{
			Name: "default", Config: Config{RefreshBefore: settings.RefreshBefore, Enabled: true},
			Lease: parseLease(document), LeaseVersion: version, State: State{LeaseVersion: recorded},
		}
		if c.LeaseHeld(noon) && (c.Lease.Run == "" || c.Lease.Until.Sub(noon) > maxLease) {
			t.Errorf("held by %+v", c.Lease)
		}
		if c.LeaseHeld(noon) && c.leaseExpired(noon) {
			t.Error("both held and expired")
		}
		// The lease is seen at noon and again 15 minutes later.
		if c.LeaseHeld(noon) && c.LeaseHeld(noon.Add(maxLease)) {
			t.Errorf("held for longer than %v: %+v", maxLease, c.Lease)
		}
		if d := c.decide(noon, Event{}, minute, nil); (d.outcome == Busy) != c.LeaseHeld(noon) || d.outcome != Busy && d.outcome != "" {
			t.Errorf("decided %+v", d)
		}
		if version < 0 || version > 1<<60 {
			return // Parameter Store counts from 1
		}
		own := Lease{Run: "request/RANDOM", From: version, Until: noon.Add(attemptTimeout), Set: Alternate, CredentialsVersion: "v", Save: newVersionID()}
		if back := parseLease(own.document()); back != own {
			t.Errorf("comes back as %+v", back)
		}
		c.Lease, c.LeaseVersion = own, version+1
		c.State.LeaseVersion = min(recorded, version)
		if !c.LeaseHeld(noon) || c.LeaseHeld(own.Until) || !c.leaseExpired(own.Until) {
			t.Error("a run's own lease is not seen")
		}
		if c.State.LeaseVersion = version + 1; c.LeaseHeld(noon) || c.leaseExpired(own.Until) {
			t.Error("a lease outlives its record")
		}
	})
}

// Whatever the pending parameter contains, each entry that is read has a refresh
// token and what it replaces, and an entry that the rotator writes is read
// unchanged.
func FuzzPending(f *testing.F) {
	const entry = `{"set":"primary","replaces":"0123456789abcdef","refresh_token":"r","saved_at":"2026-11-23T12:00:00Z"}`
	for _, document := range []string{
		`{"tokens":[` + entry + `]}`, `{"tokens":[` + entry + `,` + strings.Replace(entry, "primary", "alternate", 1) + `]}`,
		`{"tokens":[{"refresh_token":""}]}`, `{"tokens":[5]}`, `{"tokens":[` + strings.Replace(entry, "2026", "0000", 1) + `]}`,
		`{"tokens":[` + strings.Replace(entry, `"r"`, `"\ud800<&>"`, 1) + `]}`, `{}`, `null`, ``, "\xff",
		`{"tokens":[` + strings.Replace(entry, `"r"`, `"`+strings.Repeat("r", 4000)+`"`, 1) + `]}`,
	} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		p := parsePending(secret.New(document))
		for i, token := range p.Tokens {
			if token.RefreshToken.Empty() || !isFingerprint(token.Replaces) {
				t.Fatalf("a pending refresh token without a refresh token: %q", document)
			}
			p.Tokens[i].SavedAt = noon // a run's own clock
		}
		written := p.document()
		if back := parsePending(written); !back.document().Equal(written) || len(back.Tokens) != len(p.Tokens) {
			t.Errorf("comes back otherwise: %s", written.Reveal())
		}
		if p.fits() != (len(written.Reveal()) <= 4096) {
			t.Errorf("%d bytes fit: %v", len(written.Reveal()), p.fits())
		}
	})
}
