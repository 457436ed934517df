package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestServesSeededCredentials(t *testing.T) {
	for _, given := range []string{"", "a+b/c="} {
		file := filepath.Join(t.TempDir(), "credentials.json")
		getenv := func(name string) string {
			return map[string]string{"RELTIO_CLIENT_SECRET": "s3c+r/e", "RELTIO_REFRESH_TOKEN": given}[name]
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		out, stdout := io.Pipe()
		var stderr strings.Builder
		ended := make(chan error, 1)
		go func() {
			ended <- run(ctx, []string{"-client-id", "me", "-lifetime", "12s", "-seed-file", file, "-seed-login"}, getenv, stdout, &stderr)
			_ = stdout.Close()
		}()
		base, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err, stderr.String())
		}

		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("seed file: %v %v", info, err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var seeded map[string]string
		if err := json.Unmarshal(text, &seeded); err != nil {
			t.Fatal(err)
		}
		if len(seeded) != 5 || seeded["client_id"] != "me" || seeded["client_secret"] != "s3c+r/e" || seeded["username"] != "user" {
			t.Errorf("seeded %v", seeded)
		}
		if given != "" && seeded["refresh_token"] != given {
			t.Error("the refresh token is not the given one")
		}

		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {seeded["refresh_token"]}}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSpace(base)+"/oauth/token", strings.NewReader(form.Encode()))
		req.SetBasicAuth(seeded["client_id"], seeded["client_secret"])
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.Contains(string(body), `"expires_in":11`) {
			t.Errorf("%d %s", res.StatusCode, body)
		}

		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if !strings.Contains(stderr.String(), "refresh_token → 200") || strings.Contains(stderr.String(), seeded["refresh_token"]) {
			t.Errorf("stderr %q", stderr.String())
		}
	}
}

func TestArgumentsAreChecked(t *testing.T) {
	for _, args := range [][]string{{"-token-format", "hex"}, {"stray"}, {"-lifetime", "soon"}, {"-addr", "nowhere"}} {
		err := run(t.Context(), args, func(string) string { return "" }, io.Discard, io.Discard)
		if err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
