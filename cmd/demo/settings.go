package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"reltio-token-rotator/cmd/internal/credentialsfile"
	"reltio-token-rotator/rotator/secret"
)

// settings are what is shown, and how fast.
type settings struct {
	heartbeat time.Duration
	// refreshBefore is how long before its end a token is replaced.
	refreshBefore time.Duration
	// bootstrap is the built function; it is built where this is empty.
	bootstrap string

	// Between fakes: how long a minute takes, and how long a token lives.
	minute, lifetime time.Duration

	// With a real token endpoint at tokenURL, and the credentials of a file.
	real   bool
	runFor time.Duration
	// readEvery is how often the job reads the token secret, reread for how long
	// it tries again where its token is refused.
	readEvery, reread time.Duration
	tokenURL          string
	apiURL            string // an API that takes tokens; none when empty
	credentials       secret.Value
	credentialsFile   string
	shared            bool // other users of the machine may read the file
	saveTo            string
	proxy             string // for the token endpoint; none when empty
	yes               bool   // request tokens without asking
}

// at returns the settings between fakes, where a minute takes so long.
func at(minute time.Duration) settings {
	return settings{
		minute: minute, heartbeat: minute, refreshBefore: time.Duration(window) * minute,
		// The answer cuts it to whole seconds.
		lifetime: time.Duration(lifetime)*minute + 900*time.Millisecond,
	}
}

// readSettings returns every mistake at once, by the variable's name.
func readSettings(getenv func(string) string) (settings, error) {
	var errs []error
	refuse := func(name, format string, args ...any) {
		errs = append(errs, fmt.Errorf(name+": "+format, args...))
	}
	if getenv("CREDENTIALS") == "" {
		for _, name := range []string{"TOKEN_URL", "API_URL", "SAVE_TO", "PROXY", "RUN_FOR"} {
			if getenv(name) != "" {
				refuse(name, "is for a real token endpoint: set CREDENTIALS=file too")
			}
		}
		return at(time.Second / 5), errors.Join(errs...)
	}
	s := settings{
		real: true, runFor: 30 * time.Second, heartbeat: 10 * time.Second, refreshBefore: 10 * time.Minute,
		readEvery: time.Second, reread: time.Second,
		tokenURL: getenv("TOKEN_URL"), apiURL: getenv("API_URL"), proxy: getenv("PROXY"),
		credentialsFile: getenv("CREDENTIALS"), saveTo: getenv("SAVE_TO"), yes: isYes(getenv("YES")),
	}
	if value := getenv("RUN_FOR"); value != "" {
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			refuse("RUN_FOR", "%q is not a positive duration such as 5m", value)
		}
		s.runFor = d
	}
	if s.tokenURL == "" {
		refuse("TOKEN_URL", "is missing: CREDENTIALS are for a real token endpoint, such as https://auth.reltio.com/oauth/token")
	} else if err := credentialsfile.CheckURL(s.tokenURL); err != nil {
		refuse("TOKEN_URL", "%w", err)
	}
	if s.apiURL != "" {
		if err := credentialsfile.CheckURL(s.apiURL); err != nil {
			refuse("API_URL", "%w", err)
		}
	}
	s.readFile(refuse)
	s.checkSaveTo(refuse)
	return s, errors.Join(errs...)
}

func isYes(value string) bool { return value == "true" || value == "1" || value == "yes" }

// readFile reads the credentials. Nothing of them is shown.
func (s *settings) readFile(refuse func(name, format string, args ...any)) {
	var err error
	if s.credentials, s.shared, err = credentialsfile.Read(s.credentialsFile); err != nil {
		refuse("CREDENTIALS", "%w", err)
	} else if _, err := credentialsfile.Sets(s.credentials); err != nil {
		refuse("CREDENTIALS", "the file %s cannot be used: %w", s.credentialsFile, err)
	}
}

// checkSaveTo proves that the file can be written: later a refresh token would be
// lost.
func (s *settings) checkSaveTo(refuse func(name, format string, args ...any)) {
	if s.saveTo == "" {
		return
	}
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
