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

// environment is what the function's environment variables say.
type environment struct {
	prefix                 string
	settings               rotator.Settings
	tokenRequestsPerSecond int
	useProxy               bool // HTTPS_PROXY and NO_PROXY apply
	logLevel               slog.Level
}

// stack is the last part of the prefix, reltio-token-rotator/STACK.
func (e environment) stack() string {
	return e.prefix[strings.LastIndexByte(e.prefix, '/')+1:]
}

// isPrefix reports whether text is two or more names, separated by slashes, of the
// characters that Secrets Manager and Parameter Store both allow.
func isPrefix(text string) bool {
	const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
	names := strings.Split(text, "/")
	return len(names) > 1 && !slices.ContainsFunc(names, func(name string) bool {
		return name == "" || strings.Trim(name, characters) != ""
	})
}

// readEnvironment returns every mistake at once, each with its variable's name and
// never with the value, which may be a secret in the wrong place. The log level can
// be used beside an error too.
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
			refuse(name, "is not a positive duration such as 10m")
		}
		return d
	}

	e := environment{prefix: required("PREFIX")}
	if e.prefix != "" && !isPrefix(e.prefix) {
		refuse("PREFIX", "is not of the form reltio-token-rotator/STACK")
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
		refuse("TOKEN_REQUESTS_PER_SECOND", "is not a whole number of at least 1")
	}
	e.tokenRequestsPerSecond = n
	if level := getenv("LOG_LEVEL"); level != "" {
		if !slices.Contains([]string{"DEBUG", "INFO", "WARN", "ERROR"}, level) || e.logLevel.UnmarshalText([]byte(level)) != nil {
			refuse("LOG_LEVEL", "is none of DEBUG, INFO, WARN, ERROR")
		}
	}
	if endpoint := getenv("AWS_ENDPOINT_URL"); endpoint != "" && !local(endpoint) {
		refuse("AWS_ENDPOINT_URL", "is for local runs only; use a loopback address or host.docker.internal, or leave it out")
	}
	if proxy := getenv("HTTPS_PROXY"); proxy != "" {
		e.useProxy = true
		if !isProxy(proxy) {
			refuse("HTTPS_PROXY", "is not an http or https URL with a host, and without user name, password, path, query and fragment")
		}
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
