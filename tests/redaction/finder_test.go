package redaction

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const planted = `s3c+r/e=t%41 x:y"<&>\é-Zz9`

// The other tests of this package depend on this one. It plants every form in which
// a secret could appear, by the code that would write it, and checks that each is
// found.
func TestAPlantedSecretIsFoundInEveryForm(t *testing.T) {
	marshal := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", "error", errors.New(planted), "nested", marshal(map[string]string{"a": planted}))
	var text bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info(planted)
	var markup bytes.Buffer
	_ = xml.EscapeText(&markup, []byte(planted))
	basic, _ := http.NewRequest(http.MethodPost, "https://example.com", nil)
	basic.SetBasicAuth("client", planted)

	forms := map[string]string{
		"as it is":                   "before" + planted + "after",
		"JSON":                       marshal(map[string]string{"a": "before" + planted}),
		"JSON in JSON":               marshal(map[string]string{"a": marshal(map[string]string{"b": planted})}),
		"a JSON log":                 logged.String(),
		"a text log":                 text.String(),
		"%q":                         fmt.Sprintf("%q", planted),
		"%+q":                        fmt.Sprintf("%+q", planted),
		"%#v":                        fmt.Sprintf("%#v", struct{ a string }{planted}),
		"%x":                         fmt.Sprintf("%x", planted),
		"%X":                         fmt.Sprintf("%X", planted),
		"% x":                        fmt.Sprintf("% x", planted),
		"bytes":                      fmt.Sprint([]byte(planted)),
		"bytes in %#v":               fmt.Sprintf("%v", []any{[]byte(planted)}),
		"a hex dump's digits":        hex.EncodeToString([]byte("x" + planted)),
		"a Basic header":             basic.Header.Get("Authorization"),
		"a form":                     url.Values{"refresh_token": {planted}}.Encode(),
		"a path":                     (&url.URL{Path: "/" + planted}).EscapedPath(),
		"a path segment":             url.PathEscape(planted),
		"a URL in an error":          (&url.Error{Op: "Post", URL: "https://x/?t=" + url.QueryEscape(planted), Err: errors.New("x")}).Error(),
		"URL encoding, small digits": strings.ToLower("%73%33%63%2B%72%2F%65%3D"),
		"HTML":                       markup.String(),
		"Unicode escapes":            `\u0073\u0033\u0063\u002b\u0072\u002f\u0065\u003d`,
		"Unicode escapes, capitals":  `\u0073\u0033\u0063\u002B\u0072\u002F\u0065\u003D`,
		"eight of its characters":    "before" + planted[3:11] + "after",
	}
	for alignment := range 3 {
		for name, encoding := range map[string]*base64.Encoding{
			"base64": base64.StdEncoding, "unpadded base64": base64.RawStdEncoding,
			"base64url": base64.URLEncoding, "unpadded base64url": base64.RawURLEncoding,
		} {
			forms[fmt.Sprintf("%s after %d bytes", name, alignment)] = encoding.EncodeToString([]byte(strings.Repeat("a", alignment) + planted + "after"))
			forms[fmt.Sprintf("eight characters in %s after %d bytes", name, alignment)] = encoding.EncodeToString([]byte(strings.Repeat("a", alignment) + planted[:8]))
		}
	}
	var f Finder
	f.Add("canary", planted)
	for name, text := range forms {
		if len(f.Find(text)) == 0 {
			t.Errorf("%s: not found in %s", name, text)
		}
	}
}

func TestOtherTextsHoldNoSecret(t *testing.T) {
	var f Finder
	f.Add("canary", planted)
	for _, text := range []string{
		"", "[redacted]", planted[:7], planted[4:11] + "…", base64.StdEncoding.EncodeToString([]byte("s3c+r/")),
		`{"level":"INFO","msg":"run","report":{"version":"(devel)","connections":[{"name":"default","outcome":"refreshed"}]}}`,
	} {
		if found := f.Find(text); len(found) > 0 {
			t.Errorf("found %v in %s", found, text)
		}
	}
	if found := (&Finder{}).Find(planted); len(found) > 0 {
		t.Errorf("a finder that knows nothing found %v", found)
	}
}

func TestWhatIsFoundIsNamedAndNotShown(t *testing.T) {
	var f Finder
	f.Add("password", planted)
	f.Add("refresh token", "another-secret-value")
	got := f.Find(planted + " " + planted + " another-secret-value")
	if !slices.Contains(got, "refresh token as plain text") || !slices.Contains(got, "password as plain text") || len(f.Find(fmt.Sprint(got))) > 0 {
		t.Errorf("found %v", got)
	}
}
