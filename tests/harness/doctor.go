package harness

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"syscall"
	"time"

	"reltio-token-rotator/rotator/doctor"
	"reltio-token-rotator/rotator/reltio"
	"reltio-token-rotator/tests/fake"
)

// Check is the doctor's event, in a process of its own, under the function's
// timeout.
func (h *Harness) Check(ctx context.Context) (doctor.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	store := h.store(fake.Transport(h.hosts))
	checker := &doctor.Doctor{
		Settings: h.Settings, Version: "test",
		Lister: store, Credentials: store, Secrets: store, Parameters: store,
		Hosts: reltio.New(reltio.Config{Dial: h.Network.dial, Roots: h.Network.roots()}),
		Log:   slog.New(slog.NewJSONHandler(h.Logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	return checker.Check(ctx)
}

// Network is the network between the doctor and the token hosts: names, routes and
// certificates. The zero Network has the host auth.reltio.com, which speaks TLS with
// a certificate of an authority that the doctor trusts.
type Network struct {
	// NoRoute makes every connection time out, as a security group does.
	NoRoute bool
	// Refuse refuses every connection.
	Refuse bool
	// Certificate changes the certificate of the token host before it is signed.
	Certificate func(*x509.Certificate)
	// Untrusted makes an authority sign it that is not trusted.
	Untrusted bool
	// Plain makes the host answer without TLS.
	Plain bool

	mu        sync.Mutex
	dialled   []string
	received  []byte
	authority *authority
}

// Dialled are the addresses that were tried.
func (n *Network) Dialled() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dialled
}

// Received is what was sent after the handshakes.
func (n *Network) Received() []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.received
}

func (n *Network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialled = append(n.dialled, address)
	n.mu.Unlock()
	host, _, _ := net.SplitHostPort(address)
	fail := func(err error) (net.Conn, error) { return nil, &net.OpError{Op: "dial", Net: network, Err: err} }
	switch {
	case host != "auth.reltio.com":
		return fail(&net.DNSError{Err: "no such host", Name: host, IsNotFound: true})
	case n.NoRoute:
		<-ctx.Done()
		return fail(ctx.Err())
	case n.Refuse:
		return fail(syscall.ECONNREFUSED)
	}
	client, server := net.Pipe()
	go n.serve(server, host)
	return client, nil
}

func (n *Network) serve(connection net.Conn, host string) {
	defer func() { _ = connection.Close() }()
	if n.Plain {
		_, _ = connection.Read(make([]byte, 1<<16)) // the whole client hello
		_, _ = io.WriteString(connection, "HTTP/1.1 400 Bad Request\r\n\r\n")
		return
	}
	signer := n.authority
	if n.Untrusted {
		signer = newAuthority()
	}
	session := tls.Server(connection, &tls.Config{Certificates: []tls.Certificate{signer.certificate(host, n.Certificate)}})
	sent, _ := io.ReadAll(session)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.received = append(n.received, sent...)
}

func (n *Network) roots() *x509.CertPool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.authority == nil {
		n.authority = newAuthority()
	}
	pool := x509.NewCertPool()
	pool.AddCert(n.authority.own)
	return pool
}

// authority signs certificates.
type authority struct {
	own *x509.Certificate
	key *ecdsa.PrivateKey
}

func newAuthority() *authority {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	signed := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return &authority{must(x509.ParseCertificate(signed)), key}
}

func (a *authority) certificate(host string, change func(*x509.Certificate)) tls.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	if change != nil {
		change(template)
	}
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return tls.Certificate{
		Certificate: [][]byte{must(x509.CreateCertificate(rand.Reader, template, a.own, key.Public(), a.key))},
		PrivateKey:  key,
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
