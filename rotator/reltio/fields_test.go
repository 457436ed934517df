package reltio

import (
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
)

// Every response with a token that Reltio's pages and its server's library show,
// over a real connection.
func TestTokens(t *testing.T) {
	type answer struct {
		access, tokenType, scope string
		expiresIn                time.Duration
		refresh                  string
	}
	const (
		refresh     = rotator.GrantTypeRefreshToken
		login       = rotator.GrantTypePassword
		credentials = rotator.GrantTypeClientCredentials
	)
	tests := []struct {
		name      string
		grantType rotator.GrantType
		body      string
		want      answer
	}{
		{
			"login", login,
			`{"access_token":"a1","token_type":"bearer","refresh_token":"r1","expires_in":3598,"scope":"a b"}`,
			answer{"a1", "bearer", "a b", 3598 * time.Second, "r1"},
		},
		{
			"the published token, in its last second", login,
			`{"access_token":"a1","token_type":"bearer","refresh_token":"r1","expires_in":0,"scope":"a b"}`,
			answer{"a1", "bearer", "a b", 0, "r1"},
		},
		{
			"refresh, the refresh token stays", refresh,
			`{"access_token":"a2","token_type":"bearer","refresh_token":"refresh+tok/en==","expires_in":3599,"scope":"a b"}`,
			answer{"a2", "bearer", "a b", 3599 * time.Second, "refresh+tok/en=="},
		},
		{
			"refresh, the refresh token changes", refresh,
			`{"access_token":"a2","token_type":"bearer","refresh_token":"r2","expires_in":3599}`,
			answer{"a2", "bearer", "", 3599 * time.Second, "r2"},
		},
		{
			"client credentials, no refresh token", credentials,
			`{"access_token":"a1","token_type":"bearer","expires_in":1200,"scope":"a"}`,
			answer{"a1", "bearer", "a", 1200 * time.Second, ""},
		},
		{
			"other pages of Reltio's: Bearer, expires_in as a string, scope as a list", login,
			`{"access_token":"a1","token_type":"Bearer","refresh_token":"r1","expires_in":"3599","scope":["a","b"]}`,
			answer{"a1", "Bearer", "a b", 3599 * time.Second, "r1"},
		},
		{
			"Base64 tokens", refresh,
			`{"access_token":"a+/=","token_type":"bearer","refresh_token":"r+/=","expires_in":1}`,
			answer{"a+/=", "bearer", "", time.Second, "r+/="},
		},
		{
			"Base64url tokens that begin with -, and unknown fields", refresh,
			`{"access_token":"-a_","jti":"x","refresh_token":"-r_","state_token":{},"error":null}`,
			answer{"-a_", "bearer", "", 0, "-r_"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t, answering(200, header("Content-Type", "application/json;charset=UTF-8"), test.body))
			before := time.Now()
			got, err := requestOnce(t.Context(), s, test.grantType)
			if err != nil {
				t.Fatal(err)
			}
			if (answer{got.AccessToken.Reveal(), got.TokenType, got.Scope, got.ExpiresIn, got.RefreshToken.Reveal()}) != test.want {
				t.Errorf("got %s %+v %s, want %+v", got.AccessToken.Reveal(), got, got.RefreshToken.Reveal(), test.want)
			}
			if got.SentAt.Before(before) || got.SentAt.After(time.Now()) {
				t.Errorf("got SentAt %v", got.SentAt)
			}
			if s.requests.Load() != 1 {
				t.Errorf("sent %d times", s.requests.Load())
			}
		})
	}
}

// parse reads one more field beside a usable access token.
func parse(t *testing.T, field string) rotator.TokenResponse {
	t.Helper()
	got, failure := success(rotator.GrantTypeRefreshToken, "", []byte(`{"access_token":"a",`+field+`}`))
	if failure != nil {
		t.Fatal(failure)
	}
	return got
}

