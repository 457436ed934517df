package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// Invalid secrets and parameters. Invalid responses are in badreplies_test.go,
// events in binary_test.go, and states and leases that cannot be true in
// hints_test.go.

// call is an AWS call as the AWS console makes it.
func (s *fixture) call(operation string, input map[string]any) {
	s.t.Helper()
	body, _ := json.Marshal(input)
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
	request.Header.Set("X-Amz-Target", "secretsmanager."+operation)
	answer := httptest.NewRecorder()
	s.AWS.ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		s.t.Fatalf("%s: %s", operation, answer.Body)
	}
}

func TestSecretsInAnyState(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(s *fixture)
		code   rotator.Code
		says   string
		sent   int
	}{
		"credentials in SecretBinary": {func(s *fixture) {
			document, _ := json.Marshal(s.credentials())
			s.call("PutSecretValue", map[string]any{
				"SecretId": harness.SecretName("default", "credentials"), "ClientRequestToken": strings.Repeat("b", 32), "SecretBinary": document,
			})
		}, rotator.CredentialsUnread, "store the JSON as a SecretString", 0},
		"credentials scheduled for deletion": {func(s *fixture) {
			s.call("DeleteSecret", map[string]any{"SecretId": harness.SecretName("default", "credentials")})
		}, rotator.CredentialsUnread, "GetSecretValue: InvalidRequestException", 0},
		"credentials deleted": {func(s *fixture) {
			s.call("DeleteSecret", map[string]any{"SecretId": harness.SecretName("default", "credentials"), "ForceDeleteWithoutRecovery": true})
		}, rotator.CredentialsUnread, "does not exist any more or has no value", 0},
		"credentials under a key that is gone": {
			denied("GetSecretValue", "/credentials", "DecryptionFailure"),
			rotator.CredentialsUnread, "GetSecretValue: DecryptionFailure", 0,
		},
		// Secrets Manager: "Access to KMS is not allowed".
		"credentials under a key that the function may not use": {
			denied("GetSecretValue", "/credentials", "AccessDeniedException"),
			rotator.CredentialsUnread, "check that the function may read it", 0,
		},
		"a token secret scheduled for deletion": {func(s *fixture) {
			s.call("DeleteSecret", map[string]any{"SecretId": harness.SecretName("default", "token")})
		}, rotator.TokenNotPublished, "PutSecretValue: InvalidRequestException", 1},
		"a token secret deleted": {func(s *fixture) {
			s.call("DeleteSecret", map[string]any{"SecretId": harness.SecretName("default", "token"), "ForceDeleteWithoutRecovery": true})
		}, rotator.TokenNotPublished, "check that it exists", 1},
		"a token secret under a key that is gone": {
			denied("PutSecretValue", "/token", "EncryptionFailure"),
			rotator.TokenNotPublished, "PutSecretValue: EncryptionFailure", 1,
		},
		"a pending refresh token under a key that is gone": {
			denied("GetParametersByPath", "", "InvalidKeyId"), "", "", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.seeded("default", s.credentials())
				c.breaks(s)
				r := s.beat()
				if len(r.sent) != c.sent {
					t.Errorf("token requests: %v", r.sent)
				}
				if c.code == "" { // not even the listing works
					if r.report.Error != rotator.StateUnavailable || !strings.Contains(r.report.Message, "InvalidKeyId") {
						t.Errorf("%+v", r.report)
					}
					return
				}
				if result := r.wantFailed("default", c.code); !strings.Contains(result.Message, c.says) {
					t.Errorf("the message is %s", result.Message)
				}
			})
		})
	}
}

// Unknown fields stay, and the other fields keep their meaning for any JSON parser.
func TestCredentialsOfAnyShape(t *testing.T) {
	for name, document := range map[string]string{
		"fields of others":     `{"client_id":"client","client_secret":"SECRET","refresh_token":"REFRESH","note":{"a":[1.50,null,"<&>"]},"Refresh_Token":"theirs"}`,
		"a field twice":        `{"client_id":"wrong","client_id":"client","client_secret":"SECRET","refresh_token":"old","refresh_token":"REFRESH","note":1}`,
		"blanks":               "\n\t{ \"client_id\" : \"client\",\r\n\"client_secret\":\"SECRET\",\"refresh_token\":\"REFRESH\",\"note\":\"\" }\n\n",
		"60 KB of other stuff": `{"client_id":"client","client_secret":"SECRET","refresh_token":"REFRESH","note":"` + strings.Repeat("<&>", 20<<10) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
				before := s.credentials()["refresh_token"]
				document := strings.NewReplacer("SECRET", clientSecret, "REFRESH", before).Replace(document)
				s.Add("default")
				s.AWS.PutSecret(harness.SecretName("default", "credentials"), document)
				s.beat().want("default", rotator.Refreshed)
				s.wantWorking("default")
				after, _ := s.AWS.Secret(harness.SecretName("default", "credentials"))
				got, want := decode(t, after), decode(t, document)
				if got["refresh_token"] == before {
					t.Error("the new refresh token was not saved")
				}
				delete(got, "refresh_token")
				delete(want, "refresh_token")
				if was, is := encode(want), encode(got); was != is {
					t.Errorf("%.200s became %.200s", was, is)
				}
			})
		})
	}
}

