package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	folder := t.TempDir()
	good, list, part := filepath.Join(folder, "good.json"), filepath.Join(folder, "list.json"), filepath.Join(folder, "part.json")
	for path, document := range map[string]string{good: `{"client_id":"c","client_secret":"hush"}`, list: `["hush"]`, part: `{"client_secret":"hush"}`} {
		if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const url = "https://auth.reltio.com/oauth/token"
	tests := []struct {
		name string
		env  map[string]string
		want []string // the variables complained about
	}{
		{"nothing", nil, nil},
		{"longer, between fakes", map[string]string{"RUN_FOR": "5m"}, []string{"RUN_FOR"}},
		{"longer", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "RUN_FOR": "5m"}, nil},
		{"no duration", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "RUN_FOR": "5"}, []string{"RUN_FOR"}},
		{"a negative one", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "RUN_FOR": "-5s"}, []string{"RUN_FOR"}},
		{"a query", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url + "?grant_type=x"}, []string{"TOKEN_URL"}},
		{"an API", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "API_URL": "https://api.example.com/me"}, nil},
		{"an unencrypted API", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "API_URL": "http://api.example.com/me"}, []string{"API_URL"}},
		{"an API for the fakes", map[string]string{"API_URL": "https://api.example.com/me"}, []string{"API_URL"}},
		{"a file that misses a field", map[string]string{"CREDENTIALS": part, "TOKEN_URL": url}, []string{"CREDENTIALS"}},
		{"a real client", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "SAVE_TO": filepath.Join(folder, "new.json")}, nil},
		{"no URL", map[string]string{"CREDENTIALS": good}, []string{"TOKEN_URL"}},
		{"no credentials", map[string]string{"TOKEN_URL": url}, []string{"TOKEN_URL"}},
		{"a proxy", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "PROXY": "http://proxy:3128"}, nil},
		{"a proxy to the fake", map[string]string{"PROXY": "http://proxy:3128"}, []string{"PROXY"}},
		{"nothing to save", map[string]string{"SAVE_TO": "x"}, []string{"SAVE_TO"}},
		{"unencrypted", map[string]string{"CREDENTIALS": good, "TOKEN_URL": "http://auth.reltio.com/oauth/token"}, []string{"TOKEN_URL"}},
		{"no such file", map[string]string{"CREDENTIALS": good + "x", "TOKEN_URL": url}, []string{"CREDENTIALS"}},
		{"no object", map[string]string{"CREDENTIALS": list, "TOKEN_URL": url}, []string{"CREDENTIALS"}},
		{"the credentials file itself", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "SAVE_TO": good}, []string{"SAVE_TO"}},
		{"no such folder", map[string]string{"CREDENTIALS": good, "TOKEN_URL": url, "SAVE_TO": filepath.Join(folder, "no", "x")}, []string{"SAVE_TO"}},
		{"all wrong", map[string]string{"RUN_FOR": "x", "CREDENTIALS": list, "TOKEN_URL": "x", "SAVE_TO": good}, []string{"RUN_FOR", "TOKEN_URL", "CREDENTIALS", "SAVE_TO"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := readSettings(func(name string) string { return test.env[name] })
			var got []string
			if err != nil {
				for line := range strings.Lines(err.Error()) {
					name, _, _ := strings.Cut(line, ":")
					got = append(got, name)
				}
				if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "secret cannot be used") {
					t.Errorf("it shows what is in the file, or speaks of a secret: %v", err)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("complaints about %v, want %v (%v)", got, test.want, err)
			}
		})
	}
}
