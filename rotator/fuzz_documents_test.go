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

// echo stands for "@" in what a fuzz target reads, and must not come out again
// in an error: no real text holds it.
const echo = "gXq7echo"

func withEcho(document string) string { return strings.ReplaceAll(document, "@", echo) }

func wantNoEcho(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), echo) {
		t.Errorf("what was read is repeated: %v", err)
	}
}

// object reads a JSON object as an independent reader does; numbers stay as they
// are written.
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

// Whatever stands in the credentials secret: either it can be used, and a new
// refresh token changes nothing else in it, or one sentence says what is wrong
// and shows nothing of it.
func FuzzCredentials(f *testing.F) {
	for _, document := range []string{
		`{"client_id":"i","client_secret":"@"}`,
		`{"client_id":"i","client_secret":"@","refresh_token":"r","note":{"of":["mine",1.50,null]},"a<b>&c":"<>&"}`,
		`{"client_id":"i","client_secret":"@","username":"u","password":"p","Refresh_Token":"theirs"}`,
		`{"client_id":"i","client_secret":"@","refresh_token":"a","refresh_token":"b","n":1,"n":2}`,
		`{"client_id":"i","client_secret":"@","refresh_token":"\ud800","\ud800":12345678901234567890}`,
		`{"client_id":"a:b","client_secret":"@"}`, `{"client_id":["@"]}`, `{"client_id":"i","client_secret":"@","username":"@"}`,
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
		if c.ClientID == "" || strings.Contains(c.ClientID, ":") || c.ClientSecret.Empty() || c.Username.Empty() != c.Password.Empty() {
			t.Fatalf("such credentials cannot be used: %q", document)
		}
		if !utf8.ValidString(refreshToken) || refreshToken == "" {
			return // no reply has such a one
		}
		written := c.withRefreshToken(secret.New(refreshToken))
		got, want := object(t, written.Reveal()), object(t, document)
		want["refresh_token"] = refreshToken
		if !reflect.DeepEqual(got, want) {
			t.Errorf("written as %s", written.Reveal())
		}
		back, err := ParseCredentials(SecretVersion{ID: "v", Document: written})
		if err != nil || back.RefreshToken.Reveal() != refreshToken || back.ClientID != c.ClientID ||
			!back.ClientSecret.Equal(c.ClientSecret) || !back.Username.Equal(c.Username) || !back.Password.Equal(c.Password) {
			t.Errorf("comes back otherwise (%v): %s", err, written.Reveal())
		}
		if again := back.withRefreshToken(secret.New(refreshToken)); !again.Equal(written) {
			t.Errorf("written again it is %s", again.Reveal())
		}
	})
}

// Whatever stands in a config: either every field of it is known and within its
// limits, or the mistake is named; never a setting that silently does nothing,
// nor one that sends credentials elsewhere.
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
			// The host of a token URL is shown, since that is what to correct.
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

