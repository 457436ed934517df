package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// asker asks the operator. Call close after the last question in a row.
type asker interface {
	// ask asks for one line. What is typed is shown only if it is not hidden.
	ask(ctx context.Context, question string, hidden bool) (string, error)
	tell(format string, args ...any)
	close()
}

// terminal asks the operator at the terminal. It switches off the terminal's line
// mode, because secrets must not be shown, and because in line mode the kernel cuts
// long pastes (at 1024 characters on some systems).
//
// Input that arrives before a question is not its answer. Otherwise pasted text with
// line ends would answer the following questions.
type terminal struct {
	tty   *os.File
	mode  terminalMode
	bytes chan byte // what is typed; closed when the terminal is
}

const (
	pasteOn  = "\x1b[?2004h" // the terminal marks where a paste begins and ends
	pasteOff = "\x1b[?2004l"

	pasteBegins = "[200~"
	pasteEnds   = "\x1b[201~"

	// quiet is how long no input arrives after the end of a paste, also from a
	// terminal that does not mark it.
	quiet = 100 * time.Millisecond

	// maxLine is the longest answer: a secret holds 64 KiB.
	maxLine = 64 << 10
)

var (
	errSeveralLines = errors.New("that was more than one line, and nothing of it was taken. Paste one value at a time")
	errNoCharacter  = errors.New("that holds a key that is no character, such as an arrow, and was not taken")
	errTooLong      = errors.New("that is longer than a secret can be, and was not taken")
)

// terminalOnce opens the terminal that the program was started from when it is first
// needed, whatever its standard input is. It opens it once, because two readers
// would each get a part of the input.
func terminalOnce() func() (asker, error) {
	var t *terminal
	return func() (asker, error) {
		if t == nil {
			tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
			if err != nil {
				return nil, errors.New("there is no terminal to ask at")
			}
			t = &terminal{tty: tty, bytes: make(chan byte, 4096)}
			go t.read()
		}
		if err := t.mode.hide(t.tty); err != nil {
			return nil, fmt.Errorf("the terminal cannot be told not to show what is typed: %w", err)
		}
		fmt.Fprint(t.tty, pasteOn)
		return t, nil
	}
}

// close restores the terminal's settings from before the questions.
func (t *terminal) close() {
	fmt.Fprint(t.tty, pasteOff)
	t.discard()
	t.mode.restore(t.tty)
}

// tell prints a paragraph at the terminal.
func (t *terminal) tell(format string, args ...any) {
	fmt.Fprintln(t.tty, plain(wrap(fmt.Sprintf(format, args...), width, "")))
}

// read passes on what is typed. It ends with the program, because a read from a
// terminal cannot be interrupted.
func (t *terminal) read() {
	defer close(t.bytes)
	var chunk [1024]byte
	for {
		n, err := t.tty.Read(chunk[:])
		for _, b := range chunk[:n] {
			t.bytes <- b
		}
		if err != nil {
			return
		}
	}
}

// discard drops what was typed or pasted before the question, until nothing more
// arrives.
func (t *terminal) discard() {
	t.mode.flush(t.tty)
	for {
		if _, ok := t.next(quiet); !ok {
			return
		}
	}
}

// next returns the next byte if one arrives in time.
func (t *terminal) next(within time.Duration) (byte, bool) {
	select {
	case b, ok := <-t.bytes:
		return b, ok
	case <-time.After(within):
		return 0, false
	}
}

func (t *terminal) ask(ctx context.Context, question string, hidden bool) (string, error) {
	for {
		t.discard()
		fmt.Fprint(t.tty, plain(wrap(question, width, "")))
		if strings.HasSuffix(question, " ") {
			fmt.Fprint(t.tty, " ")
		}
		line, err := t.line(ctx, hidden)
		fmt.Fprint(t.tty, "\n")
		switch {
		case errors.Is(err, errSeveralLines), errors.Is(err, errNoCharacter), errors.Is(err, errTooLong):
			text := err.Error()
			t.tell("%s. Once more, please.", strings.ToUpper(text[:1])+text[1:])
		default:
			return line, err
		}
	}
}

func control(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }

// line reads up to the Enter key; Backspace and Ctrl-U work.
func (t *terminal) line(ctx context.Context, hidden bool) (string, error) {
	const (
		backspace, del, kill = 0x08, 0x7f, 0x15
		endOfFile, escape    = 0x04, 0x1b
	)
	show := func(text string) {
		if !hidden {
			fmt.Fprint(t.tty, text)
		}
	}
	var line []byte
	for {
		var key byte
		select {
		case b, ok := <-t.bytes:
			if !ok {
				return "", errors.New("the terminal was closed")
			}
			key = b
		case <-ctx.Done():
			return "", ctx.Err()
		}
		switch key {
		case '\r', '\n':
			return t.ended(line)
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
		case escape:
			text, err := t.sequence()
			if err != nil {
				return "", err
			}
			line = append(line, text...)
			show(plain(string(text)))
		default:
			line = append(line, key)
			if key >= ' ' {
				show(string([]byte{key}))
			}
		}
		if len(line) > maxLine {
			return "", errTooLong
		}
	}
}

// ended decides about a line whose end has been typed or pasted. A paste without
// marks that continues after its first line has several lines. A carriage return
// with a line feed, or a second one of them, is one line end.
func (t *terminal) ended(line []byte) (string, error) {
	for {
		b, ok := t.next(quiet)
		if !ok {
			break
		}
		if b != '\r' && b != '\n' {
			return "", errSeveralLines
		}
	}
	if strings.ContainsFunc(string(line), control) {
		return "", errNoCharacter
	}
	return string(line), nil
}

// sequence reads what follows an escape character: a paste, of which it returns
// the text, or a key that is no character.
func (t *terminal) sequence() ([]byte, error) {
	var begin []byte
	for len(begin) < len(pasteBegins) {
		b, ok := t.next(quiet)
		if !ok {
			return nil, errNoCharacter
		}
		begin = append(begin, b)
		if !strings.HasPrefix(pasteBegins, string(begin)) {
			return nil, errNoCharacter
		}
	}
	var text []byte
	for !bytes.HasSuffix(text, []byte(pasteEnds)) {
		b, ok := t.next(5 * time.Second)
		if !ok {
			return nil, errNoCharacter
		}
		if len(text) > maxLine+len(pasteEnds) {
			return nil, errTooLong
		}
		text = append(text, b)
	}
	text = bytes.TrimRight(bytes.TrimSuffix(text, []byte(pasteEnds)), "\r\n")
	if bytes.ContainsAny(text, "\r\n") {
		return nil, errSeveralLines
	}
	return text, nil
}

// confirm asks for one word, and reports whether it was typed.
func (o *operator) confirm(ctx context.Context, question, word string) (bool, error) {
	t, err := o.terminal()
	if err != nil {
		return false, fmt.Errorf("nothing was changed: %w; -yes (YES=true) does it without asking", err)
	}
	defer t.close()
	answer, err := t.ask(ctx, question, false)
	if err != nil {
		return false, err
	}
	return strings.EqualFold(strings.TrimSpace(answer), word), nil
}
