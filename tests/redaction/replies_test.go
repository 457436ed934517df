package redaction

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/extent"
)

// faults are those of the token endpoint's fake, by the name of the function that
// makes them, and further answers that a server could give.
var faults = map[string][]fakereltio.Fault{
	"Pass":             {fakereltio.Pass()},
	"Status":           {fakereltio.Status(201), fakereltio.Status(204), fakereltio.Status(400), fakereltio.Status(401), fakereltio.Status(403), fakereltio.Status(404), fakereltio.Status(418), fakereltio.Status(500), fakereltio.Status(502), fakereltio.Status(503), fakereltio.Status(599)},
	"StatusRetryAfter": {fakereltio.StatusRetryAfter(503, "170"), fakereltio.StatusRetryAfter(503, allCanaries)},
	"Throttled":        {fakereltio.Throttled(""), fakereltio.Throttled("5"), fakereltio.Throttled(allCanaries)},
	"OAuthError": {
		fakereltio.OAuthError(400, "invalid_grant", "Invalid refresh token: "+refreshToken),
		fakereltio.OAuthError(401, "invalid_token", "Invalid refresh token (expired): "+refreshToken),
		fakereltio.OAuthError(401, "invalid_client", "Bad client credentials "+clientSecret),
		fakereltio.OAuthError(400, "unauthorized_client", clientSecret), fakereltio.OAuthError(400, "invalid_scope", allCanaries),
		fakereltio.OAuthError(400, "invalid_request", allCanaries), fakereltio.OAuthError(400, refreshToken, password),
	},
	"FirewallPage":  {fakereltio.FirewallPage()},
	"Redirect":      {fakereltio.Redirect(302, "https://auth.reltio.com/?"+allCanaries), fakereltio.Redirect(307, allCanaries)},
	"NotJSON":       {fakereltio.NotJSON()},
	"Huge":          {fakereltio.Huge()},
	"Empty":         {fakereltio.Empty()},
	"NoAccessToken": {fakereltio.NoAccessToken()},
	"ErrorInside":   {fakereltio.ErrorInside()},
	"NotExecuted":   {fakereltio.NotExecuted()},
	"AnswerLost":    {fakereltio.AnswerLost()},
	"CutMidBody":    {fakereltio.CutMidBody(1), fakereltio.CutMidBody(45), fakereltio.CutMidBody(120)},
	"Hang":          {fakereltio.Hang()},
	"Slow":          {fakereltio.Slow(25 * time.Second)},
	"SlowAnswer":    {fakereltio.SlowAnswer(25 * time.Second)},
	"Unreachable":   {fakereltio.Unreachable()},
	"ByteOrderMark": {fakereltio.ByteOrderMark()},
	"OddAnswer": {
		fakereltio.OddAnswer("no access token", map[string]any{"access_token": nil}),
		fakereltio.OddAnswer("error inside", map[string]any{"error": "invalid_grant", "error_description": refreshToken}),
		fakereltio.OddAnswer("another type", map[string]any{"token_type": clientSecret}),
		fakereltio.OddAnswer("huge life", map[string]any{"expires_in": int64(9223372036854775)}),
	},
	"ExecutedThenStatus": {fakereltio.ExecutedThenStatus(408), fakereltio.ExecutedThenStatus(502)},
	"StatusThenExecuted": {fakereltio.StatusThenExecuted(504, 1500*time.Millisecond), fakereltio.StatusThenExecuted(502, 30*time.Second)},
	"": {
		says(200, `{"access_token":ACCESS,"refresh_token":NEW,"expires_in":`), // breaks off
		says(200, `{"access_token":ACCESS,"refresh_token":NEW,"token_type":"mac","expires_in":3599}`),
		says(200, `{"access_token":ACCESS,"refresh_token":NEW,"token_type":SECRET,"expires_in":3599}`),
		says(200, `{"access_token":ACCESS,"refresh_token":NEW}`),
		says(200, `{"access_token":ACCESS,"refresh_token":NEW,"expires_in":SECRET}`),
		says(200, `{"access_token":[ACCESS],"refresh_token":{"a":NEW},"expires_in":3599}`),
		says(200, `{"access_token":ACCESS,"refresh_token":NEW,"expires_in":60,"scope":SECRET}`),
		says(200, `{"access_token":ACCESS,"refresh_token":NEW,"expires_in":3599,"error":SECRET}`),
		says(200, `{"state_token":STATE,"expires_in":599}`), says(200, `ACCESS`), says(200, `[ACCESS]`), says(200, `{ACCESS:NEW}`),
		says(400, `{"error":ACCESS,"error_description":NEW}`), says(400, `{"error":{"code":SECRET}}`), says(401, `SECRET`), says(503, `SECRET`),
	},
}

// says returns an answer in which words stand for secrets.
func says(status int, body string) fakereltio.Fault {
	quote := func(value string) string { text, _ := json.Marshal(value); return string(text) }
	body = strings.NewReplacer("ACCESS", quote(accessToken), "NEW", quote(newRefresh), "STATE", quote(stateToken), "SECRET", quote(clientSecret)).Replace(body)
	return fakereltio.Fault{Name: "says", Status: status, Body: body, Header: http.Header{"Content-Type": {"application/json"}}}
}

// echoing puts every secret into every part of a fault's answer.
func echoing(f fakereltio.Fault) fakereltio.Fault {
	if f.Status == 0 {
		return f // the real answer, or none
	}
	header := f.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	line := strings.ReplaceAll(allCanaries, "ø", "o")
	for _, name := range []string{"Www-Authenticate", "Retry-After", "Location", "Set-Cookie", "X-Debug", "Server"} {
		header.Add(name, line)
	}
	f.Header = header
	var fields map[string]any
	if json.Unmarshal([]byte(f.Body), &fields) == nil && fields != nil {
		fields["error_description"], fields["debug"] = allCanaries, allCanaries
		body, _ := json.Marshal(fields)
		f.Body = string(body)
	} else {
		f.Body += allCanaries
	}
	return f
}

func TestEveryFaultOfTheFakeIsTried(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../fake/reltio/fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results.NumFields() != 1 {
			continue
		}
		if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && result.Name == "Fault" {
			made = append(made, f.Name.Name)
		}
	}
	slices.Sort(made)
	if there := slices.Sorted(maps.Keys(faults))[1:]; len(made) < 10 || !slices.Equal(made, there) {
		t.Errorf("the fake makes %v\nthe sweep has %v", made, there)
	}
}

// Every fault of the token endpoint, with every grant type: first as the server
// answers, then with all secrets in every part of the answer.
func TestReplies(t *testing.T) {
	cases, possible := 0, 0
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		for _, fault := range faults[name] {
			possible++ // so that the next fault meets the next kind
			for _, kind := range slices.Sorted(maps.Keys(kinds)) {
				if possible++; !extent.Has(possible, len(kinds)) {
					continue
				}
				fields := kinds[kind]
				for echo, fault := range map[string]fakereltio.Fault{"": fault, ", echoing": echoing(fault)} {
					cases++
					t.Run(name+" of "+kind+echo, func(t *testing.T) {
						simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(s *fixture) {
							s.seed(fields)
							s.Reltio.Script(fault, fault, fault, fault)
							s.beat()
							s.force()
							time.Sleep(time.Hour)
							s.beat()
							if len(s.Reltio.Requests()) == 0 {
								t.Error("no token request was made")
							}
						})
					})
				}
			}
		}
	}
	t.Logf("%d failure cases: faults of the token endpoint × grant types", cases)
}