func encode(fields map[string]any) string {
	document, _ := json.Marshal(fields)
	return string(document)
}

func TestConfigsOfAnyShape(t *testing.T) {
	for document, says := range map[string]string{
		`{"colour":"blue"}`:                           `"colour" is unknown; possible are token_url, refresh_before_seconds, scope, enabled`,
		`{"scope":"read","scope":["write"]}`:          "scope must be a string",
		`{"enabled":true,"Enabled":false}`:            `"Enabled" is unknown`,
		bom + `{}`:                                    "not a JSON object",
		`{"refresh_token":"gXq7c4n4ry"}`:              `"refresh_token" is unknown`,
		`{"gXq7c4n4ry":"refresh_token"}`:              "(one whose name is not repeated here) is unknown",
		`{"token_url":"https://u:gXq7@a.reltio.com"}`: "credentials belong in the credentials secret",
	} {
		t.Run(says, func(t *testing.T) {
			simulate(t, fakereltio.Options{MultiToken: true}, func(t *testing.T, s *fixture) {
				s.seed("good", clientOnly())
				s.seed("bad", clientOnly())
				s.config("bad", document)
				r := s.beat()
				r.want("good", rotator.Refreshed)
				result := r.wantFailed("bad", rotator.ConfigInvalid)
				if !strings.Contains(result.Message, says) || strings.Contains(result.Message, "gXq7") {
					t.Errorf("the message is %s", result.Message)
				}
			})
		})
	}
}

func TestAConnectionsNameThatIsNotAllowed(t *testing.T) {
	for _, name := range []string{"Default", "de_fault", "-default", "default.", strings.Repeat("d", 33), "a b"} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fakereltio.Options{MultiToken: true}, func(t *testing.T, s *fixture) {
				s.seed("good", clientOnly())
				s.AWS.PutParameter(harness.ParameterName("good", "config"), "{}")
				if !accepts(s, name) {
					t.Skip("Parameter Store has no such names")
				}
				r := s.beat()
				r.want("good", rotator.Refreshed)
				if result := r.wantFailed(name, rotator.ConfigInvalid); !strings.Contains(result.Message, "is not allowed; use 1 to 32 lower-case letters") {
					t.Errorf("the message is %s", result.Message)
				}
				if r.calls["GetSecretValue"] != 1 || len(r.sent) != 1 {
					t.Errorf("it was not left alone: %v, %v", r.calls, r.sent)
				}
			})
		})
	}
}

// accepts writes a config for the name. It returns false if AWS rejects the name.
func accepts(s *fixture, name string) (ok bool) {
	defer func() { ok = recover() == nil }()
	s.AWS.PutParameter(harness.ParameterName(name, "config"), "{}")
	return true
}

// An operator makes the state as long as a parameter can be, or writes one that
// cannot be written back unchanged. This causes one refresh, and not one in every
// heartbeat.
func TestAStateThatOverflows(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, document := range map[string]string{
		"unknown fields of 4 KB":   `{"note":"` + long(4000) + `"}`,
		"a known field of 4 KB":    `{"login_attempted":"` + long(4000) + `"}`,
		"every known field":        `{"login_attempted":"` + long(600) + `","token_fingerprint":"` + long(600) + `","refresh_token_fingerprint":"` + long(600) + `","credentials_version":"` + long(600) + `","grant_type":"` + long(600) + `","error":"` + long(600) + `"}`,
		"letters that grow":        `{"login_attempted":"` + strings.Repeat("<", 2000) + `"}`,
		"a time before all times":  `{"refresh_token_since":"0000-01-01T00:00:00+23:59","not_before":"0000-01-01T00:00:00+23:59"}`,
		"a token before all times": `{"refreshed_at":"0000-01-01T00:00:00+23:59","expires_at":"0000-01-01T00:00:00+23:59"}`,
		"a byte order mark":        bom + `{"failures":1}`,
		"a field twice":            `{"failures":1,"failures":"two"}`,
		"a list":                   `[` + strings.Repeat(`{},`, 1000) + `{}]`,
	} {
		t.Run(name, func(t *testing.T) {
			simulateAWS(t, fakeaws.Options{}, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.seed("default", s.credentials())
				s.AWS.PutParameter(harness.ParameterName("default", "state"), document)
				unavailable := fakereltio.StatusRetryAfter(503, "0")
				s.Reltio.Script(unavailable, unavailable, unavailable)
				s.beat().wantFailed("default", rotator.ServerError)
				if state := s.State("default"); state.Primary.Error != rotator.ServerError || state.Primary.Failures < 1 {
					t.Errorf("the result is not recorded: %+v", state)
				}
				time.Sleep(time.Minute)
				s.beat().want("default", rotator.Refreshed)
				time.Sleep(time.Minute)
				s.beat().want("default", rotator.NotDue)
				s.wantWorking("default")
			})
		})
	}
}
