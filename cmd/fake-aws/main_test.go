package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestServesUntilStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-writes-per-second", "1"}, write) }()

	url, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	put := func() int {
		body := strings.NewReader(`{"Name":"/p","Value":"x","Type":"String","Overwrite":true}`)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSpace(url), body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Amz-Target", "AmazonSSM.PutParameter")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		return answer.StatusCode
	}
	if first, second := put(), put(); first != http.StatusOK || second != http.StatusBadRequest {
		t.Errorf("two writes with a limit of one per second: %d, %d", first, second)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
