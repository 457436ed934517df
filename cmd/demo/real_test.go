package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// realEndpoint is a token endpoint over TCP with real lifetimes, and a
// credentials file for it.
func realEndpoint(t *testing.T, rotate bool) (tokenURL, file string) {
	t.Helper()
	server := fakereltio.New(fakereltio.Options{ClientSecret: "s3c+r/e=t%41 x:y", RotateRefreshToken: rotate, TokenFormat: fakereltio.Base64})
	front := httptest.NewServer(server)
	t.Cleanup(front.Close)
	t.Cleanup(server.Close)
	_, refresh := server.Login()
	document, _ := json.Marshal(map[string]string{"client_id": "client", "client_secret": "s3c+r/e=t%41 x:y", "refresh_token": refresh, "team": "a field of one's own"})
	file = filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(file, document, 0o400); err != nil {
		t.Fatal(err)
	}
	return front.URL + "/oauth/token", file
}

func TestARealEndpoint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		rotate bool
		save   bool
		says   []string
		not    []string
	}{
		{name: "the refresh token stays", says: []string{"5 of a refresh"}, not: []string{"is stale"}},
		{name: "a changed one is saved", rotate: true, save: true, says: []string{"is stale now", "mode 0600", "7 of a refresh"}},
		{name: "a changed one is named", rotate: true, says: []string{"is stale now", "SAVE_TO=file"}, not: []string{"mode 0600"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var tokenURL, file, saveTo string
			var before []byte
			fresh := func() settings {
				tokenURL, file = realEndpoint(t, test.rotate)
				before, _ = os.ReadFile(file)
				if test.save {
					saveTo = filepath.Join(filepath.Dir(file), "new.json")
				}
				s, err := readSettings(func(name string) string {
					return map[string]string{"CREDENTIALS": file, "TOKEN_URL": tokenURL, "SAVE_TO": saveTo, "RUN_FOR": "6s"}[name]
				})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			var hidden secrets
			output, well := playedFrom(t, fresh, looks{}, hidden.watch)
			if !well {
				t.Errorf("it did not go well:\n%s", output)
			}
			mustContain(t, output, append(test.says, "59 min left", "has not expired", "1 answered")...)
			for _, part := range test.not {
				if strings.Contains(output, part) {
					t.Errorf("%q is in\n%s", part, output)
				}
			}
			hidden.all = append(hidden.all, "s3c+r", "a field of one's own")
			hidden.mustBeMissing(t, output)
			if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
				t.Error("the credentials file was written")
			}
			if test.save {
				savedWorks(t, before, saveTo, tokenURL)
			}
		})
	}
}

// savedWorks: the file is private, has the old one's other fields, and works.
func savedWorks(t *testing.T, before []byte, saveTo, tokenURL string) {
	t.Helper()
	info, err := os.Stat(saveTo)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	var was, is map[string]string
	saved, _ := os.ReadFile(saveTo)
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(saved, &is) != nil || len(is) != len(was) ||
		is["team"] != was["team"] || is["client_secret"] != was["client_secret"] || is["refresh_token"] == was["refresh_token"] {
		t.Error("the saved file is not the old one with another refresh token")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(saveTo), ".save-*")); len(left) > 0 {
		t.Error("a temporary file is left")
	}
	if _, err := readSettings(func(name string) string {
		return map[string]string{"CREDENTIALS": saveTo, "TOKEN_URL": tokenURL, "RUN_FOR": "6s"}[name]
	}); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {is["refresh_token"]}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(is["client_id"], is["client_secret"])
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Errorf("the saved refresh token is answered with %s", response.Status)
	}
}

func TestOnlyAChangedRefreshTokenIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.json")
	k := keeper{path: path, document: `{"refresh_token":"a"}`}
	k.take(`{"refresh_token":"a","note":"new"}`)
	if changed, _, _ := k.state(); changed {
		t.Error("another field counts as another refresh token")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it was written")
	}
	k.take(`{"refresh_token":"b"}`)
	k.take(`{"refresh_token":"c"}`)
	if saved, _ := os.ReadFile(path); string(saved) != `{"refresh_token":"c"}` {
		t.Error("the last one is not what was kept")
	}
}
