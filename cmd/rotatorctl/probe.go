package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"time"

	"reltio-token-rotator/cmd/internal/credentialsfile"
	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/reltio"
	"reltio-token-rotator/rotator/secret"
)

// defaultTokenURL is Reltio's token endpoint, as in template.yaml.
const defaultTokenURL = "https://auth.reltio.com/oauth/token"

func probeFlags(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.file, "credentials", "", "JSON `file` with the credentials, as for seed")
	flags.StringVar(&o.tokenURL, "token-url", defaultTokenURL, "token endpoint as a `URL`")
	flags.StringVar(&o.apiURL, "api-url", "", "`URL` of an API that takes the tokens, to which GET is harmless")
	flags.StringVar(&o.saveTo, "save-to", "", "`file` for the credentials with a changed refresh token (CREDENTIALS.new)")
	yesFlag(flags, o)
}

// prober makes the token requests and finds out what they do.
type prober struct {
	*operator
	endpoint rotator.TokenEndpoint
	// transport counts and limits the token requests.
	transport *countingTransport
	saver     *refreshTokenSaver
	alive     *aliveness
}

// countingTransport limits the number of token requests.
type countingTransport struct {
	next       http.RoundTripper
	sent, most int
}

func (t *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.sent >= t.most {
		return nil, errors.New("no further token request is sent")
	}
	t.sent++
	return t.next.RoundTrip(r)
}

// probe is rotatorctl probe: what a Reltio tenant does with these credentials.
func (o *operator) probe(ctx context.Context) error {
	if o.file == "" {
		command := "rotatorctl probe -credentials credentials.json"
		if o.inMake {
			command = "make probe CREDENTIALS=credentials.json"
		}
		return errors.New("name the file with the credentials: " + command)
	}
	for _, raw := range []string{o.tokenURL, o.apiURL} {
		if raw == "" {
			continue
		}
		if err := credentialsfile.CheckURL(raw); err != nil {
			return err
		}
	}
	document, err := readCredentials(o.file, o.errors)
	if err != nil {
		return err
	}
	sets, err := credentialsfile.Sets(document)
	if err != nil {
		return fmt.Errorf("the credentials cannot be used: %w", err)
	}
	saver, err := newRefreshTokenSaver(o.file, o.saveTo, document)
	if err != nil {
		return err
	}
	if err := o.confirmProbe(ctx, len(sets)); err != nil {
		return err
	}
	transport := &countingTransport{next: newProbeTransport(), most: 2 + 2*len(sets)}
	p := &prober{
		operator: o, transport: transport, saver: saver,
		endpoint: reltio.New(reltio.Config{RequestsPerSecond: 1, Transport: transport}),
		alive:    newAliveness(o.tokenURL, o.apiURL),
	}
	seen := p.watch(ctx, sets)
	p.report(seen)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return wrongIf(seen.failed())
}

// newProbeTransport is for a workstation, so it uses the workstation's proxy.
func newProbeTransport() http.RoundTripper {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Each request has a connection of its own, because net/http may repeat a
	// request on a reused one.
	transport.DisableKeepAlives = true
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	return transport
}

func (o *operator) confirmProbe(ctx context.Context, sets int) error {
	o.say("This sends up to %d token requests with these credentials. It ends the token that they have now: jobs that use it get 401 until they have a new one. Do not run it with the credentials of a running rotator: use a user of its own.", 2+2*sets)
	if o.yes {
		return nil
	}
	sure, err := o.confirm(ctx, "Go on? [y/N] ", "y")
	if err != nil {
		return err
	}
	if !sure {
		return errors.New("nothing was requested")
	}
	return nil
}

// request sends one token request. If a refresh token came, it is saved before
// anything else is done, whatever else is wrong with the response.
func (p *prober) request(ctx context.Context, s *observed, grant rotator.GrantType) (rotator.TokenResponse, error) {
	if p.transport.sent >= p.transport.most {
		return rotator.TokenResponse{}, fmt.Errorf("%d token requests were sent, which is the limit", p.transport.sent)
	}
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	answer, err := p.endpoint.RequestToken(ctx, rotator.TokenRequest{
		TokenURL: p.tokenURL, GrantType: grant, ClientID: s.credentials.ClientID, ClientSecret: s.credentials.ClientSecret,
		RefreshToken: s.credentials.RefreshToken, Username: s.credentials.Username, Password: s.credentials.Password,
	})
	came := answer.RefreshToken
	if !came.Empty() && came.Reveal() != s.credentials.RefreshToken.Reveal() {
		had := !s.credentials.RefreshToken.Empty()
		if grant == rotator.GrantTypeRefreshToken {
			s.refreshTokenChanged = yes
		}
		s.credentials.RefreshToken = came
		if had || s.credentials.Username.Empty() {
			if saveErr := p.saver.save(s.credentials.Name, came); saveErr != nil {
				return answer, fmt.Errorf("the refresh token changed and could not be saved, so log in again and seed: %w", saveErr)
			}
		}
	} else if err == nil && grant == rotator.GrantTypeRefreshToken && s.refreshTokenChanged == unknown {
		s.refreshTokenChanged = no
	}
	return answer, err
}

// known is a result: yes, no, or not known.
type known int

const (
	unknown known = iota
	no
	yes
)

func knownIf(b bool) known {
	if b {
		return yes
	}
	return no
}

// observed has the results of one credential set.
type observed struct {
	credentials rotator.CredentialSet
	grant       rotator.GrantType
	failure     error
	// lifetime is the lifetime of a new access token. If only a token was returned
	// that had been issued before, atLeast is true.
	lifetime            time.Duration
	atLeast             bool
	jwt                 bool
	refreshTokenLife    time.Duration
	hasRefreshToken     bool
	newToken            known // a further request gives a new access token
	refreshTokenChanged known
	oldTokenLives       known
	why                 string // how oldTokenLives was seen, or why it was not
	token               secret.Value
}
