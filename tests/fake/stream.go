package fake

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// unsent is how many bytes net/http's server buffers before it sends the first ones
// without a flush. If the connection is cut before that, the client gets nothing.
const unsent = 4096

// stream is one answer on its way: the handler's http.ResponseWriter on one
// side and the client's response body on the other. What is written is kept
// until read, so a handler never waits for a slow reader.
type stream struct {
	hangUp    context.CancelFunc
	stopWatch func() bool
	started   chan struct{} // closed when the client may look

	mu      sync.Mutex
	more    *sync.Cond
	header  http.Header // the handler's, until it is committed
	sent    http.Header // what the client sees
	status  int
	unread  []byte
	begun   bool
	end     error // set when no more will be written
	left    error // set when the client went away
	chunked bool
	// unanswered: cut before anything of the answer had left.
	unanswered bool
}

func newStream(hangUp context.CancelFunc) *stream {
	s := &stream{hangUp: hangUp, started: make(chan struct{}), header: make(http.Header)}
	s.more = sync.NewCond(&s.mu)
	return s
}

// Header implements http.ResponseWriter.
func (s *stream) Header() http.Header { return s.header }

// WriteHeader implements http.ResponseWriter.
func (s *stream) WriteHeader(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commit(status)
}

func (s *stream) commit(status int) {
	if s.status == 0 {
		s.status, s.sent = status, s.header.Clone()
	}
}

// Write implements http.ResponseWriter.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commit(http.StatusOK)
	if s.left != nil {
		return 0, s.left
	}
	s.unread = append(s.unread, p...)
	if s.begun || len(s.unread) > unsent {
		s.begin()
	}
	return len(p), nil
}

// Flush implements http.Flusher: an answer that is flushed before its end has
// no Content-Length but the one the handler set.
func (s *stream) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commit(http.StatusOK)
	s.begin()
}

func (s *stream) begin() {
	if !s.begun {
		s.begun = true
		s.chunked = s.end == nil && s.sent.Get("Content-Length") == ""
		close(s.started)
	}
	s.more.Broadcast()
}

// finish ends the answer: io.EOF when it is whole.
func (s *stream) finish(end error) {
	s.mu.Lock()
	s.end = end
	if end != io.EOF {
		s.unanswered = !s.begun
	} else {
		s.commit(http.StatusOK)
		if !s.begun && s.sent.Get("Content-Length") == "" {
			s.sent.Set("Content-Length", strconv.Itoa(len(s.unread)))
		}
	}
	s.begin()
	s.mu.Unlock()
	s.hangUp()
}

// leave closes the client's side of the connection.
func (s *stream) leave(why error) {
	s.mu.Lock()
	if s.left == nil {
		s.left = why
	}
	s.more.Broadcast()
	s.mu.Unlock()
	s.hangUp()
}

// response returns what the client gets as soon as a part of the answer has been
// sent.
func (s *stream) response(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unanswered {
		s.stopWatch()
		return nil, io.EOF // what net/http gives for a connection closed unanswered
	}
	response := &http.Response{
		StatusCode: s.status, Status: strings.TrimSpace(strconv.Itoa(s.status) + " " + http.StatusText(s.status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: s.sent, Body: (*body)(s), ContentLength: contentLength(s.sent), Request: req,
	}
	if s.chunked {
		response.TransferEncoding = []string{"chunked"}
	}
	return response, nil
}

// body is the client's side of a stream.
type body stream

func (b *body) Read(p []byte) (int, error) {
	s := (*stream)(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.left == nil && len(s.unread) == 0 && s.end == nil {
		s.more.Wait()
	}
	if s.left != nil {
		return 0, s.left
	}
	if len(s.unread) == 0 {
		s.stopWatch()
		return 0, s.end
	}
	n := copy(p, s.unread)
	s.unread = s.unread[n:]
	return n, nil
}

func (b *body) Close() error {
	s := (*stream)(b)
	s.stopWatch()
	s.leave(http.ErrBodyReadAfterClose)
	return nil
}
