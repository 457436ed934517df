package reltio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
)

// Whatever a server answers, the result is a usable token, or a message with a code
// that fits the status and with nothing of the server's text.
func FuzzResponse(f *testing.F) {
	// "@" stands for a token that the server echoes.
	for _, body := range []string{
		tokenReply,
		`{"access_token":"@","token_type":"Bearer","refresh_token":"@","expires_in":"3599","scope":["a","b"]}`,
		`{"access_token":"a","expires_in":1e400,"refresh_token":7,"scope":{}}`,
		`{"access_token":"a","access_token":"@\n"}`,
		`{"Access_Token":"@"}`,
		`{"expires_in":599,"state_token":{"token":"@"}}`,
		`{"error":"invalid_grant","error_description":"Invalid refresh token: @"}`,
		`{"error":"invalid_token","error_description":"@"}`,
		`{"error":"invalid_client @"}`,
		`{"error":"@"}`, `<html>@</html>`, `"@"`, `null`, ``, "\xff", `[[[[`,
	} {
		for _, status := range []int{200, 302, 400, 401, 403, 408, 429, 502, 503} {
			for choice := range allGrantTypes {
				f.Add(status, "Basic realm=@", body, uint8(choice))
			}
		}
	}
	f.Fuzz(func(t *testing.T, status int, challenge, body string, choice uint8) {
		const echo = "gXq7echo"
		grantType := allGrantTypes[int(choice)%len(allGrantTypes)]
		body = strings.ReplaceAll(body, "@", echo)
		got := response{sent: true, status: status, body: []byte(body), header: header(
			"Www-Authenticate", strings.ReplaceAll(challenge, "@", echo),
			"Retry-After", strings.ReplaceAll(challenge, "@", echo),
		)}
		answer, failure := meaning(grantType, "auth.reltio.com", got)

		if failure == nil {
			wantUsable(t, answer, got)
			return
		}
		wantNoToken(t, answer)
		if refresh := answer.RefreshToken.Reveal(); refresh != "" && (status < 200 || status > 299 || strings.Trim(refresh, visible()) != "") {
			t.Errorf("got refresh token %q out of status %d", refresh, status)
		}
		if !slices.Contains(codesFor(status, grantType), failure.Code) {
			t.Errorf("got %s for status %d of %s", failure.Code, status, grantType)
		}
		if want := fmt.Sprintf("auth.reltio.com answered %d", status); !strings.HasPrefix(failure.Message, want) || strings.HasSuffix(failure.Message, ".") {
			t.Errorf("got message %q", failure.Message)
		}
		if strings.Contains(fmt.Sprintf("%#v", failure), echo) || failure.Cause != nil {
			t.Errorf("what the server said is shown in %#v", failure)
		}
		// A 2xx, a lost answer and an expired refresh token may have ended a token,
		// and client credentials never do.
		ended := failure.Code == rotator.AnswerLost || failure.Code == rotator.BadResponse && status >= 200 && status <= 299
		expired := failure.Code == rotator.RefreshTokenRejected && status == 401
		if want := ended && grantType != rotator.GrantTypeClientCredentials; failure.TokenEnded != want && !expired {
			t.Errorf("got TokenEnded %t for status %d of %s", failure.TokenEnded, status, grantType)
		}
		if failure.RetryAfter != 0 && failure.Code != rotator.Throttled && failure.Code != rotator.ServerError {
			t.Errorf("got RetryAfter for status %d", status)
		}
	})
}

// wantUsable compares a token with what an independent reader finds in the response.
func wantUsable(t *testing.T, answer rotator.TokenResponse, got response) {
	t.Helper()
	var fields map[string]any
	reader := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(got.body, []byte("\xef\xbb\xbf"))))
	reader.UseNumber() // 1e400 is a number too
	if err := reader.Decode(&fields); err != nil || got.status < 200 || got.status > 299 || len(got.body) > maxResponse {
		t.Fatalf("got a token out of status %d, %q", got.status, got.body)
	}
	token := answer.AccessToken.Reveal()
	if token == "" || token != fields["access_token"] || strings.Trim(token, visible()) != "" {
		t.Errorf("got access token %q, the reply has %q", token, fields["access_token"])
	}
	if refresh := answer.RefreshToken.Reveal(); refresh != "" && (refresh != fields["refresh_token"] || strings.Trim(refresh, visible()) != "") {
		t.Errorf("got refresh token %q, the reply has %q", refresh, fields["refresh_token"])
	}
	if !strings.EqualFold(answer.TokenType, "bearer") {
		t.Errorf("got token type %q", answer.TokenType)
	}
	if e := answer.ExpiresIn; e < 0 || e > longestWait || e%time.Second != 0 {
		t.Errorf("got ExpiresIn %v", e)
	}
	if e := fields["error"]; e != nil && e != "" {
		t.Errorf("got a token beside the error %v", e)
	}
}

// visible returns every character that a token may have.
func visible() string {
	var characters strings.Builder
	for c := byte(0x20); c <= 0x7E; c++ {
		characters.WriteByte(c)
	}
	return characters.String()
}

// codesFor returns the codes that a whole response with this status may have.
func codesFor(status int, grantType rotator.GrantType) []rotator.Code {
	var codes []rotator.Code
	switch {
	case status == 429:
		return []rotator.Code{rotator.Throttled}
	case status == 503:
		return []rotator.Code{rotator.ServerError, rotator.AnswerLost}
	case status == 408, status >= 500 && status <= 599:
		return []rotator.Code{rotator.AnswerLost}
	case status >= 400 && status <= 499:
		codes = []rotator.Code{rotator.RequestRejected, rotator.ClientRejected}
		if grantType == rotator.GrantTypeRefreshToken {
			codes = append(codes, rotator.RefreshTokenRejected)
		}
	case status < 200 || status > 299:
		return []rotator.Code{rotator.BadResponse}
	default:
		codes = []rotator.Code{rotator.BadResponse}
	}
	if grantType == rotator.GrantTypePassword {
		codes = append(codes, rotator.LoginRejected)
	}
	return codes
}
