package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"reltio-token-rotator/rotator"
)

// seen is a connection as its parameters show it.
type seen struct {
	config  struct{ Enabled *bool }
	state   rotator.State
	lease   rotator.Lease
	unread  bool // the state is no JSON
	pending bool
	exists  bool
	present []string // the kinds of parameters there are
}

// parameters lists the connections' parameters below a path, by connection.
func (o *operator) parameters(ctx context.Context, path string) (map[string]*seen, error) {
	var answer struct {
		Parameters []struct{ Name, Value string }
	}
	// Without decryption: a pending refresh token's value must not come near a terminal.
	if err := o.ask(ctx, &answer, "ssm", "get-parameters-by-path", "--path", path, "--recursive", "--no-with-decryption"); err != nil {
		return nil, err
	}
	all := map[string]*seen{}
	for _, p := range answer.Parameters {
		name, kind, ok := strings.Cut(strings.TrimPrefix(p.Name, "/"+o.prefix()+"/"), "/")
		if !ok {
			continue
		}
		c := all[name]
		if c == nil {
			c = &seen{}
			all[name] = c
		}
		c.present = append(c.present, kind)
		switch kind {
		case "config":
			c.exists = true
			_ = json.Unmarshal([]byte(p.Value), &c.config) // make check says what is wrong with it
		case "state":
			c.unread = json.Unmarshal([]byte(p.Value), &c.state) != nil
		case "lease":
			_ = json.Unmarshal([]byte(p.Value), &c.lease)
		case "pending":
			c.pending = true
		}
	}
	return all, nil
}

// status is make status: one call, no secret, nothing changed.
func (o *operator) status(ctx context.Context, _ options) error {
	all, err := o.parameters(ctx, "/"+o.prefix())
	if err != nil {
		return err
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(name string) bool { return !all[name].exists })
	if len(names) == 0 {
		return fmt.Errorf("there is no connection below /%s in this account and region; make deploy STACK=%s makes the first", o.prefix(), o.stack)
	}
	table := tabwriter.NewWriter(o.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "CONNECTION\tTOKEN LEFT\tREFRESHED\tFAILURES\tERROR\tREFRESH TOKEN")
	var notes []string
	for _, name := range names {
		fmt.Fprintln(table, plain(strings.Join(append([]string{name}, all[name].row(o.now())...), "\t")))
		for _, note := range all[name].notes(o, name) {
			notes = append(notes, name+": "+note)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for i, note := range notes {
		if i == 0 {
			o.say("")
		}
		o.say("%s", note)
	}
	return nil
}

// row is the connection's line of the table, without its name.
func (c *seen) row(now time.Time) []string {
	s := c.state
	left, refreshed, age := "none yet", "never", "-"
	switch remaining := s.ExpiresAt.Sub(now); {
	case s.ExpiresAt.IsZero():
	case remaining <= 0:
		left = "ended " + span(-remaining) + " ago"
	default:
		left = span(remaining)
	}
	if !s.RefreshedAt.IsZero() {
		refreshed = span(now.Sub(s.RefreshedAt)) + " ago"
	}
	if s.RefreshTokenFingerprint != "" && !s.RefreshTokenSince.IsZero() {
		age = span(now.Sub(s.RefreshTokenSince)) + " old"
	}
	return []string{left, refreshed, fmt.Sprint(s.Failures), cmp.Or(string(s.Error), "-"), age}
}

// notes say what the table cannot.
func (c *seen) notes(o *operator, name string) []string {
	var notes []string
	s := c.state
	switch {
	case c.config.Enabled != nil && !*c.config.Enabled:
		notes = append(notes, `switched off by its config ("enabled": false)`)
	case c.unread:
		notes = append(notes, "its state is not JSON; the next heartbeat renews the token and writes it anew")
	case s.Error != "":
		text := "see " + page(string(s.Error))
		if s.NotBefore.After(o.now()) {
			text = "tried again in " + span(s.NotBefore.Sub(o.now())) + "; " + text
		}
		notes = append(notes, text)
	case s.RefreshedAt.IsZero():
		notes = append(notes, "waits for credentials: make seed STACK="+o.stack+" CONNECTION="+name)
	case s.Unchanged:
		notes = append(notes, "the server gives a new token only after the old one's end")
	}
	if c.pending {
		notes = append(notes, "a changed refresh token waits pending; see "+page(string(rotator.CredentialsNotSaved)))
	}
	if age := o.now().Sub(s.RefreshTokenSince); s.RefreshTokenFingerprint != "" && !s.CanLogIn && age >= rotator.RefreshTokenLife-7*24*time.Hour {
		notes = append(notes, fmt.Sprintf("the refresh token ends after %s; see %s", span(rotator.RefreshTokenLife), page("refresh-token-expiring")))
	}
	return notes
}
