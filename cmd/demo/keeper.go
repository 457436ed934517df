package main

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// keeper saves refresh tokens that the server changed: the old ones are spent, and
// whoever tries a client here must be able to use it afterwards.
type keeper struct {
	// path is where to save the credentials then; empty: nowhere.
	path string

	mu      sync.Mutex
	had     map[rotator.SetName]secret.Value // refresh tokens
	changed bool
	err     error
}

func newKeeper(path string, document secret.Value) *keeper {
	return &keeper{path: path, had: refreshTokens(document)}
}

// take is called with every new version of the credentials secret. A refresh token
// where there was none makes no file stale.
func (k *keeper) take(document string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, news := refreshTokens(secret.New(document)), false
	for name, had := range k.had {
		if !now[name].Equal(had) {
			k.had[name], news = now[name], true
		}
	}
	if !news {
		return
	}
	k.changed = true
	if k.path != "" {
		k.err = writePrivately(k.path, document)
	}
}

// state reports whether a refresh token has changed and whether that was saved.
func (k *keeper) state() (changed, kept bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed, k.changed && k.path != "" && k.err == nil, k.err
}

// refreshTokens are those of the credential sets that have one.
func refreshTokens(document secret.Value) map[rotator.SetName]secret.Value {
	found := map[rotator.SetName]secret.Value{}
	credentials, err := rotator.ParseCredentials(rotator.SecretVersion{Document: document})
	if err != nil {
		return found
	}
	for _, set := range credentials.Sets() {
		if !set.RefreshToken.Empty() {
			found[set.Name] = set.RefreshToken
		}
	}
	return found
}

// writePrivately writes a file that only its owner may read, whole or not at all.
func writePrivately(path, document string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".save-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString(document)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
