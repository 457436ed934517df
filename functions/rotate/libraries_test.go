package main

import (
	"bytes"
	"log"
	"testing"
)

func TestOnlyTheRuntimesMessagesPass(t *testing.T) {
	for message, want := range map[string]string{
		"github.com/aws/aws-lambda-go@v1.55.1/lambda/invoke_loop.go:104: {\"errorType\":\"x: y\"}\n": "{\"errorType\":\"x: y\"}\n",
		"net/http/transport.go:2345: Unsolicited response starting with \"canary\"; err=<nil>\n":     "net/http/transport.go:2345: a library's message is not shown, because it can quote a response\n",
		"canary\n": ": a library's message is not shown, because it can quote a response\n",
	} {
		var out bytes.Buffer
		if n, err := (libraryLog{&out}).Write([]byte(message)); n != len(message) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if out.String() != want {
			t.Errorf("%q became %q", message, out.String())
		}
	}
	var out bytes.Buffer
	log.New(libraryLog{&out}, "", log.Llongfile).Print("canary")
	if bytes.Contains(out.Bytes(), []byte("canary")) || !bytes.Contains(out.Bytes(), []byte("libraries_test.go:")) {
		t.Errorf("printed %s", out.String())
	}
}
