package rotator

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Settings are the function's own settings; a connection's config overrides
// some of them. Error messages name the environment variables.
type Settings struct {
	// TokenURL is where token requests go (TOKEN_URL).
	TokenURL string
	// TokenHosts limits where credentials may be sent (TOKEN_HOSTS). A host
	// matches when it is equal to an entry or ends in a dot and the entry.
	TokenHosts []string
	// RefreshBefore is how long before its expiry a token is replaced
	// (REFRESH_BEFORE). It is less for tokens that live shortly: see window.
	RefreshBefore time.Duration
	// Heartbeat is the schedule's interval (HEARTBEAT).
	Heartbeat time.Duration
	// AllowDockerHost accepts http to host.docker.internal, for sam local.
	AllowDockerHost bool
}

// Mistake is a setting that cannot be used, with the name of its variable.
type Mistake struct {
	Variable string
	Err      error
}

// Mistakes returns all settings that cannot be used.
func (s Settings) Mistakes() []Mistake {
	var mistakes []Mistake
	for i, host := range s.TokenHosts {
		if !isHostName(host) { // it is not shown: it could be a password
			mistakes = append(mistakes, Mistake{"TOKEN_HOSTS", fmt.Errorf("entry %d is not a lower-case host name; list hosts such as reltio.com, separated by commas, without scheme, port, user or wildcard", i+1)})
		}
	}
	if err := s.checkTokenURL(s.TokenURL); err != nil {
		mistakes = append(mistakes, Mistake{"TOKEN_URL", err})
	}
	if s.Heartbeat <= 0 {
		mistakes = append(mistakes, Mistake{"HEARTBEAT", errors.New("must be a positive duration such as 1m")})
	} else if err := s.checkRefreshBefore(s.RefreshBefore); err != nil {
		mistakes = append(mistakes, Mistake{"REFRESH_BEFORE", err})
	}
	return mistakes
}

// checkRefreshBefore returns an error if d is shorter than two heartbeats, one of which
// may be missed, or longer than any token lives.
func (s Settings) checkRefreshBefore(d time.Duration) error {
	if d < 2*s.Heartbeat {
		return fmt.Errorf("%v is less than two heartbeats (2 × %v = %v), so that a single missed one could let the token expire; use at least %v", d, s.Heartbeat, 2*s.Heartbeat, 2*s.Heartbeat)
	}
	if d > maxLifetime {
		return fmt.Errorf("%v is longer than a token can live (%v)", d, maxLifetime)
	}
	return nil
}

// checkTokenURL returns an error if credentials must not be sent to raw. The error
// names no part of the URL but the host, because a URL can hold a password.
func (s Settings) checkTokenURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return errors.New("is not a URL; use one such as https://auth.reltio.com/oauth/token")
	}
	switch {
	case u.User != nil:
		return errors.New("has user information; credentials belong in the credentials secret")
	case strings.ContainsAny(raw, "?#"):
		return errors.New("has a query or a fragment; a server may take the query's parameters before the request's own")
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && (isLoopback(host) || s.AllowDockerHost && host == "host.docker.internal"):
	default:
		return fmt.Errorf("credentials would go to %s unencrypted; use https (http is for loopback in local runs only)", host)
	}
	var names []string
	for _, allowed := range s.TokenHosts {
		if host == allowed || strings.HasSuffix(host, "."+allowed) {
			return nil
		}
		if isHostName(allowed) {
			names = append(names, allowed)
		}
	}
	return fmt.Errorf("host %s is not within TOKEN_HOSTS (%s); correct the URL, or add the host to the stack's TokenHosts", host, strings.Join(names, ","))
}

// isHostName reports whether text has the form that the template allows an entry
// of TokenHosts.
func isHostName(text string) bool {
	return madeOf(text, 253, lower+digits+".-") && strings.Trim(text, ".-") == text
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
