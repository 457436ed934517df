package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"unicode/utf8"
)

// terminal asks a person. It takes the terminal out of line mode, for two
// reasons: what is typed must not be shown, and in line mode the kernel cuts
// long pastes (at 1024 characters on some systems). The program stty does it,
// since how to ask the kernel differs from system to system.
type terminal struct {
	tty   *os.File
	saved string // what stty restores
}

// openTerminal opens the terminal that the program was started from, whatever
// its standard input is. Call restore in any case.
func openTerminal() (*terminal, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, errors.New("there is no terminal to ask at: give FILE=credentials.json, or the JSON on standard input with FILE=-")
	}
	t := &terminal{tty: tty}
	saved, err := t.stty("-g")
	if err != nil {
		_ = tty.Close()
		return nil, err
	}
	t.saved = strings.TrimSpace(saved)
	// Not Ctrl-Z either: back from it the shell would have the echo on again.
	if _, err := t.stty("-echo", "-icanon", "min", "1", "time", "0", "susp", "undef"); err != nil {
		t.restore()
		return nil, err
	}
	return t, nil
}

func (t *terminal) restore() {
	_, _ = t.stty(t.saved)
	_ = t.tty.Close()
}

func (t *terminal) stty(args ...string) (string, error) {
	cmd := exec.Command("stty", args...)
	cmd.Stdin = t.tty
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("the terminal cannot be told not to show what is typed (stty): %w", err)
	}
	return string(text), nil
}

// ask asks for one line. What is typed is shown only if it is not hidden.
func (t *terminal) ask(ctx context.Context, question string, hidden bool) (string, error) {
	for {
		fmt.Fprint(t.tty, question)
		line, err := t.line(ctx, hidden)
		fmt.Fprint(t.tty, "\n")
		if err != nil || !strings.ContainsFunc(line, control) {
			return line, err
		}
		fmt.Fprintln(t.tty, "That holds a key that is no character, such as an arrow. Once more, please.")
	}
}

func control(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }

// line reads up to the Enter key; Backspace and Ctrl-U work. It ends with ctx,
// also while nobody types.
func (t *terminal) line(ctx context.Context, hidden bool) (string, error) {
	type answer struct {
		line string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		line, err := t.readLine(hidden)
		read <- answer{line, err}
	}()
	select {
	case a := <-read:
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err() // the reader ends with the program
	}
}

func (t *terminal) readLine(hidden bool) (string, error) {
	const (
		backspace, del, kill = 0x08, 0x7f, 0x15
		endOfFile            = 0x04
	)
	show := func(text string) {
		if !hidden {
			fmt.Fprint(t.tty, text)
		}
	}
	var line []byte
	for {
		var key [1]byte
		if _, err := t.tty.Read(key[:]); err != nil {
			return "", errors.New("the terminal was closed")
		}
		switch key[0] {
		case '\r', '\n':
			return string(line), nil
		case endOfFile:
			return "", errors.New("ended by Ctrl-D; nothing was changed")
		case backspace, del:
			if _, size := utf8.DecodeLastRune(line); size > 0 {
				line = line[:len(line)-size]
				show("\b \b")
			}
		case kill:
			show(strings.Repeat("\b \b", utf8.RuneCount(line)))
			line = line[:0]
		default:
			line = append(line, key[0])
			if key[0] >= ' ' {
				show(string(key[:]))
			}
		}
	}
}
