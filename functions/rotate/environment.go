package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
)

// environment is what the function is told by its environment variables.
type environment struct {
	prefix                 string
	settings               rotator.Settings
	tokenRequestsPerSecond int
	logLevel               slog.Level
}

// stack is the last part of the prefix, reltio-token-rotator/STACK.
func (e environment) stack() string {
	return e.prefix[strings.LastIndexByte(e.prefix, '/')+1:]
}

// isPrefix reports whether text is two names or more of what Secrets Manager and
// Parameter Store both take, separated by slashes.
func isPrefix(text string) bool {
	const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
	names := strings.Split(text, "/")
	return len(names) > 1 && !slices.ContainsFunc(names, func(name string) bool {
		return name == "" || strings.Trim(name, characters) != ""
	})
}

// readEnvironment returns every mistake at once, each naming its variable. The
// log level is usable also beside an error.
func readEnvironment(getenv func(string) string) (environment, error) {
	var errs []error
	wrong := map[string]bool{}
	refuse := func(name, format string, args ...any) {
		if !wrong[name] {
			wrong[name] = true
			errs = append(errs, fmt.Errorf(name+": "+format, args...))
		}
	}
	required := func(name string) string {
		value := getenv(name)
		if value == "" {
			refuse(name, "is missing")
		}
		return value
	}
	duration := func(name string) time.Duration {
		value := required(name)
		d, err := time.ParseDuration(value)
		if value != "" && (err != nil || d <= 0) {
			refuse(name, "%q is not a positive duration such as 10m", value)
		}
		return d
	}

	e := environment{prefix: required("PREFIX")}
	if e.prefix != "" && !isPrefix(e.prefix) {
		refuse("PREFIX", "%q is not of the form reltio-token-rotator/STACK", e.prefix)
	}
	e.settings = rotator.Settings{
		TokenURL:        required("TOKEN_URL"),
		TokenHosts:      splitList(required("TOKEN_HOSTS")),
		RefreshBefore:   duration("REFRESH_BEFORE"),
		Heartbeat:       duration("HEARTBEAT"),
		AllowDockerHost: getenv("AWS_SAM_LOCAL") != "",
	}
	rate := required("TOKEN_REQUESTS_PER_SECOND")
	n, err := strconv.Atoi(rate)
	if rate != "" && (err != nil || n < 1) {
		refuse("TOKEN_REQUESTS_PER_SECOND", "%q is not a whole number of at least 1", rate)
	}
	e.tokenRequestsPerSecond = n
	if level := getenv("LOG_LEVEL"); level != "" {
		if !slices.Contains([]string{"DEBUG", "INFO", "WARN", "ERROR"}, level) || e.logLevel.UnmarshalText([]byte(level)) != nil {
			refuse("LOG_LEVEL", "%q is none of DEBUG, INFO, WARN, ERROR", level)
		}
	}
	if endpoint := getenv("AWS_ENDPOINT_URL"); endpoint != "" && !local(endpoint) {
		refuse("AWS_ENDPOINT_URL", "is for local runs only; use a loopback address, host.docker.internal, or leave it out")
	}
	for _, mistake := range e.settings.Mistakes() {
		refuse(mistake.Variable, "%w", mistake.Err)
	}
	return e, errors.Join(errs...)
}

func splitList(list string) []string {
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		items = append(items, strings.TrimSpace(item))
	}
	return items
}

func local(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := u.Hostname()
	address, err := netip.ParseAddr(host)
	return host == "localhost" || host == "host.docker.internal" || err == nil && address.IsLoopback()
}
