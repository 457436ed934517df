package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// setsOf reads a document as the function does, and returns its sets.
func setsOf(document secret.Value) ([]credentialSet, error) {
	if err := rotator.CheckCredentials(document); err != nil {
		return nil, errors.New(sentenceOf(err))
	}
	var fields struct {
		setFields
		Alternate json.RawMessage `json:"alternate"`
	}
	if err := json.Unmarshal([]byte(document.Reveal()), &fields); err != nil {
		return nil, errors.New("the credentials are not a JSON object")
	}
	sets := []credentialSet{fields.set(setPrimary)}
	var alternate map[string]json.RawMessage
	if json.Unmarshal(fields.Alternate, &alternate) == nil && len(alternate) > 0 {
		// The function checks it as it checks the first.
		if err := rotator.CheckCredentials(secret.New(string(fields.Alternate))); err != nil {
			return nil, fmt.Errorf("alternate: %s", sentenceOf(err))
		}
		var more setFields
		if err := json.Unmarshal(fields.Alternate, &more); err != nil {
			return nil, errors.New("alternate is not a JSON object of strings")
		}
		second := more.set(setAlternate)
		if err := sameSet(sets[0], second); err != nil {
			return nil, err
		}
		sets = append(sets, second)
	} else if len(fields.Alternate) > 0 && string(fields.Alternate) != "{}" && alternate == nil {
		return nil, errors.New("alternate must be an object with the fields of a credential set")
	}
	return sets, nil
}

// sameSet refuses two sets that are one.
func sameSet(first, second credentialSet) error {
	same := ""
	switch {
	case !first.refreshToken.Empty() && first.refreshToken.Reveal() == second.refreshToken.Reveal():
		same = "the refresh token"
	case first.clientID == second.clientID && first.username.Reveal() == second.username.Reveal():
		same = "the client and the user"
	default:
		return nil
	}
	return fmt.Errorf("%s of primary and alternate are the same, so they are one credential set: a second one needs a user of its own", same)
}

// setFields are the fields of one set in a document.
type setFields struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RefreshToken string `json:"refresh_token"`
	Username     string `json:"username"`
	Password     string `json:"password"`
}

func (f setFields) set(name string) credentialSet {
	return credentialSet{
		name: name, clientID: f.ClientID, clientSecret: secret.New(f.ClientSecret), refreshToken: secret.New(f.RefreshToken),
		username: secret.New(f.Username), password: secret.New(f.Password),
	}
}

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
	sets, err := setsOf(value)
	if err != nil {
		return secret.Value{}, fmt.Errorf("nothing was written: %w", err)
	}
	for _, set := range sets {
		t.tell("%s", set.grant(len(sets) > 1))
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
