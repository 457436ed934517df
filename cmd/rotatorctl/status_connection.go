package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"reltio-token-rotator/rotator"
)

// refreshTokenWarning is the age of a refresh token from which status warns, as
// the alarm refresh-token-expiring does.
const refreshTokenWarning = 21 * 24 * time.Hour

// connectionStatus is the status of one connection.
type connectionStatus struct {
	Name           string          `json:"name"`
	Enabled        bool            `json:"enabled"`
	Set            rotator.SetName `json:"set,omitempty"`
	IssuedAt       time.Time       `json:"issued_at,omitzero"`
	ExpiresAt      time.Time       `json:"expires_at,omitzero"`
	ValidUntil     time.Time       `json:"valid_until,omitzero"`
	UncertainSince time.Time       `json:"uncertain_since,omitzero"`
	Sets           []setStatus     `json:"sets"`
	Notes          []string        `json:"notes"`
	Problems       []string        `json:"problems"`
}

// setStatus is the status of one credential set.
type setStatus struct {
	Set               rotator.SetName `json:"set"`
	Published         bool            `json:"published"`
	TokenExpiresAt    time.Time       `json:"token_expires_at,omitzero"`
	RefreshTokenSince time.Time       `json:"refresh_token_since,omitzero"`
	Error             rotator.Code    `json:"error,omitempty"`
	FailingSince      time.Time       `json:"failing_since,omitzero"`
	NotBefore         time.Time       `json:"not_before,omitzero"`
}

// functionEnvironment returns the function's settings. None of them is secret.
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

// connectionStatuses judges each connection, by the function's own code.
func (o *operator) connectionStatuses(all listing, settings rotator.Settings, known bool) []connectionStatus {
	statuses := []connectionStatus{}
	for _, c := range o.connections(all, settings) {
		status := o.connectionStatus(c, all)
		switch {
		case !known: // without the function's settings a config cannot be judged
		case c.ConfigError != nil:
			status.Problems = slices.Insert(status.Problems, 0, o.sentence(rotator.ConfigInvalid, sentenceOf(c.ConfigError), time.Time{}))
		case !c.Config.Enabled:
			status.Notes = append(status.Notes, `It is switched off by its config ("enabled": false).`)
		}
		statuses = append(statuses, status)
	}
	return statuses
}

// connectionStatus judges what the parameters other than the config say.
func (o *operator) connectionStatus(c rotator.Connection, all listing) connectionStatus {
	p := c.State.Published
	status := connectionStatus{
		Name: c.Name, Enabled: c.Config.Enabled, IssuedAt: p.IssuedAt, ExpiresAt: p.ExpiresAt, ValidUntil: p.ValidUntil,
		UncertainSince: p.UncertainSince, Sets: []setStatus{}, Notes: []string{}, Problems: []string{},
	}
	problem := func(format string, args ...any) {
		status.Problems = append(status.Problems, fmt.Sprintf(format, args...))
	}
	readable := !all.has(c.Name, rotator.KindState) || isObject(all.value(c.Name, rotator.KindState))
	if !readable {
		problem("Its state is not JSON. The next heartbeat refreshes the token and writes the state again.")
	}
	if c.State.Error != "" {
		problem("%s", o.sentence(c.State.Error, c.State.Error.Advice(), c.State.NotBefore))
	}
	o.setStatuses(&status, c.State)
	failing := c.State.Error != "" || c.State.Primary.Error != "" || c.State.Alternate.Error != ""
	if p.IssuedAt.IsZero() && !failing && readable {
		problem("It waits for credentials: %s", o.like("seed", "connection", c.Name))
	}
	if all.has(c.Name, rotator.KindPending) {
		problem("A changed refresh token is pending: the credentials secret could not be written. See %s", rotator.CredentialsNotSaved.Runbook())
	}
	if !p.UncertainSince.IsZero() {
		problem("The published token has been uncertain since %s: the next heartbeat refreshes it, unless a backoff forbids it.", o.when(p.UncertainSince))
	}
	if c.TooManyReports(o.now()) {
		problem("%s", o.sentence(rotator.TooManyReports, rotator.TooManyReports.Advice(), time.Time{}))
	}
	if p.Unchanged {
		status.Notes = append(status.Notes, "The server returns a new token only after the published one has expired.")
	}
	if c.LeaseHeld(o.now()) {
		status.Notes = append(status.Notes, fmt.Sprintf("A run is refreshing it, until %s at the latest.", o.clock(c.Lease.Until)))
	}
	return status
}

// setStatuses judges each credential set.
func (o *operator) setStatuses(c *connectionStatus, state rotator.State) {
	names := []rotator.SetName{rotator.Primary}
	if state.Alternate.Version != "" || state.Alternate.Identity != "" {
		names = append(names, rotator.Alternate)
		c.Set = state.Published.Set
	}
	for _, name := range names {
		s, whose := state.Of(name), ""
		if len(names) > 1 {
			whose = string(name) + ": "
		}
		c.Sets = append(c.Sets, setStatus{
			Set: name, Published: state.Published.Set == name, TokenExpiresAt: s.TokenExpiresAt,
			RefreshTokenSince: s.RefreshTokenSince, Error: s.Error, FailingSince: s.FailingSince, NotBefore: s.NotBefore,
		})
		if s.Error != "" {
			text := o.sentence(s.Error, s.Error.Advice(), s.NotBefore)
			if s.Failures > 1 {
				text = strings.Replace(text, ": ", fmt.Sprintf(" (%d failures): ", s.Failures), 1)
			}
			c.Problems = append(c.Problems, whose+text)
		}
		if !s.CanLogIn && s.RefreshTokenFingerprint != "" && !s.RefreshTokenSince.IsZero() && o.now().Sub(s.RefreshTokenSince) >= refreshTokenWarning {
			c.Problems = append(c.Problems, fmt.Sprintf("%sThe refresh token expires on %s, 28 days after its login. See %s",
				whose, s.RefreshTokenSince.Add(rotator.RefreshTokenLife).In(o.zone).Format("Jan 2 15:04"), page("refresh-token-expiring")))
		}
	}
}

// sentence says what a code means, when the next attempt is, and which page to read.
func (o *operator) sentence(code rotator.Code, advice string, notBefore time.Time) string {
	text := string(code) + ": " + strings.TrimSuffix(advice, ".")
	if notBefore.After(o.now()) {
		text += ". Next attempt at " + o.when(notBefore)
	}
	return text + ". See " + page(string(code))
}

// sentenceOf returns the message of one of the function's errors, without its code.
func sentenceOf(err error) string {
	if e, ok := errors.AsType[*rotator.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// showConnection prints one connection: a line of the table, a line for each of two
// sets, and its notes and problems.
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
	case s.Error != "":
		text += "has no live token"
	default:
		text += "rests, and can be refreshed at any time"
	}
	if !s.RefreshTokenSince.IsZero() {
		text += "; refresh token " + o.age(s)
	}
	return text
}
