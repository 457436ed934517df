package redaction

import (
	"bytes"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// What make run prints with a user's own credentials: with a token endpoint that
// echoes them, with a server that is none, and with invalid files.
func TestWhatMakeRunPrints(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "run")
	if output, err := exec.Command("go", "build", "-o", program, module+"cmd/demo").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	const good = `{"client_id":"client","client_secret":SECRET,"refresh_token":REFRESH}`
	const login = `{"client_id":"client","client_secret":SECRET,"refresh_token":REFRESH,"username":USER,"password":PASSWORD}`
	var all sync.WaitGroup
	for name, c := range map[string]struct {
		document string
		faults   []fakereltio.Fault
		raw      string
		saves    bool
	}{
		"the new refresh token is saved":  {document: good, saves: true},
		"a server that echoes":            {document: login, faults: []fakereltio.Fault{echoing(faults["OAuthError"][0]), echoing(faults["OAuthError"][0])}},
		"a server that is none":           {document: login, raw: malformed["a header"]},
		"a file that is not JSON":         {document: `client_secret=BARE`},
		"a file that breaks off":          {document: `{"client_id":"client","client_secret":SECRET,"refresh_token":REFRESH`},
		"a file with a wrong type":        {document: `{"client_id":"client","client_secret":[SECRET],"refresh_token":REFRESH}`},
		"a file with secrets as the keys": {document: `{SECRET:REFRESH}`},
	} {
		server := fakereltio.New(fakereltio.Options{
			ClientSecret: clientSecret, Username: username, Password: password,
			EchoRefreshToken: true, RotateRefreshToken: true, TokenFormat: fakereltio.Base64,
		})
		server.AddRefreshToken(refreshToken)
		server.Script(c.faults...)
		d := &deployed{t: t, token: middle{next: server}}
		for name, value := range canaries {
			d.finder.Add(name, value)
		}
		if c.raw != "" {
			d.spoil("the token endpoint", c.raw)
		}
		endpoint := httptest.NewServer(&d.token)
		t.Cleanup(endpoint.Close)
		t.Cleanup(server.Close)
		all.Go(func() { d.wantMakeRunSilent(name, program, with(c.document), endpoint.URL, c.saves) })
	}
	all.Wait()
}

// wantMakeRunSilent runs it for a moment. It may fail.
func (d *deployed) wantMakeRunSilent(name, program, document, url string, saves bool) {
	file := filepath.Join(d.t.TempDir(), "credentials.json")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		d.t.Error(err)
		return
	}
	run := exec.CommandContext(d.t.Context(), program)
	run.Env = append(os.Environ(), "CREDENTIALS="+file, "TOKEN_URL="+url+"/oauth/token", "RUN_FOR=2s", "YES=true")
	saveTo := filepath.Join(filepath.Dir(file), "new.json")
	if saves {
		run.Env = append(run.Env, "SAVE_TO="+saveTo)
	}
	var printed bytes.Buffer
	run.Stdout, run.Stderr = &printed, &printed
	_ = run.Run()
	if strings.TrimSpace(printed.String()) == "" {
		d.t.Errorf("%s: nothing was printed", name)
	}
	if saved, err := os.ReadFile(saveTo); saves && (err != nil || bytes.Contains(saved, []byte("rT9"))) {
		d.t.Errorf("%s: the new refresh token was not saved: %v\n%s", name, err, printed.String())
	} else if saves {
		d.learn(string(saved))
	}
	if found := d.finder.Find(printed.String()); len(found) > 0 {
		d.t.Errorf("%s: %v can be seen in:\n%s", name, found, printed.String())
	}
}