// Whatever stands in a state: it holds a connection back for an hour at the
// most, it lets no token look alive for longer than a day, and it can be written
// again.
func FuzzState(f *testing.F) {
	at := func(d time.Duration) string { return noon.Add(d).Format(time.RFC3339) }
	for _, document := range []string{
		`{}`, `null`, ``, `[]`, `{"expires_at":5}`, `{"failures":-1,"error":"bad_response"}`, `{"lease_version":9223372036854775807}`,
		`{"expires_at":"` + at(50*minute) + `","refreshed_at":"` + at(-10*minute) + `","grant_type":"password","login_attempted":"v1"}`,
		`{"expires_at":"` + at(50*minute) + `","refreshed_at":"` + at(-10*minute) + `","unchanged":true}`,
		`{"expires_at":"` + at(24*time.Hour) + `","refreshed_at":"` + at(0) + `","unchanged":true}`,
		`{"expires_at":"` + at(-minute) + `","refreshed_at":"` + at(0) + `"}`,
		`{"not_before":"` + at(time.Hour) + `","error":"throttled"}`, `{"not_before":"9999-12-31T23:59:59Z","error":"client_rejected"}`,
		`{"refreshed_at":"0000-01-01T00:00:00+23:59","expires_at":"0000-01-01T00:00:00+23:59"}`,
		`{"not_before":"0000-01-01T00:00:00+23:59"}`, `{"refresh_token_since":"0000-01-01T00:00:00+23:59"}`,
		`{"error":"login_rejected","credentials_version":"v1"}`, `{"error":"@","grant_type":"@"}`,
		`{"login_attempted":"` + strings.Repeat("x", 4000) + `"}`, `{"EXPIRES_AT":"` + at(0) + `","expires_at":"` + at(minute) + `"}`,
	} {
		f.Add(document, 0)
		f.Add(document, -3600)
	}
	f.Fuzz(func(t *testing.T, document string, seconds int) {
		now := noon.Add(time.Duration(seconds%1_000_000_000) * time.Second)
		s := parseState(document, now)
		if hold := s.NotBefore.Sub(now); hold > time.Hour+clockStep {
			t.Errorf("holds back for %v", hold)
		}
		if s.known() && (s.RefreshedAt.After(now.Add(clockStep)) || s.ExpiresAt.Sub(s.RefreshedAt) > 24*time.Hour) {
			t.Errorf("believes %v to %v at %v", s.RefreshedAt, s.ExpiresAt, now)
		}
		c := Connection{Name: "default", Config: Config{RefreshBefore: settings.RefreshBefore, Enabled: true}, State: s}
		if d := c.decide(now, Event{}, minute); d.outcome == BackingOff && !now.Before(s.NotBefore) && s.Error != LoginRejected {
			t.Errorf("held back by nothing: %+v", s)
		}
		later := now.Add(24*time.Hour + time.Hour)
		if d := c.decide(later, Event{}, minute); d.outcome != "" && s.Error != LoginRejected {
			t.Errorf("a day later it is %+v", d)
		}
		if failed := s.failed(now, now, &Error{Code: BadResponse}); failed.Failures < 1 || failed.Failures > maxFailures || failed.NotBefore.Sub(now) > 16*minute {
			t.Errorf("after a failure: %+v", failed)
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

// Whatever stands in a lease: it holds other runs back for 15 minutes at the
// most, and a run's own lease is seen until its record.
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
		if c.leased(noon) && (c.Lease.Run == "" || c.Lease.Until.Sub(noon) > maxLease) {
			t.Errorf("held by %+v", c.Lease)
		}
		if c.leased(noon) && c.leaseExpired(noon) {
			t.Error("both held and abandoned")
		}
		// Seen at noon and still there 15 minutes later.
		if c.leased(noon) && c.leased(noon.Add(maxLease)) {
			t.Errorf("held for longer than %v: %+v", maxLease, c.Lease)
		}
		if d := c.decide(noon, Event{}, minute); (d.outcome == Busy) != c.leased(noon) || d.outcome != Busy && d.outcome != "" {
			t.Errorf("decided %+v", d)
		}
		if version < 0 || version > 1<<60 {
			return // Parameter Store counts from 1
		}
		own := Lease{Run: "request/RANDOM", From: version, Until: noon.Add(attemptTimeout)}
		if back := parseLease(own.document()); back != own {
			t.Errorf("comes back as %+v", back)
		}
		c.Lease, c.LeaseVersion = own, version+1
		c.State.LeaseVersion = min(recorded, version)
		if !c.leased(noon) || c.leased(own.Until) || !c.leaseExpired(own.Until) {
			t.Error("a run's own lease is not seen")
		}
		if c.State.LeaseVersion = version + 1; c.leased(noon) || c.leaseExpired(own.Until) {
			t.Error("a lease outlives its record")
		}
	})
}

// Whatever stands in a pending refresh token: it holds a refresh token or it is none, and one
// that the rotator writes comes back as it was.
func FuzzPending(f *testing.F) {
	for _, document := range []string{
		`{"refresh_token":"r","rotated_from":"v1","saved_at":"2026-11-23T12:00:00Z"}`, `{"refresh_token":""}`, `{"refresh_token":5}`,
		`{"refresh_token":"r","saved_at":"0000-01-01T00:00:00+23:59"}`, `{"refresh_token":"\ud800<&>"}`, `{}`, `null`, ``, "\xff",
		`{"refresh_token":"` + strings.Repeat("r", 4000) + `"}`,
	} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		e := parsePending(secret.New(document))
		if e == nil {
			return
		}
		if e.RefreshToken.Empty() {
			t.Fatalf("a pending refresh token without a refresh token: %q", document)
		}
		e.SavedAt = noon // a run's own clock
		written := e.document()
		back := parsePending(written)
		if back == nil || !back.RefreshToken.Equal(e.RefreshToken) || back.RotatedFrom != e.RotatedFrom || !back.SavedAt.Equal(noon) {
			t.Errorf("comes back otherwise: %s", written.Reveal())
		}
		if e.fits() != (len(written.Reveal()) <= 4096) {
			t.Errorf("%d bytes fit: %v", len(written.Reveal()), e.fits())
		}
	})
}
