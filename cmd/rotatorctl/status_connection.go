package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// refreshTokenWarning is the age of a refresh token from which status warns, as
// the alarm refresh-token-expiring does.
const refreshTokenWarning = 21 * 24 * time.Hour

// connectionStatus is how one connection is.
type connectionStatus struct {
	Name           string      `json:"name"`
	Enabled        bool        `json:"enabled"`
	Set            string      `json:"set,omitempty"`
	IssuedAt       time.Time   `json:"issued_at,omitzero"`
	ExpiresAt      time.Time   `json:"expires_at,omitzero"`
	ValidUntil     time.Time   `json:"valid_until,omitzero"`
	UncertainSince time.Time   `json:"uncertain_since,omitzero"`
	Sets           []setStatus `json:"sets"`
	Notes          []string    `json:"notes"`
	Problems       []string    `json:"problems"`
}

// setStatus is how one credential set of a connection is.
type setStatus struct {
	Set               string       `json:"set"`
	Published         bool         `json:"published"`
	TokenExpiresAt    time.Time    `json:"token_expires_at,omitzero"`
	RefreshTokenSince time.Time    `json:"refresh_token_since,omitzero"`
	Error             rotator.Code `json:"error,omitempty"`
	NotBefore         time.Time    `json:"not_before,omitzero"`
}

// listing are the parameters of all connections, by connection and kind.
type listing map[string]map[string]string

