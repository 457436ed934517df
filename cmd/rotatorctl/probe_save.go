package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// refreshTokenSaver saves refresh tokens that the server changed, because the old
// ones can no longer be used.
type refreshTokenSaver struct {
	path   string
	fields map[string]json.RawMessage
	saved  bool
}

// newRefreshTokenSaver checks that the file can be written, before anything is
// requested. It overwrites no file except that of the credentials, if that one is
// named.
func newRefreshTokenSaver(credentials, saveTo string, document secret.Value) (*refreshTokenSaver, error) {
	if saveTo == "" {
		saveTo = credentials + ".new"
		if credentials == "-" {
			return nil, errors.New("credentials on standard input need a file for a changed refresh token: SAVE_TO=credentials.json (-save-to)")
		}
	}
	s := &refreshTokenSaver{path: saveTo}
	if err := json.Unmarshal([]byte(document.Reveal()), &s.fields); err != nil {
		return nil, errors.New("the credentials are not a JSON object")
	}
	if _, err := os.Lstat(saveTo); err == nil && saveTo != credentials {
		return nil, fmt.Errorf("nothing was requested: the file %s exists, and may hold a refresh token. Move it away, or name another (-save-to)", saveTo)
	}
	file, err := s.create()
	if err != nil {
		return nil, fmt.Errorf("nothing was requested: a changed refresh token could not be saved: %w", err)
	}
	return s, errors.Join(file.Close(), os.Remove(file.Name()))
}

// create makes a file beside the one to be written, which only its owner may
// read.
func (s *refreshTokenSaver) create() (*os.File, error) {
	return os.CreateTemp(filepath.Dir(s.path), ".rotatorctl-*")
}

// save writes the whole document with the set's new refresh token.
func (s *refreshTokenSaver) save(set rotator.SetName, refreshToken secret.Value) error {
	value, err := json.Marshal(refreshToken.Reveal())
	if err != nil {
		return errors.New("it is not text")
	}
	if set == rotator.Alternate {
		var alternate map[string]json.RawMessage
		if err := json.Unmarshal(s.fields["alternate"], &alternate); err != nil {
			return errors.New("alternate is not a JSON object")
		}
		alternate["refresh_token"] = value
		if value, err = json.Marshal(alternate); err != nil {
			return errors.New("alternate cannot be written")
		}
		s.fields["alternate"] = value
	} else {
		s.fields["refresh_token"] = value
	}
	text, err := json.Marshal(s.fields)
	if err != nil {
		return errors.New("the credentials cannot be written")
	}
	file, err := s.create()
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	s.saved = true
	return os.Rename(file.Name(), s.path)
}
