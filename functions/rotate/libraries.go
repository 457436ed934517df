package main

import (
	"bytes"
	"io"
)

// libraryLog takes what libraries write through the standard logger, with
// log.Llongfile. net/http quotes there what a server sent unasked, such as the
// rest of an answer that is longer than it said, which can be a secret's. So only
// the Lambda runtime's messages pass; of others the place is shown.
type libraryLog struct{ w io.Writer }

// Write implements io.Writer. It gets one message a call (package log).
func (l libraryLog) Write(message []byte) (int, error) {
	place, text, found := bytes.Cut(message, []byte(": "))
	if !found {
		place = nil
	}
	if !bytes.Contains(place, []byte("github.com/aws/aws-lambda-go")) {
		text = append(bytes.Clone(place), ": a library's message is withheld, since it can quote an answer\n"...)
	}
	if _, err := l.w.Write(text); err != nil {
		return 0, err
	}
	return len(message), nil
}
