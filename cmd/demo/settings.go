package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"reltio-token-rotator/rotator"
)

// settings are what is played, and how fast.
type settings struct {
	runFor    time.Duration
	heartbeat time.Duration
	// refreshBefore is how long before its end a token is replaced.
	refreshBefore time.Duration
	// lifetime of the fake's tokens.
	lifetime time.Duration
	// readEvery is how often the job reads the token secret, reread for how long
	// it tries again where its token is refused.
	readEvery, reread time.Duration

	// bootstrap is the built function; it is built where this is empty.
	bootstrap string

	// real: a real token endpoint at tokenURL, with the credentials of a file.
	real            bool
	tokenURL        string
	credentials     string // the document
	credentialsFile string
	saveTo          string
	proxy           string // for the token endpoint; none when empty
}

// readSettings returns every mistake at once, by the variable's name.
func readSettings(getenv func(string) string) (settings, error) {
	s := settings{
		runFor: 30 * time.Second, heartbeat: 500 * time.Millisecond, refreshBefore: 3 * time.Second, lifetime: 12 * time.Second,
		readEvery: 200 * time.Millisecond, reread: time.Second,
	}
	var errs []error
	refuse := func(name, format string, args ...any) {
		errs = append(errs, fmt.Errorf(name+": "+format, args...))
	}
	if value := getenv("RUN_FOR"); value != "" {
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			refuse("RUN_FOR", "%q is not a positive duration such as 5m", value)
		}
		s.runFor = d
	}
	s.credentialsFile, s.tokenURL, s.saveTo, s.proxy = getenv("CREDENTIALS"), getenv("TOKEN_URL"), getenv("SAVE_TO"), getenv("PROXY")
	switch {
	case s.credentialsFile != "":
		s.real = true
		s.heartbeat, s.refreshBefore, s.readEvery = 10*time.Second, 10*time.Minute, time.Second
		s.readReal(refuse)
	case s.tokenURL != "":
		refuse("TOKEN_URL", "needs CREDENTIALS=file beside it: a client for that endpoint")
	case s.proxy != "":
		refuse("PROXY", "needs CREDENTIALS=file and TOKEN_URL beside it: the fake is on this machine")
	case s.saveTo != "":
		refuse("SAVE_TO", "needs CREDENTIALS=file and TOKEN_URL beside it: the fake's tokens are worth nothing")
	}
	return s, errors.Join(errs...)
}

// readReal reads what a real token endpoint needs. Nothing of the file is shown.
func (s *settings) readReal(refuse func(name, format string, args ...any)) {
	if s.tokenURL == "" {
		refuse("TOKEN_URL", "is missing: CREDENTIALS are for a real token endpoint, such as https://auth.reltio.com/oauth/token")
	} else {
		function := rotator.Settings{TokenURL: s.tokenURL, TokenHosts: []string{s.tokenHost()}, RefreshBefore: s.refreshBefore, Heartbeat: s.heartbeat}
		for _, mistake := range function.Mistakes() {
			if mistake.Variable == "TOKEN_URL" {
				refuse("TOKEN_URL", "%w", mistake.Err)
			}
		}
	}
	document, err := os.ReadFile(s.credentialsFile)
	var fields map[string]json.RawMessage
	if err != nil {
		refuse("CREDENTIALS", "%w", err)
	} else if json.Unmarshal(document, &fields) != nil || fields == nil {
		refuse("CREDENTIALS", "%s is not a JSON object; it holds client_id, client_secret and refresh_token", s.credentialsFile)
	}
	s.credentials = string(document)
	if s.saveTo == "" {
		return
	}
	// All of this now, since later a refresh token would be lost.
	if _, err := os.Lstat(s.saveTo); err == nil {
		refuse("SAVE_TO", "%s is there already and is not written over; name a new file", s.saveTo)
	} else if probe, err := os.CreateTemp(filepath.Dir(s.saveTo), ".save-*"); err != nil {
		refuse("SAVE_TO", "%w", err)
	} else {
		_, _ = probe.Close(), os.Remove(probe.Name())
	}
}

// tokenHost is the only host that the function may send credentials to.
func (s *settings) tokenHost() string {
	u, err := url.Parse(s.tokenURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