// list reads the parameters below a path. It does not decrypt: a pending refresh
// token must not come near a terminal.
func (o *operator) list(ctx context.Context, path string) (listing, error) {
	all := listing{}
	pages := ssm.NewGetParametersByPathPaginator(o.aws.parameters, &ssm.GetParametersByPathInput{
		Path: &path, Recursive: aws.Bool(true), WithDecryption: aws.Bool(false),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Parameters {
			name, kind, ok := strings.Cut(strings.TrimPrefix(aws.ToString(p.Name), "/"+o.prefix()+"/"), "/")
			if !ok {
				continue
			}
			if all[name] == nil {
				all[name] = map[string]string{}
			}
			all[name][kind] = aws.ToString(p.Value)
		}
	}
	return all, nil
}

// functionEnvironment are the function's settings. None of them is secret.
func (o *operator) functionEnvironment(ctx context.Context, function string) (map[string]string, error) {
	out, err := o.aws.function.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
	if err != nil {
		return nil, err
	}
	if out.Environment == nil {
		return map[string]string{}, nil
	}
	return out.Environment.Variables, nil
}

func settingsOf(environment map[string]string) rotator.Settings {
	refreshBefore, _ := time.ParseDuration(environment["REFRESH_BEFORE"])
	heartbeat, _ := time.ParseDuration(environment["HEARTBEAT"])
	return rotator.Settings{
		TokenURL: environment["TOKEN_URL"], TokenHosts: strings.Split(environment["TOKEN_HOSTS"], ","),
		RefreshBefore: refreshBefore, Heartbeat: heartbeat, AllowDockerHost: environment["AWS_ENDPOINT_URL"] != "",
	}
}

// connectionStatuses judges each connection. Its config is judged by the
// function's own code.
func (o *operator) connectionStatuses(all listing, settings rotator.Settings, known bool) []connectionStatus {
	var parameters []rotator.Parameter
	for name, kinds := range all {
		if config, ok := kinds["config"]; ok {
			parameters = append(parameters, rotator.Parameter{Connection: name, Kind: rotator.KindConfig, Value: secret.New(config)})
		}
	}
	var statuses []connectionStatus
	for _, c := range rotator.Connections(parameters, settings, o.now()) {
		status := o.connectionStatus(c.Name, all[c.Name])
		status.Enabled = c.Config.Enabled
		switch {
		case !known:
		case c.ConfigError != nil:
			status.Problems = slices.Insert(status.Problems, 0, sentence(rotator.ConfigInvalid, sentenceOf(c.ConfigError), time.Time{}, o))
		case !c.Config.Enabled:
			status.Notes = append(status.Notes, `It is switched off by its config ("enabled": false).`)
		}
		statuses = append(statuses, status)
	}
	return statuses
}

// connectionStatus judges what the parameters other than the config say.
func (o *operator) connectionStatus(name string, kinds map[string]string) connectionStatus {
	state, readable := parseState(cmp.Or(kinds["state"], "{}"))
	c := connectionStatus{
		Name: name, IssuedAt: state.Published.IssuedAt, ExpiresAt: state.Published.ExpiresAt,
		ValidUntil: state.Published.ValidUntil, UncertainSince: state.Published.UncertainSince,
		Sets: []setStatus{}, Notes: []string{}, Problems: []string{},
	}
	if !readable {
		c.Problems = append(c.Problems, "Its state is not JSON. The next heartbeat refreshes the token and writes the state again.")
	}
	if state.Error != "" {
		c.Problems = append(c.Problems, sentence(state.Error, state.Error.Advice(), state.NotBefore, o))
	}
	o.setStatuses(&c, state)
	noCredentials := c.IssuedAt.IsZero() && state.Error == "" && !slices.ContainsFunc(c.Sets, func(s setStatus) bool { return s.Error != "" })
	if noCredentials && readable {
		c.Problems = append(c.Problems, "It waits for credentials: "+o.like("seed", "connection", name))
	}
	if _, pending := kinds["pending"]; pending {
		c.Problems = append(c.Problems, "A changed refresh token is pending: the credentials secret could not be written. See "+page(string(rotator.CredentialsNotSaved)))
	}
	if !state.Published.UncertainSince.IsZero() {
		c.Problems = append(c.Problems, fmt.Sprintf("The published token is uncertain since %s: the next heartbeat refreshes it.", o.when(state.Published.UncertainSince)))
	}
	if state.Published.Unchanged {
		c.Notes = append(c.Notes, "The server returns a new token only after the published one has expired.")
	}
	if l := parseLease(kinds["lease"]); l.held(state, o.now()) {
		c.Notes = append(c.Notes, fmt.Sprintf("A run is refreshing it, until %s at the latest.", o.clock(l.Until)))
	}
	return c
}

// setStatuses judges each credential set.
func (o *operator) setStatuses(c *connectionStatus, state remembered) {
	two := state.Alternate != nil
	if two {
		c.Set = state.Published.Set
	}
	add := func(name string, s setState) {
		c.Sets = append(c.Sets, setStatus{
			Set: name, Published: cmp.Or(state.Published.Set, setPrimary) == name, TokenExpiresAt: s.TokenExpiresAt,
			RefreshTokenSince: s.RefreshTokenSince, Error: s.Error, NotBefore: s.NotBefore,
		})
		whose := ""
		if two {
			whose = name + ": "
		}
		if s.Error != "" {
			text := sentence(s.Error, s.Error.Advice(), s.NotBefore, o)
			if s.Failures > 1 {
				text = strings.Replace(text, ": ", fmt.Sprintf(" (%d failures): ", s.Failures), 1)
			}
			c.Problems = append(c.Problems, whose+text)
		}
		if age := o.now().Sub(s.RefreshTokenSince); s.RefreshTokenFingerprint != "" && !s.CanLogIn && !s.RefreshTokenSince.IsZero() && age >= refreshTokenWarning {
			c.Problems = append(c.Problems, fmt.Sprintf("%sThe refresh token ends on %s, 28 days after its login. See %s",
				whose, s.RefreshTokenSince.Add(refreshTokenLife).In(o.zone).Format("Jan 2 15:04"), page("refresh-token-expiring")))
		}
	}
	add(setPrimary, state.Primary)
	if two {
		add(setAlternate, *state.Alternate)
	}
}

// refreshTokenLife is how long a refresh token of Reltio's lives from its login.
const refreshTokenLife = 28 * 24 * time.Hour

// sentence says what a code means, when it is tried again, and where to read on.
func sentence(code rotator.Code, advice string, notBefore time.Time, o *operator) string {
	text := string(code) + ": " + strings.TrimSuffix(advice, ".")
	if notBefore.After(o.now()) {
		text += ". Next attempt at " + o.when(notBefore)
	}
	return text + ". See " + page(string(code))
}

// sentenceOf is the message of an error of the function's, without its code.
func sentenceOf(err error) string {
	if e, ok := errors.AsType[*rotator.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// showConnection prints one connection: a line of the table, a line for each of
// two sets, and what else there is below it.
func (o *operator) showConnection(names int, c connectionStatus) {
	token, refreshed, age := "none yet", "never", ""
	switch left := c.ExpiresAt.Sub(o.now()); {
	case c.ExpiresAt.IsZero():
	case left <= 0:
		token = "expired " + span(-left) + " ago"
	default:
		token = span(left) + ", to " + c.ExpiresAt.In(o.zone).Format("15:04:05")
	}
	if !c.IssuedAt.IsZero() {
		refreshed = span(o.now().Sub(c.IssuedAt)) + " ago"
	}
	if len(c.Sets) == 1 {
		age = o.age(c.Sets[0])
	}
	o.row(names, c.Name, token, refreshed, age)
	if len(c.Sets) > 1 {
		for _, s := range c.Sets {
			fmt.Fprintln(o.out, plain("  "+o.setLine(c, s)))
		}
	}
	for _, note := range c.Notes {
		o.indented("  ", "%s", note)
	}
	for _, problem := range c.Problems {
		o.trouble("  ", "%s", apart(problem))
	}
}

func (o *operator) age(s setStatus) string {
	if s.RefreshTokenSince.IsZero() {
		return "-"
	}
	return span(o.now().Sub(s.RefreshTokenSince)) + " old"
}

// setLine is one of two sets.
func (o *operator) setLine(c connectionStatus, s setStatus) string {
	text := fmt.Sprintf("%-9s  ", s.Set)
	switch {
	case s.Published && c.ValidUntil.IsZero():
		text += "published"
	case s.Published:
		text += "published, valid until " + o.clock(c.ValidUntil)
	case s.TokenExpiresAt.After(o.now()):
		text += "rests until " + o.when(s.TokenExpiresAt)
	default:
		text += "rests, and can be refreshed at any time"
	}
	if !s.RefreshTokenSince.IsZero() {
		text += "; refresh token " + o.age(s)
	}
	return text
}
