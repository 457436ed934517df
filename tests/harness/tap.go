package harness

import (
	"bytes"
	"net/http"

	"reltio-token-rotator/tests/fake"
)

// Tap returns a server that also passes the body of each response to see, including
// responses that are cut.
func Tap(server http.Handler, see func(body string)) fake.Connector { return tap{server, see} }

type tap struct {
	server http.Handler
	see    func(body string)
}

// Connect implements fake.Connector.
func (t tap) Connect(r *http.Request) (http.Handler, error) {
	connector, ok := t.server.(fake.Connector)
	if !ok {
		return t, nil
	}
	server, err := connector.Connect(r)
	return tap{server, t.see}, err
}

func (t tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply := &copying{ResponseWriter: w}
	defer func() { t.see(reply.body.String()) }()
	t.server.ServeHTTP(reply, r)
}

// copying keeps a copy of a response's body.
type copying struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (c *copying) Write(p []byte) (int, error) {
	c.body.Write(p)
	return c.ResponseWriter.Write(p)
}

func (c *copying) Flush() { c.ResponseWriter.(http.Flusher).Flush() }
