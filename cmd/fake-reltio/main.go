// Command fake-reltio runs the Reltio fake as a process. It prints its base URL on
// standard output and serves until SIGINT or SIGTERM. Then it writes the token
// requests that it received to standard error.
//
//	RELTIO_CLIENT_SECRET=… fake-reltio -lifetime 12s -seed-file credentials.json
//
// Secret values come from the environment. All are optional:
// RELTIO_CLIENT_SECRET, RELTIO_USERNAME, RELTIO_PASSWORD, and
// RELTIO_REFRESH_TOKEN for a refresh token that is valid from the start.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"reltio-token-rotator/tests/fake/reltio"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake-reltio:", err)
		os.Exit(1)
	}
}

// settings are the values from the command line and the environment.
type settings struct {
	addr         string
	options      reltio.Options
	refreshToken string
	seedFile     string
	seedLogin    bool
}

func parse(args []string, getenv func(string) string, stderr io.Writer) (settings, error) {
	var s settings
	o := &s.options
	flags := flag.NewFlagSet("fake-reltio", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:0", "address to listen on")
	flags.StringVar(&s.seedFile, "seed-file", "", "write valid credentials to this `file`, with mode 0600")
	flags.BoolVar(&s.seedLogin, "seed-login", false, "write username and password to the seed file too")
	flags.StringVar(&o.ClientID, "client-id", "client", "id of the client")
	flags.StringVar(&o.Scope, "scope", "read write", "scope of the client")
	flags.DurationVar(&o.Lifetime, "lifetime", 3599*time.Second, "lifetime of access tokens")
	flags.DurationVar(&o.RefreshLifetime, "refresh-lifetime", 28*24*time.Hour, "lifetime of refresh tokens")
	flags.BoolVar(&o.RotateRefreshToken, "rotate", false, "each refresh changes the refresh token")
	flags.BoolVar(&o.RevokeFamilyOnReplay, "revoke-family", false, "a replayed refresh token revokes all tokens of its login")
	flags.BoolVar(&o.SameTokenUntilExpired, "same-token", false, "a refresh returns the same access token until it has expired")
	flags.BoolVar(&o.MultiToken, "multi-token", false, "client_credentials returns a new token each time")
	flags.BoolVar(&o.JWT, "jwt", false, "issue JWT access tokens, which a refresh does not end")
	flags.BoolVar(&o.MFA, "mfa", false, "answer the password grant with an MFA challenge")
	flags.BoolVar(&o.EchoRefreshToken, "echo", false, "return the rejected refresh token in errors")
	flags.BoolVar(&o.LooseShape, "loose", false, `return "Bearer", expires_in as a string, and scope as a list`)
	flags.BoolVar(&o.OmitRefreshToken, "omit-refresh-token", false, "return a refresh token only if it changed")
	flags.DurationVar(&o.Latency, "latency", 0, "time before each request is executed")
	flags.DurationVar(&o.RaceWindow, "race-window", 0, "time between a refresh and its response")
	flags.IntVar(&o.RequestsPerSecond, "rate", 0, "limit of token requests per second; above it the response is 429")
	flags.StringVar(&o.RetryAfter, "retry-after", "", "Retry-After header of these 429 responses")
	flags.Func("token-format", "uuid, base64 or base64url", func(name string) error {
		format, ok := map[string]reltio.TokenFormat{
			"uuid": reltio.UUID, "base64": reltio.Base64, "base64url": reltio.Base64URL,
		}[name]
		if !ok {
			return errors.New("not a token format")
		}
		o.TokenFormat = format
		return nil
	})
	flags.Func("grants", "comma-separated grant types that the client may use", func(list string) error {
		o.Grants = strings.Split(list, ",")
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	if flags.NArg() > 0 {
		return settings{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	fallback := func(name, value string) string {
		if set := getenv(name); set != "" {
			return set
		}
		return value
	}
	o.ClientSecret = fallback("RELTIO_CLIENT_SECRET", "secret")
	o.Username = fallback("RELTIO_USERNAME", "user")
	o.Password = fallback("RELTIO_PASSWORD", "password")
	s.refreshToken = getenv("RELTIO_REFRESH_TOKEN")
	return s, nil
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	s, err := parse(args, getenv, stderr)
	if err != nil {
		return err
	}
	server := reltio.New(s.options)
	if s.refreshToken != "" {
		server.AddRefreshToken(s.refreshToken)
	}
	if s.seedFile != "" {
		if err := seed(server, s); err != nil {
			return fmt.Errorf("seed file: %w", err)
		}
	}
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	front := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- front.Serve(listener) }()
	fmt.Fprintf(stdout, "http://%s\n", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	server.Close()
	shutdown, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err = front.Shutdown(shutdown)
	<-failed
	for _, request := range server.Requests() {
		fmt.Fprintln(stderr, request.At.UTC().Format(time.RFC3339), request)
	}
	return err
}

// seed writes valid credentials. The file appears complete, and only this user may
// read it.
func seed(server *reltio.Server, s settings) error {
	refresh := s.refreshToken
	if refresh == "" {
		_, refresh = server.Login()
	}
	credentials := map[string]string{
		"client_id":     s.options.ClientID,
		"client_secret": s.options.ClientSecret,
		"refresh_token": refresh,
	}
	if s.seedLogin {
		credentials["username"], credentials["password"] = s.options.Username, s.options.Password
	}
	document, err := json.Marshal(credentials)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(s.seedFile), ".seed-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(append(document, '\n'))
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), s.seedFile)
}
