//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalMode is how the terminal was, to be restored.
type terminalMode struct{ saved *unix.Termios }

// hide stops echo and line mode. Ctrl-C works; Ctrl-Z does not: back from it
// the shell would have the echo on again.
func (m *terminalMode) hide(tty *os.File) error {
	mode, err := unix.IoctlGetTermios(int(tty.Fd()), getMode)
	if err != nil {
		return err
	}
	saved := *mode
	mode.Lflag &^= unix.ECHO | unix.ICANON | unix.IEXTEN
	mode.Iflag &^= unix.IXON
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME], mode.Cc[unix.VSUSP] = 1, 0, 0
	if err := unix.IoctlSetTermios(int(tty.Fd()), setModeAndFlush, mode); err != nil {
		return err
	}
	m.saved = &saved
	return nil
}

// flush drops what the kernel holds of what was typed.
func (m *terminalMode) flush(tty *os.File) {
	if mode, err := unix.IoctlGetTermios(int(tty.Fd()), getMode); err == nil {
		_ = unix.IoctlSetTermios(int(tty.Fd()), setModeAndFlush, mode)
	}
}

func (m *terminalMode) restore(tty *os.File) {
	if m.saved != nil {
		_ = unix.IoctlSetTermios(int(tty.Fd()), setModeAndFlush, m.saved)
	}
}
