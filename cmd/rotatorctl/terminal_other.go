//go:build !unix

package main

import (
	"errors"
	"os"
)

// terminalMode is not known on this system.
type terminalMode struct{}

func (*terminalMode) hide(*os.File) error { return errors.New("not on this system") }
func (*terminalMode) flush(*os.File)      {}
func (*terminalMode) restore(*os.File)    {}
