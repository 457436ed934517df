package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminal reports whether a file is a terminal, and how many columns it has: 80 if it
// does not say. /dev/null is no terminal.
func terminal(file *os.File) (columns int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	switch {
	case err != nil:
		return 0, false
	case size.Col == 0:
		return 80, true
	}
	return int(size.Col), true
}
