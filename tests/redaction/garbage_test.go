package redaction

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// with replaces words by secrets.
func with(text string) string {
	quote := func(value string) string { quoted, _ := json.Marshal(value); return string(quoted) }
	return strings.NewReplacer(
		"SECRET", quote(clientSecret), "PASSWORD", quote(password), "USER", quote(username), "REFRESH", quote(refreshToken),
		"BARE", strings.Trim(quote(refreshToken), `"`), "ALL", quote(allCanaries),
	).Replace(text)
}

// Credentials with a mistake, so that they cannot be used but still hold the secrets.
var badCredentials = []string{
	`REFRESH`, `[SECRET,REFRESH]`, `client_secret=BARE`, `{"client_id":"client","client_secret":SECRET,"refresh_token":REFRESH`, "{'client_secret':'BARE'}",
	`{"client_id":"client","client_secret":[SECRET]}`, `{"client_id":"client","client_secret":{"value":SECRET}}`, `{"client_id":["client",SECRET],"client_secret":SECRET}`,
	`{"client_id":"client","client_secret":SECRET,"refresh_token":{"refresh_token":REFRESH}}`, `{"client_id":"client:x","client_secret":SECRET}`,
	`{"client_id":"client","client_secret":SECRET,"username":USER}`, `{"client_id":"client","client_secret":SECRET,"password":PASSWORD}`,
	`{"client_id":SECRET}`, `{SECRET:REFRESH}`, "\ufeff{\"client_id\":\"client\",\"client_secret\":SECRET}", `{"client_id":"client","client_secret":SECRET} REFRESH`,
	`{"client_id":"client","client_secret":SECRET,"client_secret":5}`, "{\"client_id\":\"client\",\"client_secret\":SECRET,\"x\":\"\t\"}",
	// These can be used, but the server rejects every field.
	`{"client_id":"client","client_secret":PASSWORD,"refresh_token":SECRET,"username":REFRESH,"password":ALL}`,
	`{"client_id":ALL,"client_secret":SECRET}`,
}

// Configs that contain secrets by mistake.
var badConfigs = []string{
	`REFRESH`, `[REFRESH]`, `{SECRET:REFRESH}`, `{"refresh_token":REFRESH,"client_secret":SECRET}`, `{"enabled":REFRESH}`, `{"scope":[REFRESH]}`,
	`{"scope":REFRESH}`, `{"refresh_before_seconds":REFRESH}`, `{"token_url":REFRESH}`, `{"token_url":5,"x":REFRESH}`,
	`{"token_url":"https://client:cS7qZwKd41LxvT@auth.reltio.com/oauth/token"}`, `{"token_url":"https://cS7qZwKd41LxvT@auth.reltio.com"}`,
	`{"token_url":"https://auth.reltio.com/oauth/token?client_secret=cS7qZwKd41LxvT"}`, `{"token_url":"https://auth.reltio.com:cS7qZwKd41LxvT/"}`,
	`{"token_url":"https://auth.reltio.com/%zz?cS7qZwKd41LxvT"}`, `{"token_url":"mailto:cS7qZwKd41LxvT"}`,
}

// Events that contain secrets by mistake.
var badEvents = []string{
	`REFRESH`, `[REFRESH]`, `{"token":REFRESH}`, `{SECRET:REFRESH}`, `BARE`, `{"action":REFRESH}`, `{"action":"refresh",REFRESH:true}`, `{"action":"refresh","refresh_token":REFRESH}`,
	`{"action":"refresh","connections":[REFRESH]}`, `{"action":"refresh","connections":["default",REFRESH]}`, `{"action":"refresh","connections":REFRESH}`,
	`{"action":"refresh","connections":["default"],"dead_token":REFRESH}`, `{"action":"refresh","connections":[REFRESH],"dead_token":"0123456789abcdef"}`,
	`{"action":"refresh","force":REFRESH}`, `{"source":REFRESH}`, `{"action":"refresh","source":"aws.scheduler","detail":REFRESH}`, `{"source":"aws.events","detail":{"token":REFRESH}}`,
}

func TestBadCredentials(t *testing.T) {
	for _, document := range badCredentials {
		simulate(t, fakereltio.Options{}, func(s *fixture) {
			s.Add("default")
			s.AWS.PutSecret(harness.SecretName("default", "credentials"), with(document))
			s.beat()
			s.force()
		})
	}
}

func TestCredentialsInSecretBinary(t *testing.T) {
	for _, document := range badCredentials {
		simulate(t, fakereltio.Options{}, func(s *fixture) {
			s.Add("default")
			body := `{"SecretId":"` + harness.SecretName("default", "credentials") + `","ClientRequestToken":"` + strings.Repeat("b", 32) +
				`","SecretBinary":"` + base64.StdEncoding.EncodeToString([]byte(with(document))) + `"}`
			request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			request.Header.Set("X-Amz-Target", "secretsmanager.PutSecretValue")
			s.AWS.ServeHTTP(httptest.NewRecorder(), request)
			if report := s.beat(); report.Connections[0].Error != rotator.CredentialsUnread {
				t.Errorf("%+v", report)
			}
		})
	}
}

func TestBadConfigs(t *testing.T) {
	for _, document := range badConfigs {
		simulate(t, fakereltio.Options{}, func(s *fixture) {
			s.finder.Add("client secret in a URL", "cS7qZwKd41LxvT")
			s.seed(kinds["refresh"])
			s.AWS.PutParameter(harness.ParameterName("default", "config"), with(document))
			s.beat()
			s.force()
		})
	}
}

// A pending parameter holds refresh tokens, also if it is damaged.
func TestBadPendingTokens(t *testing.T) {
	for _, document := range append(badCredentials, `{"refresh_token":REFRESH,"rotated_from":5}`, `{"refresh_token":REFRESH,"rotated_from":SECRET}`, `{"refresh_token":ALL}`) {
		simulate(t, fakereltio.Options{}, func(s *fixture) {
			s.seed(kinds["refresh"])
			s.AWS.PutParameter(harness.ParameterName("default", "pending"), with(document))
			s.beat()
			s.force()
		})
	}
}

func TestBadEvents(t *testing.T) {
	for _, payload := range badEvents {
		simulate(t, fakereltio.Options{}, func(s *fixture) {
			s.seed(kinds["refresh"])
			event, err := rotator.ParseEvent([]byte(with(payload)))
			if err != nil {
				s.see(err.Error())
				return
			}
			s.run(event)
		})
	}
}
