package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// maxDocument is what a secret can hold.
const maxDocument = 64 << 10

// seed is make seed: credentials from a person, a file or standard input go to
// the credentials secret, and a refresh proves them.
func (o *operator) seed(ctx context.Context, opts options) error {
	connection := opts.connection
	if connection == "" {
		connection = defaultConnection
	}
	var document secret.Value
	var err error
	given := opts.file != "" || !isTerminal(os.Stdin)
	if given {
		if document, err = readCredentials(opts.file); err != nil {
			return err
		}
	}
	// Before asking, so that nobody types secrets for a stack that is not there.
	stack, err := o.deployed(ctx)
	if err != nil {
		return err
	}
	if !given {
		if document, err = askCredentials(ctx); err != nil {
			return err
		}
	}
	if err := o.put(ctx, connection, document); err != nil {
		return err
	}
	o.say("The credentials are in %s; they replace what was there, all fields. Asking for a token with them …", o.secret(connection, "credentials"))
	return o.refreshNow(ctx, stack.outputs["FunctionName"], connection)
}

// sentence is the message of an error of the function's, without its code.
func sentence(err error) string {
	if e, ok := errors.AsType[*rotator.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// readCredentials reads a document from a file or, where it is "" or "-", from
// standard input, and checks it.
func readCredentials(file string) (secret.Value, error) {
	in := os.Stdin
	if file != "" && file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return secret.Value{}, err
		}
		defer opened.Close()
		in = opened
	}
	text, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	switch {
	case err != nil:
		return secret.Value{}, err
	case len(text) == 0:
		return secret.Value{}, errors.New("standard input or the file is empty; it should hold the credentials as JSON")
	case len(text) > maxDocument:
		return secret.Value{}, errors.New("that is more than a secret can hold (64 KiB): is it the right file?")
	}
	if info, err := in.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintln(os.Stderr, "Others on this machine may read that file (chmod 600), and it is not needed any more once this has worked: remove it.")
	}
	return checked(secret.New(string(text)))
}

// checked refuses what the function could not use.
func checked(document secret.Value) (secret.Value, error) {
	if err := rotator.CheckCredentials(document); err != nil {
		return secret.Value{}, fmt.Errorf("nothing was written. %s", sentence(err))
	}
	return document, nil
}

// askCredentials asks for each field at the terminal.
func askCredentials(ctx context.Context) (secret.Value, error) {
	t, err := openTerminal()
	if err != nil {
		return secret.Value{}, err
	}
	defer t.restore()
	fmt.Fprintln(t.tty, "Hidden fields show nothing while you type or paste. Ctrl-C ends this without a change.")
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
		for fields[f.name] == "" {
			value, err := t.ask(ctx, f.question, f.hidden)
			if err != nil {
				return secret.Value{}, err
			}
			if value == "" && f.optional {
				break
			}
			if value != strings.TrimSpace(value) {
				fmt.Fprintln(t.tty, "  That begins or ends with a blank, which is kept: Ctrl-C and anew if it is not meant.")
			}
			fields[f.name] = value
		}
	}
	if fields["refresh_token"] == "" && fields["username"] == "" {
		fmt.Fprintln(t.tty, "Neither a refresh token nor a user: the client_credentials grant will be used.")
	}
	return document(fields)
}

func document(fields map[string]string) (secret.Value, error) {
	for name, value := range fields {
		if value == "" {
			delete(fields, name)
		}
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // as a person would write it
	if err := encoder.Encode(fields); err != nil {
		return secret.Value{}, errors.New("the answers cannot be written as JSON")
	}
	return checked(secret.New(strings.TrimSuffix(text.String(), "\n")))
}

// put writes the credentials secret. It goes through the SDK and not the AWS
// CLI, see the package comment.
func (o *operator) put(ctx context.Context, connection string, document secret.Value) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	name := o.secret(connection, "credentials")
	_, err = secretsmanager.NewFromConfig(cfg).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &name, SecretString: aws.String(document.Reveal()),
	})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return fmt.Errorf("nothing was written: there is no secret %s; make add-connection STACK=%s CONNECTION=%s makes a further connection", name, o.stack, connection)
	}
	if err != nil {
		return fmt.Errorf("nothing was written to %s: %w", name, err)
	}
	return nil
}
