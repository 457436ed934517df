package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// Responses with status 200 that are incomplete, unusual or wrong.

const bom = "\ufeff"

// grants answers a token request with a given body.
func grants(s *fixture, body string) { s.always(reply(http.StatusOK, body)) }

func TestExpiresInOfAnyKind(t *testing.T) {
	for value, lifetime := range map[string]time.Duration{
		`,"expires_in":3599`: 3599 * time.Second, `,"expires_in":"3599"`: 3599 * time.Second, `,"expires_in":3599.9`: 3599 * time.Second,
		`,"expires_in":86400`: 24 * time.Hour, `,"expires_in":1e9`: 24 * time.Hour, // the longest lifetime that is believed
		`,"expires_in":2147483647`: 24 * time.Hour, `,"expires_in":9223372036854775`: 24 * time.Hour, `,"expires_in":"1e12"`: 24 * time.Hour, `,"expires_in":1e400`: 24 * time.Hour,
		``: 0, `,"expires_in":null`: 0, `,"expires_in":""`: 0, `,"expires_in":0`: 0, `,"expires_in":"0"`: 0, `,"expires_in":0.9`: 0,
		`,"expires_in":-1`: 0, `,"expires_in":"NaN"`: 0, `,"expires_in":NaN`: 0,
		`,"expires_in":"soon"`: 0, `,"expires_in":true`: 0, `,"expires_in":[3599]`: 0,
		`,"expires_in":3599,"expires_in":0`: 0, `,"expires_in":0,"expires_in":3599`: 3599 * time.Second,
	} {
		t.Run(value, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.seed("default", s.credentials())
				grants(s, `{"access_token":"b7fdb6e5-2f57","token_type":"bearer"`+value+`}`)
				asked := time.Now()
				r := s.beat()
				token, published := s.Token("default")
				if lifetime == 0 {
					r.wantFailed("default", rotator.BadResponse)
					if published {
						t.Errorf("%+v was published", token)
					}
					return
				}
				r.want("default", rotator.Refreshed)
				if token.AccessToken != "b7fdb6e5-2f57" || token.ExpiresIn != int64(lifetime/time.Second) || !token.ExpiresAt.Equal(asked.Add(lifetime)) {
					t.Errorf("%+v was published, want it to live for %v", token, lifetime)
				}
			})
		})
	}
}

func TestTokensOfAnyShape(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 60<<10/16) // 60 KB
	for name, c := range map[string]struct {
		body string
		// access is what is published, nothing when empty; refresh what is in the
		// credentials secret afterwards, the old one when empty.
		access, refresh string
	}{
		"an access token of 60 KB": {body: `{"access_token":"` + long + `","expires_in":3599}`, access: long},
		"a refresh token of 60 KB": {body: `{"access_token":"b7fdb6e5","refresh_token":"` + long + `","expires_in":3599}`, access: "b7fdb6e5", refresh: long},
		"both of 60 KB":            {body: `{"access_token":"` + long + `","refresh_token":"` + long + `","expires_in":3599}`},
		"no room left for the rest of the secret": {
			body: `{"access_token":"` + strings.Repeat("a", 65450) + `","expires_in":3599}`,
		},
		"an access token with a line break": {body: `{"access_token":"b7fdb6e5\n2f57","refresh_token":"n3w","expires_in":3599}`, refresh: "n3w"},
		"an access token that is a header":  {body: `{"access_token":"b7fdb6e5\r\nX-Evil: 1","expires_in":3599}`},
		"a refresh token with a line break": {body: `{"access_token":"b7fdb6e5","refresh_token":"n3w\n","expires_in":3599}`, access: "b7fdb6e5"},
		"an access token twice":             {body: `{"access_token":"first","access_token":"b7fdb6e5","expires_in":3599}`, access: "b7fdb6e5"},
		"and then none":                     {body: `{"access_token":"b7fdb6e5","access_token":null,"expires_in":3599}`},
		"a key in other letters":            {body: `{"ACCESS_TOKEN":"b7fdb6e5","expires_in":3599}`},
		"a byte order mark":                 {body: bom + `{"access_token":"b7fdb6e5","expires_in":3599}`, access: "b7fdb6e5"},
		"two objects":                       {body: `{"access_token":"b7fdb6e5","expires_in":3599}{}`},
		"UTF-16":                            {body: "\xff\xfe{\x00}\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				fields := s.credentials()
				s.seed("default", fields)
				grants(s, c.body)
				r := s.beat()
				token, published := s.Token("default")
				if c.access == "" {
					r.wantFailed("default", rotator.BadResponse)
					if published {
						t.Error("something was published")
					}
				} else {
					r.want("default", rotator.Refreshed)
					if token.AccessToken != c.access {
						t.Errorf("%.40q was published", token.AccessToken)
					}
				}
				want := c.refresh
				if want == "" {
					want = fields["refresh_token"]
				}
				if got := s.refreshToken("default"); got != want {
					t.Errorf("the refresh token is %.40q", got)
				}
			})
		})
	}
}

// The message says so if a refresh token is too long for the pending parameter.
func TestALongRefreshTokenThatCannotBeSaved(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
		grants(s, `{"access_token":"b7fdb6e5","refresh_token":"`+strings.Repeat("0123456789abcdef", 300)+`","expires_in":3599}`)
		r := s.beat()
		result := r.wantFailed("default", rotator.CredentialsNotSaved)
		if !strings.Contains(result.Message, "too long for the pending parameter (4 KB)") || !strings.Contains(result.Message, "log in again") {
			t.Errorf("the message is %s", result.Message)
		}
		if token, _ := s.Token("default"); token.AccessToken != "b7fdb6e5" {
			t.Error("the token was held up")
		}
	})
}
