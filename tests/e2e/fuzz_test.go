package e2e_test

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// Whatever a token endpoint answers, a token is published only if the response is
// valid, only a changed refresh token changes the credentials, and no part of the
// response appears outside the secrets.
func FuzzWhatIsPublished(f *testing.F) {
	const echo = "gXq7echo" // stands for "@"
	for _, body := range []string{
		`{"access_token":"@","token_type":"bearer","refresh_token":"@2","expires_in":3599,"scope":"read write"}`,
		`{"access_token":"@","token_type":"Bearer","expires_in":"3599","scope":["@"]}`,
		`{"access_token":"@","refresh_token":"r","expires_in":0}`, `{"access_token":"@","expires_in":-1}`, `{"access_token":"@","expires_in":1e12}`, `{"access_token":"@","expires_in":3e599}`,
		`{"access_token":"@","expires_in":"NaN"}`, `{"access_token":"@"}`, `{"access_token":"@\n","expires_in":3599}`,
		`{"access_token":"@","access_token":"","expires_in":3599}`, "\ufeff" + `{"access_token":"@","expires_in":3599}`,
		`{"access_token":"@","expires_in":3599} {}`, `{"access_token":"@","expires_in":3599,"error":"@"}`, `{"access_token":"@","expires_in":3599,"token_type":"mac"}`,
		`{"error":"invalid_grant","error_description":"@"}`, `{"state_token":"@"}`, `[{"access_token":"@"}]`, `null`, ``, "<html>@",
	} {
		for _, status := range []int{0, 1, 200, 201, 229, 303} { // 200, 201, 400, 401, 429, 503
			f.Add(status, body)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		status = 200 + int(uint(status)%400)
		body = strings.ReplaceAll(body, "@", echo)
		synctest.Test(t, func(t *testing.T) {
			w := harness.New(t, fakeaws.Options{}, fakereltio.Options{})
			w.Host(tokenHost, http.HandlerFunc(func(reply http.ResponseWriter, _ *http.Request) {
				reply.Header().Set("WWW-Authenticate", "Bearer "+echo)
				reply.WriteHeader(status)
				_, _ = io.WriteString(reply, body)
			}))
			w.Add("default")
			w.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": "r", "note": "mine"})
			report, err := w.Heartbeat(t)

			token, published := w.Token("default")
			good := judge(status, body)
			switch {
			case published && (!good.maybe || token.AccessToken != good.token):
				t.Errorf("%q was published out of %d %q", token.AccessToken, status, body)
			case !published && good.certainly:
				t.Errorf("nothing was published out of %d %q: %+v", status, body, report)
			}
			wantKept(t, w, published, good.refreshToken)
			seen, _ := json.Marshal(report)
			for _, kind := range []string{"config", "state", "lease"} {
				document, _, _ := w.AWS.Parameter(harness.ParameterName("default", kind))
				seen = append(seen, document...)
			}
			if err != nil {
				seen = append(seen, err.Error()...)
			}
			if strings.Contains(string(seen)+w.Output(), echo) {
				t.Errorf("what the server said can be seen:\n%s\n%s", seen, w.Output())
			}
		})
	})
}

// judged is how an independent parser judges a response. If it may be accepted but
// need not be, a lenient client may accept it and a strict one may reject it.
type judged struct {
	maybe, certainly    bool
	token, refreshToken string
}

func judge(status int, body string) judged {
	var fields map[string]any
	err := json.Unmarshal([]byte(strings.TrimPrefix(body, bom)), &fields)
	if tooLarge, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && strings.HasPrefix(tooLarge.Value, "number ") {
		// A number that no float64 holds, which the rest of the response survives.
		if err = nil; fields["expires_in"] == nil {
			fields["expires_in"] = math.Inf(1)
		}
	}
	if status > 299 || err != nil {
		return judged{}
	}
	visible := func(name string) string {
		value, _ := fields[name].(string)
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return ""
		}
		return value
	}
	absent := func(name string) bool { return fields[name] == nil || fields[name] == "" }
	j := judged{token: visible("access_token"), refreshToken: visible("refresh_token")}
	tokenType, _ := fields["token_type"].(string)
	j.maybe = j.token != "" && absent("error") && (absent("token_type") || strings.EqualFold(tokenType, "bearer")) &&
		!absent("expires_in") && fields["expires_in"] != 0.0 && fields["expires_in"] != "0"
	seconds, isNumber := fields["expires_in"].(float64)
	j.certainly = j.maybe && isNumber && seconds >= 1 && seconds <= 1e9 && len(body) < 60<<10
	return j
}

// wantKept checks that only the refresh token of the credentials has changed, and
// only to one that came with an access token.
func wantKept(t *testing.T, w *harness.Harness, published bool, refreshToken string) {
	t.Helper()
	document, _ := w.AWS.Secret(harness.SecretName("default", "credentials"))
	fields := decode(t, document)
	if len(fields) != 4 || fields["client_id"] != "client" || fields["client_secret"] != clientSecret || fields["note"] != "mine" {
		t.Errorf("the credentials became %s", document)
	}
	switch got := fields["refresh_token"]; {
	case got != "r" && got != refreshToken:
		t.Errorf("the refresh token became %q", got)
	case published && refreshToken != "" && got != refreshToken:
		t.Errorf("the refresh token %q was not saved", refreshToken)
	}
}
