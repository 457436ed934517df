package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
)

// keeper keeps a refresh token that the server changed: whoever tries a client
// here must be able to go on with it.
type keeper struct {
	// path is where to keep it; empty: nowhere.
	path string
	// document is what the credentials were at first.
	document string

	mu      sync.Mutex
	changed bool
	err     error
}

// take is told of every new version of the credentials secret.
func (k *keeper) take(document string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if refreshToken(document) == refreshToken(k.document) {
		return
	}
	k.changed = true
	if k.path != "" {
		k.err = writePrivately(k.path, document)
	}
}

// state reports whether the refresh token has changed and whether that was kept.
func (k *keeper) state() (changed, kept bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed, k.changed && k.path != "" && k.err == nil, k.err
}

func refreshToken(document string) string {
	var fields struct {
		RefreshToken string `json:"refresh_token"`
	}
	_ = json.Unmarshal([]byte(document), &fields)
	return fields.RefreshToken
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
