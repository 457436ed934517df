package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"reltio-token-rotator/cmd/internal/credentialsfile"
	"reltio-token-rotator/rotator/secret"
)

// askCredentials asks for each field at the terminal.
func (o *operator) askCredentials(ctx context.Context) (secret.Value, error) {
	t, err := o.terminal()
	if err != nil {
		return secret.Value{}, fmt.Errorf("%w: give the credentials as a file (FILE=credentials.json, -file), or as JSON on standard input (FILE=-, -file -)", err)
	}
	defer t.close()
	t.tell("Hidden fields show nothing while you type or paste. Ctrl-C ends this without a change.")
	fields, err := askSet(ctx, t)
	if err != nil {
		return secret.Value{}, err
	}
	document := map[string]any{}
	for name, value := range fields {
		document[name] = value
	}
	t.tell("A second credential set (another user) keeps a token that is read valid for longer. Both take turns.")
	second, err := t.ask(ctx, "Is there a second credential set? [y/N] ", false)
	if err != nil {
		return secret.Value{}, err
	}
	if isYes(second) {
		alternate, err := askSet(ctx, t)
		if err != nil {
			return secret.Value{}, err
		}
		document["alternate"] = alternate
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // as an operator would write it
	if err := encoder.Encode(document); err != nil {
		return secret.Value{}, errors.New("the answers cannot be written as JSON")
	}
	value := secret.New(strings.TrimSuffix(text.String(), "\n"))
	sets, err := credentialsfile.Sets(value)
	if err != nil {
		return secret.Value{}, fmt.Errorf("nothing was written: the credentials cannot be used: %w", err)
	}
	for _, set := range sets {
		t.tell("%s", grantsOf(set, len(sets) > 1))
	}
	answer, err := t.ask(ctx, "Write these credentials and request a token? [Y/n] ", false)
	if err != nil {
		return secret.Value{}, err
	}
	if answer != "" && !isYes(answer) {
		return secret.Value{}, errors.New("nothing was written")
	}
	return value, nil
}

func isYes(answer string) bool {
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

// askSet asks for the fields of one set, and leaves out those without a value.
func askSet(ctx context.Context, t asker) (map[string]string, error) {
	fields := map[string]string{}
	for _, f := range []struct {
		name, question   string
		hidden, optional bool
	}{
		{"client_id", "Client id: ", false, false},
		{"client_secret", "Client secret (hidden): ", true, false},
		{"refresh_token", "Refresh token (hidden; Enter for none): ", true, true},
		{"username", "User name for a login when there is no living refresh token (Enter for none): ", false, true},
		{"password", "Password (hidden): ", true, false},
	} {
		if f.name == "password" && fields["username"] == "" {
			continue
		}
		for {
			value, err := t.ask(ctx, f.question, f.hidden)
			if err != nil {
				return nil, err
			}
			if value == "" && !f.optional {
				continue
			}
			if value != strings.TrimSpace(value) {
				t.tell("  That begins or ends with a blank, which is kept. To start over, press Ctrl-C.")
			}
			if value != "" {
				fields[f.name] = value
			}
			break
		}
	}
	return fields, nil
}