// A lifetime may have any length. The engine believes at most 24 h of it.
func TestExpiresIn(t *testing.T) {
	const longest = 1 << 32 * time.Second
	for value, want := range map[string]time.Duration{
		`3599`: 3599 * time.Second, `"3599"`: 3599 * time.Second, `3599.0`: 3599 * time.Second, `3.599e3`: 3599 * time.Second,
		`3599.9`: 3599 * time.Second, `"3599.9"`: 3599 * time.Second, `0.9`: 0, `0`: 0, `-0`: 0,
		`86400`: 24 * time.Hour, `1e9`: 1e9 * time.Second, `2147483647`: 2147483647 * time.Second,
		`9223372036854775`: longest, `"9223372036854775807"`: longest, `1e400`: longest, `9.2E+18`: longest,
		`-1`: 0, `-0.5`: 0, `-1e400`: 0,
		`null`: 0, `""`: 0, `"soon"`: 0, `"NaN"`: 0, `"Inf"`: 0, `"0x10"`: 0, `" 1"`: 0, `"1_0"`: 0, `true`: 0, `[1]`: 0, `{}`: 0,
	} {
		if got := parse(t, `"expires_in":`+value).ExpiresIn; got != want {
			t.Errorf("expires_in %s: got %v, want %v", value, got, want)
		}
	}
	if got := parse(t, `"EXPIRES_IN":5`).ExpiresIn; got != 0 {
		t.Errorf("without expires_in: got %v", got)
	}
}

func TestScope(t *testing.T) {
	for value, want := range map[string]string{
		`"a b"`: "a b", `["a","b"]`: "a b", `[]`: "", `""`: "", `null`: "", `[1]`: "", `7`: "", `{"a":1}`: "",
	} {
		if got := parse(t, `"scope":`+value).Scope; got != want {
			t.Errorf("scope %s: got %q, want %q", value, got, want)
		}
	}
}

func TestTokenType(t *testing.T) {
	for value, want := range map[string]string{
		`"bearer"`: "bearer", `"Bearer"`: "Bearer", `"BEARER"`: "BEARER", `null`: "bearer", `""`: "bearer",
	} {
		if got := parse(t, `"token_type":`+value).TokenType; got != want {
			t.Errorf("token_type %s: got %q, want %q", value, got, want)
		}
	}
	for _, value := range []string{`"mac"`, `"bearer "`, `1`, `["bearer"]`, `{}`, `false`} {
		answer, failure := success(rotator.GrantTypeRefreshToken, "", []byte(`{"access_token":"a","token_type":`+value+`}`))
		if failure == nil || failure.Code != rotator.BadResponse {
			t.Errorf("token_type %s: got %+v, %v", value, answer, failure)
		}
	}
}

// A value that cannot be a refresh token must not replace the old one.
func TestValuesThatAreNoRefreshToken(t *testing.T) {
	for _, value := range []string{`null`, `""`, `7`, `["r"]`, `{"r":"r"}`, `"r\n"`, `"ré"`, `"r\u0000"`} {
		if got := parse(t, `"refresh_token":`+value).RefreshToken; !got.Empty() {
			t.Errorf("refresh_token %s: got %q, want none", value, got.Reveal())
		}
	}
}

func TestValuesThatAreNoAccessToken(t *testing.T) {
	for _, body := range []string{
		`{}`, `null`, `[]`, `"a"`, `7`, `{"access_token":"a"}x`, `{"access_token":"a"`, "\xef\xbb\xbf\xef\xbb\xbf" + `{"access_token":"a"}`,
		`{"access_token":null}`, `{"access_token":""}`, `{"access_token":7}`, `{"access_token":["a"]}`, `{"access_token":{"a":1}}`,
		`{"access_token":"a\n"}`, `{"access_token":"a\u0000"}`, `{"access_token":"é"}`, `{"access_token":"\u007f"}`,
		"{\"access_token\":\"a\xff\"}", `{"access_token":"\ud800"}`,
		`{"ACCESS_TOKEN":"a"}`, `{"Access_Token":"a"}`, `{"access-token":"a"}`,
	} {
		answer, failure := success(rotator.GrantTypeRefreshToken, "", []byte(body))
		if failure == nil || failure.Code != rotator.BadResponse || !answer.AccessToken.Empty() || !failure.TokenEnded {
			t.Errorf("%s: got %+v, %v", body, answer, failure)
		}
	}
	edges := "\xef\xbb\xbf" + `{"access_token":" !~","access_token_":"x"}`
	if answer, failure := success(rotator.GrantTypeRefreshToken, "", []byte(edges)); failure != nil || answer.AccessToken.Reveal() != " !~" {
		t.Errorf("got %q, %v for %s", answer.AccessToken.Reveal(), failure, edges)
	}
}

func TestTheLargestResponse(t *testing.T) {
	body := tokenReply + strings.Repeat(" ", maxResponse-len(tokenReply))
	if _, err := requestOnce(t.Context(), startServer(t, answering(200, nil, body)), rotator.GrantTypeRefreshToken); err != nil {
		t.Errorf("a response of exactly 64 KiB: %v", err)
	}
}
