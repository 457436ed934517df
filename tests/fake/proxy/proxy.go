// Package proxy is a CONNECT proxy on loopback that records everything it sees.
package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// Proxy is an http.Handler. Serve it with httptest.NewServer.
type Proxy struct {
	// Backend is the address that every tunnel leads to, whatever host was asked
	// for.
	Backend string

	mu     sync.Mutex
	refuse map[string]int
	hosts  []string
	seen   strings.Builder
}

// Refuse makes the proxy answer CONNECT to a host (HOST:PORT, "*" for every host)
// with a status. 0 makes it connect again.
func (p *Proxy) Refuse(host string, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse == nil {
		p.refuse = map[string]int{}
	}
	p.refuse[host] = status
}

// Hosts are the hosts of all CONNECT requests, in order.
func (p *Proxy) Hosts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.hosts...)
}

// Seen is the text of all requests and every byte that went through a tunnel, in
// both directions.
func (p *Proxy) Seen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.String()
}

// Write records what the proxy sees.
func (p *Proxy) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.Write(b)
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(p, "%s %s %v\n", r.Method, r.Host, r.Header)
	if r.Method != http.MethodConnect {
		http.Error(w, "this proxy accepts only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	if status := p.accept(r.Host); status != 0 {
		http.Error(w, "refused", status)
		return
	}
	server, err := net.Dial("tcp", p.Backend)
	if err != nil {
		http.Error(w, "no backend", http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = server.Close()
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	var other sync.WaitGroup
	other.Go(func() { p.copy(server, buffered) })
	p.copy(client, server)
	other.Wait()
}

// accept records the host and returns the status of a refusal, 0 for none.
func (p *Proxy) accept(host string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hosts = append(p.hosts, host)
	if status := p.refuse[host]; status != 0 {
		return status
	}
	return p.refuse["*"]
}

// copy copies one direction of a tunnel and then closes its destination.
func (p *Proxy) copy(to io.WriteCloser, from io.Reader) {
	_, _ = io.Copy(to, io.TeeReader(from, p))
	_ = to.Close()
}
