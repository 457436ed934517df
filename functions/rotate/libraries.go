package main

import (
	"bytes"
	"io"
)

// libraryLog receives what libraries write to the standard logger, with
// log.Llongfile. net/http quotes there what a server sent without a request, such
// as the rest of a response that is longer than its header said. That can be part
// of a secret. So only the Lambda runtime's messages are written in full; of the
// others only the place is written.
type libraryLog struct{ w io.Writer }

// Write implements io.Writer. Package log makes one call for each message.
func (l libraryLog) Write(message []byte) (int, error) {
	place, text, found := bytes.Cut(message, []byte(": "))
	if !found {
		place = nil
	}
	if !bytes.Contains(place, []byte("github.com/aws/aws-lambda-go")) {
		text = append(bytes.Clone(place), ": a library's message is not shown, because it can quote a response\n"...)
	}
	if _, err := l.w.Write(text); err != nil {
		return 0, err
	}
	return len(message), nil
}
