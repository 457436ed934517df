package e2e_test

import (
	"net/http"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// failure is one row of the table of error codes: how something fails, and
// everything that follows until it works again.
type failure struct {
	name string
	// breaks causes the failure, and repairs ends it.
	breaks, repairs func(s *fixture)
	options         fakereltio.Options
	logsIn          bool // the credentials hold a username and a password

	code rotator.Code
	// sends is how many token requests the first failing run makes.
	sends int
	// tries are the minutes after the first failure at which an attempt is made
	// during the failure. Between them the connection is backing_off.
	tries []int
	// ended says that the published token may have ended.
	ended bool
	// operator says that the failure needs an operator.
	operator bool
	// awaits says that a token is requested at once after the credentials secret has
	// changed.
	awaits bool
	// says is a part of the message's advice.
	says string
}

var (
	everyHeartbeat = []int{0, 1, 2, 3, 4, 5, 6, 7}
	backOff        = []int{0, 1, 3, 7, 15, 30, 60}
	onceAnHour     = []int{0, 60, 120}
	neverAgain     = []int{0}
)

func faulty(fault fakereltio.Fault) func(*fixture) {
	return func(s *fixture) { s.always(fault) }
}

func repair(s *fixture) { s.recover() }

func denied(operation, name, code string) func(*fixture) {
	return func(s *fixture) {
		s.AWS.Inject(fakeaws.Fault{Operation: operation, Name: name, Code: code, Times: -1})
	}
}

func allowed(s *fixture) { s.AWS.ClearFaults() }

func configured(document string) func(*fixture) {
	return func(s *fixture) { s.config("default", document) }
}

func reply(status int, body string) fakereltio.Fault {
	return fakereltio.Fault{
		Name: "reply", Status: status, Body: body,
		Header: http.Header{"Content-Type": {"application/json"}},
	}
}

var passing = []failure{
	{
		name: "429", breaks: faulty(fakereltio.Throttled("")), repairs: repair,
		code: rotator.Throttled, sends: 3, tries: everyHeartbeat, says: "tries again later",
	},
	{
		name: "429 with a Retry-After that a run can wait for", breaks: faulty(fakereltio.Throttled("5")), repairs: repair,
		code: rotator.Throttled, sends: 3, tries: everyHeartbeat, says: "tries again later",
	},
	{
		name: "429 with a Retry-After beyond the run", breaks: faulty(fakereltio.Throttled("170")), repairs: repair,
		code: rotator.Throttled, sends: 1, tries: []int{0, 3, 6}, says: "tries again later",
	},
	{
		name: "429 with a Retry-After of a day, of which an hour is believed", breaks: faulty(fakereltio.Throttled("86400")), repairs: repair,
		code: rotator.Throttled, sends: 1, tries: onceAnHour, says: "tries again later",
	},
	{
		name: "429 with a Retry-After as a date", repairs: repair,
		breaks: func(s *fixture) {
			s.always(fakereltio.Throttled(time.Now().Add(4 * time.Minute).UTC().Format(http.TimeFormat)))
		},
		code: rotator.Throttled, sends: 1, tries: []int{0, 4, 5, 6, 7}, says: "tries again later",
	},
	{
		name: "503 with a Retry-After that a run can wait for", breaks: faulty(fakereltio.StatusRetryAfter(503, "5")), repairs: repair,
		code: rotator.ServerError, sends: 3, tries: everyHeartbeat, says: "tries again later",
	},
	{
		name: "503 with a Retry-After beyond the run", breaks: faulty(fakereltio.StatusRetryAfter(503, "170")), repairs: repair,
		code: rotator.ServerError, sends: 1, tries: []int{0, 3, 6}, says: "tries again later",
	},
	{
		name: "408", breaks: faulty(fakereltio.Status(408)), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "the published token may no longer be accepted",
	},
	{
		name: "500, after which the server may go on", breaks: faulty(fakereltio.Status(500)), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "the published token may no longer be accepted",
	},
	{
		name: "502 of a gateway", breaks: faulty(fakereltio.Status(502)), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "the published token may no longer be accepted",
	},
	{
		name: "503 without Retry-After", breaks: faulty(fakereltio.Status(503)), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "the published token may no longer be accepted",
	},
	{
		name: "504 of a gateway", breaks: faulty(fakereltio.Status(504)), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "the published token may no longer be accepted",
	},
	{
		name: "524 of a gateway", breaks: faulty(fakereltio.Status(524)), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "the published token may no longer be accepted",
	},
	{
		name: "500 with an OAuth code", breaks: faulty(fakereltio.OAuthError(500, "invalid_grant", "Invalid refresh token")), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "the published token may no longer be accepted",
	},
	{
		name: "a host that DNS does not know", breaks: configured(`{"token_url":"https://gone.reltio.com/oauth/token"}`), repairs: configured("{}"),
		code: rotator.Unreachable, sends: 0, tries: everyHeartbeat, says: "check token_url",
	},
	{
		name: "an answer cut off before it began", breaks: faulty(fakereltio.AnswerLost()), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "next heartbeat",
	},
	{
		name: "an answer cut off in its middle", breaks: faulty(fakereltio.CutMidBody(20)), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "next heartbeat",
	},
	{
		name: "a request that may not even have arrived", breaks: faulty(fakereltio.NotExecuted()), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "next heartbeat",
	},
	{
		name: "no answer", breaks: faulty(fakereltio.Hang()), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "timed out",
	},
	{
		name: "an answer after 25 s", breaks: faulty(fakereltio.Slow(25 * time.Second)), repairs: repair,
		code: rotator.AnswerLost, sends: 1, tries: everyHeartbeat, ended: true, says: "timed out",
	},
	{
		name: "not JSON", breaks: faulty(fakereltio.NotJSON()), repairs: repair,
		code: rotator.BadResponse, sends: 1, ended: true, tries: backOff, says: "check that token_url",
	},
	{
		name: "128 KiB", breaks: faulty(fakereltio.Huge()), repairs: repair,
		code: rotator.BadResponse, sends: 1, ended: true, tries: backOff, says: "check that token_url",
	},
	{
		name: "an empty 200", breaks: faulty(fakereltio.Empty()), repairs: repair,
		code: rotator.BadResponse, sends: 1, ended: true, tries: backOff, says: "check that token_url",
	},
	{
		name: "a 200 without an access token", breaks: faulty(fakereltio.NoAccessToken()), repairs: repair,
		code: rotator.BadResponse, sends: 1, ended: true, tries: backOff, says: "check that token_url",
	},
	{
		name: "a 200 with an error inside", breaks: faulty(fakereltio.ErrorInside()), repairs: repair,
		code: rotator.BadResponse, sends: 1, ended: true, tries: backOff, says: "check that token_url",
	},
	{
		name: "an MFA challenge to a refresh", breaks: faulty(reply(200, `{"state_token":"5a1d0c6e","expires_in":599}`)), repairs: repair,
		code: rotator.BadResponse, sends: 1, ended: true, tries: backOff, says: "MFA",
	},
	{
		name: "a redirect", breaks: faulty(fakereltio.Redirect(307, "https://elsewhere.reltio.com/oauth/token")), repairs: repair,
		code: rotator.BadResponse, sends: 1, tries: backOff, says: "set token_url",
	},
	{
		name: "a token without a lifetime", repairs: repair, ended: true,
		breaks: faulty(reply(200, `{"access_token":"b7fdb6e5","token_type":"bearer"}`)),
		code:   rotator.BadResponse, sends: 1, tries: backOff, says: "nothing was published",
	},
	{
		name: "a token with no life left", repairs: repair, ended: true,
		breaks: faulty(reply(200, `{"access_token":"b7fdb6e5","token_type":"bearer","expires_in":0}`)),
		code:   rotator.BadResponse, sends: 1, tries: backOff, says: "nothing was published",
	},
}

var rejections = []failure{
	{
		name: "a firewall's page", breaks: faulty(fakereltio.FirewallPage()), repairs: repair, operator: true,
		code: rotator.RequestRejected, sends: 1, tries: backOff, says: "firewall",
	},
	{
		name: "404", breaks: faulty(fakereltio.Status(404)), repairs: repair, operator: true,
		code: rotator.RequestRejected, sends: 1, tries: backOff, says: "check token_url",
	},
	{
		name: "a scope that the client does not have", breaks: configured(`{"scope":"admin"}`), repairs: configured("{}"), operator: true,
		code: rotator.RequestRejected, sends: 1, tries: backOff, says: "correct the connection's scope",
	},
	{
		name: "invalid_request", breaks: faulty(fakereltio.OAuthError(400, "invalid_request", "Missing grant type")), repairs: repair, operator: true,
		code: rotator.RequestRejected, sends: 1, tries: backOff, says: "check token_url",
	},
	{
		name: "unsupported_grant_type", breaks: faulty(fakereltio.OAuthError(400, "unsupported_grant_type", "Unsupported grant type")), repairs: repair, operator: true,
		code: rotator.RequestRejected, sends: 1, tries: backOff, says: "check token_url",
	},
	{
		name: "a refresh token that the server does not know", repairs: repair, operator: true, awaits: true,
		breaks: faulty(fakereltio.OAuthError(400, "invalid_grant", "Invalid refresh token")),
		code:   rotator.RefreshTokenRejected, sends: 1, tries: onceAnHour, says: "log in to Reltio again",
	},
	{
		name: "invalid_grant with 401", repairs: repair, operator: true, awaits: true,
		breaks: faulty(fakereltio.OAuthError(401, "invalid_grant", "Invalid refresh token")),
		code:   rotator.RefreshTokenRejected, sends: 1, tries: onceAnHour, says: "log in to Reltio again",
	},
	{
		name: "invalid_grant with 403", repairs: repair, operator: true, awaits: true,
		breaks: faulty(fakereltio.OAuthError(403, "invalid_grant", "Invalid refresh token")),
		code:   rotator.RefreshTokenRejected, sends: 1, tries: onceAnHour, says: "log in to Reltio again",
	},
	{
		name: "a refresh token that has expired", repairs: repair, operator: true, awaits: true, ended: true,
		breaks: faulty(fakereltio.OAuthError(401, "invalid_token", "Invalid refresh token (expired)")),
		code:   rotator.RefreshTokenRejected, sends: 1, tries: onceAnHour, says: "log in to Reltio again",
	},
	{
		name: "a client that the server does not know", operator: true, awaits: true,
		breaks: func(s *fixture) {
			s.Reltio.SetOptions(func(o *fakereltio.Options) { o.ClientSecret = "another" })
		},
		repairs: func(s *fixture) {
			s.Reltio.SetOptions(func(o *fakereltio.Options) { o.ClientSecret = clientSecret })
		},
		code: rotator.ClientRejected, sends: 1, tries: onceAnHour, says: "correct client_id and client_secret",
	},
	{
		name: "a grant that the client may not use", operator: true, awaits: true,
		breaks: func(s *fixture) {
			s.Reltio.SetOptions(func(o *fakereltio.Options) { o.Grants = []string{"password"} })
		},
		repairs: func(s *fixture) { s.Reltio.SetOptions(func(o *fakereltio.Options) { o.Grants = nil }) },
		code:    rotator.ClientRejected, sends: 1, tries: onceAnHour, says: "have the grant type refresh_token allowed",
	},
	{
		name: "unauthorized_client", repairs: repair, operator: true, awaits: true,
		breaks: faulty(fakereltio.OAuthError(400, "unauthorized_client", "")),
		code:   rotator.ClientRejected, sends: 1, tries: onceAnHour, says: "correct client_id and client_secret",
	},
	{
		name: "a refused refresh token and a refused login, with 401", repairs: repair, operator: true, awaits: true, logsIn: true, ended: false,
		breaks: faulty(fakereltio.OAuthError(401, "invalid_grant", "Bad credentials")),
		code:   rotator.LoginRejected, sends: 2, tries: neverAgain, says: "write username and password to the credentials secret",
	},
	{
		name: "a refused refresh token and a refused login", repairs: repair, operator: true, awaits: true, logsIn: true, ended: false,
		breaks: faulty(fakereltio.OAuthError(400, "invalid_grant", "Bad credentials")),
		code:   rotator.LoginRejected, sends: 2, tries: neverAgain, says: "write username and password to the credentials secret",
	},
}

// Failures that AWS or the settings cause. No token request is made, unless the row
// says so.
var atHome = []failure{
	{
		name: "a credentials secret that may not be read", operator: true,
		breaks: denied("GetSecretValue", "/credentials", "AccessDeniedException"), repairs: allowed,
		code: rotator.CredentialsUnread, tries: everyHeartbeat, says: "check that the function may read it",
	},
	{
		name: "a credentials secret that is gone", operator: true,
		breaks: denied("GetSecretValue", "/credentials", "ResourceNotFoundException"), repairs: allowed,
		code: rotator.CredentialsUnread, tries: everyHeartbeat, says: "write one",
	},
	{
		name: "a token secret that cannot be written", ended: true,
		breaks: denied("PutSecretValue", "/token", "AccessDeniedException"), repairs: allowed,
		code: rotator.TokenNotPublished, sends: 1, tries: everyHeartbeat, says: "check that it exists and that the function may write it",
	},
	{
		name:   "a lease that cannot be written",
		breaks: denied("PutParameter", "/lease", "AccessDeniedException"), repairs: allowed,
		code: rotator.StateUnavailable, tries: everyHeartbeat, says: "check that the function may write the connection's lease parameter",
	},
	{
		name: "a config with an unknown field", operator: true,
		breaks: configured(`{"colour":"blue"}`), repairs: configured("{}"),
		code: rotator.ConfigInvalid, tries: everyHeartbeat, says: `"colour" is unknown; possible are token_url`,
	},
	{
		name: "a config with a wrong type", operator: true,
		breaks: configured(`{"refresh_before_seconds":"600"}`), repairs: configured("{}"),
		code: rotator.ConfigInvalid, tries: everyHeartbeat, says: "refresh_before_seconds must be a whole number",
	},
	{
		name: "a config with a window shorter than two heartbeats", operator: true,
		breaks: configured(`{"refresh_before_seconds":119}`), repairs: configured("{}"),
		code: rotator.ConfigInvalid, tries: everyHeartbeat, says: "use at least 2m0s",
	},
	{
		name: "a config that sends credentials elsewhere", operator: true,
		breaks: configured(`{"token_url":"https://reltio.com.example.org/oauth/token"}`), repairs: configured("{}"),
		code: rotator.ConfigInvalid, tries: everyHeartbeat, says: "not within TOKEN_HOSTS",
	},
	{
		name: "a config whose URL has a query", operator: true,
		breaks: configured(`{"token_url":"https://auth.reltio.com/oauth/token?grant_type=client_credentials"}`), repairs: configured("{}"),
		code: rotator.ConfigInvalid, tries: everyHeartbeat, says: "has a query or a fragment",
	},
	{
		name: "a config that sends credentials in the clear", operator: true,
		breaks: configured(`{"token_url":"http://auth.reltio.com/oauth/token"}`), repairs: configured("{}"),
		code: rotator.ConfigInvalid, tries: everyHeartbeat, says: "use https",
	},
	{
		name: "a config that is not JSON", operator: true,
		breaks: configured(`colour=blue`), repairs: configured("{}"),
		code: rotator.ConfigInvalid, tries: everyHeartbeat, says: "write {} for the stack's settings",
	},
}
