// Package credentialsfile reads credentials that an operator has in a file, and
// checks them as the function would check the credentials secret.
package credentialsfile

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// maxSize is what a secret can hold.
const maxSize = 64 << 10

// Read reads a document from a file or, where the name is "" or "-", from standard
// input. shared reports whether other users of the machine may read the file.
func Read(file string) (document secret.Value, shared bool, err error) {
	in := os.Stdin
	if file != "" && file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return secret.Value{}, false, err
		}
		defer opened.Close()
		in = opened
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSize+1))
	switch {
	case err != nil:
		return secret.Value{}, false, err
	case len(text) == 0:
		return secret.Value{}, false, errors.New("standard input or the file is empty; it should hold the credentials as JSON")
	case len(text) > maxSize:
		return secret.Value{}, false, errors.New("that is more than a secret can hold (64 KiB): is it the right file?")
	}
	info, err := in.Stat()
	shared = err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0
	return secret.New(string(text)), shared, nil
}

// Sets returns the credential sets of a document, or the first mistake in it.
func Sets(document secret.Value) ([]rotator.CredentialSet, error) {
	sets, err := rotator.CheckCredentials(document)
	if err != nil {
		return nil, mistake(err)
	}
	return sets, nil
}

// mistake is what the function would say of the credentials secret, without the
// secret: the credentials are not there yet.
func mistake(err error) error {
	text := err.Error()
	if e, ok := errors.AsType[*rotator.Error](err); ok {
		text = e.Message
	}
	text = strings.TrimPrefix(text, "the credentials secret cannot be used: ")
	return errors.New(strings.TrimSuffix(text, "; write a corrected value"))
}

// CheckURL checks a URL to which credentials or tokens are sent, as the function
// checks TOKEN_URL: https, or http for this machine alone, and no query.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return errors.New("the URL is not one such as https://auth.reltio.com/oauth/token")
	}
	settings := rotator.Settings{TokenURL: raw, TokenHosts: []string{u.Hostname()}, RefreshBefore: 10 * time.Minute, Heartbeat: time.Minute}
	for _, mistake := range settings.Mistakes() {
		if mistake.Variable == "TOKEN_URL" {
			return fmt.Errorf("the URL of %s: %w", u.Hostname(), mistake.Err)
		}
	}
	return nil
}
