package harness

import (
	"encoding/json"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// The names that every harness has.
const (
	Stack    = "test"
	Prefix   = "reltio-token-rotator/" + Stack
	TokenURL = "https://auth.reltio.com/oauth/token"
)

// Fakes has the servers of one stack, and methods for what operators and jobs do.
type Fakes struct {
	AWS    *fakeaws.Server
	Reltio *fakereltio.Server
}

// NewFakes returns fakes without a connection.
func NewFakes(awsOptions fakeaws.Options, reltioOptions fakereltio.Options) Fakes {
	return Fakes{fakeaws.New(awsOptions), fakereltio.New(reltioOptions)}
}

// Add makes a connection as the template does, with nothing in its secrets.
func (f Fakes) Add(name string) { AddTo(f.AWS, name) }

// AddTo is Add for a function that is not in this process.
func AddTo(server *fakeaws.Server, name string) {
	for _, kind := range []string{"config", "state", "lease"} {
		server.PutParameter(ParameterName(name, kind), "{}")
	}
	server.CreateSecret(SecretName(name, "credentials"))
	server.CreateSecret(SecretName(name, "token"))
}

// Seed adds a connection and puts credentials with a fresh login's refresh
// token into its secret.
func (f Fakes) Seed(name string) {
	f.Add(name)
	_, refreshToken := f.Reltio.Login()
	f.PutCredentials(name, map[string]string{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken})
}

// PutCredentials writes the credentials secret as an operator would.
func (f Fakes) PutCredentials(name string, fields any) (versionID string) {
	document, _ := json.Marshal(fields)
	return f.AWS.PutSecret(SecretName(name, "credentials"), string(document))
}

// Token is what a job reads from the token secret.
type Token struct {
	AccessToken string    `json:"access_token"`
	TokenType   string    `json:"token_type"`
	Scope       string    `json:"scope"`
	ExpiresIn   int64     `json:"expires_in"`
	IssuedAt    time.Time `json:"issued_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	ValidUntil  time.Time `json:"valid_until"`
}

// Token reads the token secret. It returns false while nothing has been published.
func (f Fakes) Token(name string) (Token, bool) {
	document, ok := f.AWS.Secret(SecretName(name, "token"))
	var token Token
	return token, ok && json.Unmarshal([]byte(document), &token) == nil
}

// Alive reports whether the token that a job reads now is accepted.
func (f Fakes) Alive(name string) bool {
	token, ok := f.Token(name)
	return ok && f.Reltio.Alive(token.AccessToken)
}

// State reads the state parameter.
func (f Fakes) State(name string) rotator.State {
	document, _, _ := f.AWS.Parameter(ParameterName(name, "state"))
	var state rotator.State
	_ = json.Unmarshal([]byte(document), &state)
	return state
}

// SecretName is the name of a connection's secret.
func SecretName(connection, kind string) string { return Prefix + "/" + connection + "/" + kind }

// ParameterName is the name of a connection's parameter.
func ParameterName(connection, kind string) string {
	return "/" + Prefix + "/" + connection + "/" + kind
}
