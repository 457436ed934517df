package explore_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/calls"
)

const tokenRequest = calls.TokenRequest

// fault is one way in which an external call fails.
type fault struct {
	kills  bool          // the process dies, before or after the effect
	fails  bool          // the caller gets an error
	effect bool          // the call has its effect
	late   time.Duration // the effect comes so long after the error
	slow   time.Duration // the call takes so long
	server *fakereltio.Fault
	again  bool // the server's fault meets what the call repeats too
}

// faults are the faults of every call. A late effect at AWS comes soon, because
// AWS's servers do not continue a request for long after its caller has gone.
var faults = map[string]fault{
	"refused":       {fails: true},
	"answer lost":   {fails: true, effect: true},
	"slow":          {slow: 3500 * time.Millisecond, effect: true},
	"timeout":       {slow: 9 * time.Second, fails: true},
	"late effect":   {fails: true, effect: true, late: 1500 * time.Millisecond},
	"killed before": {kills: true},
	"killed after":  {kills: true, effect: true},
}

// serverFaults are those of a token request.
var serverFaults = map[string]fakereltio.Fault{
	"executed, 408":             fakereltio.ExecutedThenStatus(408),
	"executed, 500":             fakereltio.ExecutedThenStatus(500),
	"executed, 502":             fakereltio.ExecutedThenStatus(502),
	"executed, 504":             fakereltio.ExecutedThenStatus(504),
	"502, executed 1.5 s later": fakereltio.StatusThenExecuted(502, 1500*time.Millisecond),
	"504, executed 30 s later":  fakereltio.StatusThenExecuted(504, 30*time.Second),
	"408, executed 30 s later":  fakereltio.StatusThenExecuted(408, 30*time.Second),
	"500, not executed":         fakereltio.Status(500),
	"answer lost":               fakereltio.AnswerLost(),
	"cut in the body":           fakereltio.CutMidBody(20),
	"not executed":              fakereltio.NotExecuted(),
	"unreachable":               fakereltio.Unreachable(),
	"slow answer":               fakereltio.SlowAnswer(17 * time.Second),
	"executed after 25 s":       fakereltio.Slow(25 * time.Second),
	"hangs":                     fakereltio.Hang(),
	"429":                       fakereltio.Throttled("2"),
	"429 for 3 minutes":         fakereltio.Throttled("180"),
	"503":                       fakereltio.StatusRetryAfter(503, "2"),
	"503 for 3 minutes":         fakereltio.StatusRetryAfter(503, "180"),
	"no access token":           fakereltio.OddAnswer("no access token", map[string]any{"access_token": nil}),
	"another token type":        fakereltio.OddAnswer("token type", map[string]any{"token_type": "mac"}),
	"error beside the token":    fakereltio.OddAnswer("error", map[string]any{"error": "server_error"}),
	"invalid_grant 400":         fakereltio.OAuthError(400, "invalid_grant", "no"),
	"invalid_grant 401":         fakereltio.OAuthError(401, "invalid_grant", "no"),
	"invalid_grant 403":         fakereltio.OAuthError(403, "invalid_grant", "no"),
	"invalid_client":            fakereltio.OAuthError(401, "invalid_client", "no"),
	"firewall page":             fakereltio.FirewallPage(),
	"killed before":             {}, // see faults
	"killed after":              {},
}

// faultsOf returns the names of the faults that a call can have, sorted.
func faultsOf(call string) []string {
	switch {
	case isTokenRequest(call):
		return serverFaultNames
	case call == "Credentials.Read" || call == "Credentials.ReadVersion" || call == "Saver.Labels" || call == "Lister.List" || call == "Parameters.At(lease)":
		return []string{"killed before", "refused", "slow", "timeout"}
	}
	if call == "Parameters.Put(state)" {
		// A state that is written late looks like a newer one, because Parameter
		// Store has no compare-and-set.
		return slices.DeleteFunc(slices.Clone(faultNames), func(name string) bool { return name == "late effect" })
	}
	return faultNames
}

var (
	faultNames       = slices.Sorted(maps.Keys(faults))
	serverFaultNames = slices.Sorted(maps.Keys(serverFaults))
)

// faultOf returns the fault with this name of a call.
func faultOf(call, name string) fault {
	if server, ok := serverFaults[name]; ok && isTokenRequest(call) && !strings.HasPrefix(name, "killed") {
		return fault{server: &server, effect: true}
	}
	return faults[name]
}

func isTokenRequest(call string) bool { return strings.HasPrefix(call, tokenRequest) }

// lastEffect is how long after its answer a fault may still have an effect.
func (f fault) lastEffect() time.Duration {
	if f.server != nil {
		return max(f.server.Late, f.server.Delay)
	}
	return f.late
}
