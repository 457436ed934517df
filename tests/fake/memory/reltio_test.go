package memory_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/reltio"
	"reltio-token-rotator/rotator/secret"
	"reltio-token-rotator/tests/fake"
	"reltio-token-rotator/tests/fake/memory"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// office is a Reltio and the rotator's way to it.
type office struct {
	*transcript
	endpoint rotator.TokenEndpoint
	login    func() (access, refresh string)
	alive    func(access string) bool
	end      func()
	requests func() int
	faults   func(...memory.TokenFault)
}

// ask sends a request with 40 s for it, as an attempt has, and notes the answer.
func (o *office) ask(grant rotator.GrantType, refreshToken string) rotator.TokenResponse {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	start := time.Now()
	answer, err := o.endpoint.RequestToken(ctx, rotator.TokenRequest{
		TokenURL: "https://auth.reltio.com/oauth/token", GrantType: grant,
		ClientID: "client", ClientSecret: secret.New("secret"),
		RefreshToken: secret.New(refreshToken),
		Username:     secret.New("user"), Password: secret.New("password"),
	})
	if failure, ok := errors.AsType[*rotator.Error](err); ok {
		took := "at once"
		if time.Since(start) >= 20*time.Second {
			took = "20 s later"
		}
		o.note("%s: %s, retry after %v, token ended: %v, throttled %d, %s, %d requests so far",
			grant, failure.Code, failure.RetryAfter, failure.TokenEnded, answer.Throttled, took, o.requests())
		return answer
	}
	o.note("%s: %s and %s for %v, throttled %d, sent in time: %v, %d requests so far", grant,
		o.name("A", answer.AccessToken.Reveal()), o.name("R", answer.RefreshToken.Reveal()), answer.ExpiresIn,
		answer.Throttled, !answer.SentAt.Before(start) && !answer.SentAt.After(time.Now()), o.requests())
	return answer
}

func (o *office) refresh(token string) rotator.TokenResponse {
	return o.ask(rotator.GrantTypeRefreshToken, token)
}

func (o *office) seen(access string) { o.note("%s alive: %v", o.name("A", access), o.alive(access)) }

// passes lets time pass to some odd fraction of a second.
func passes(d time.Duration) { time.Sleep(d + 300*time.Millisecond) }

func TestReltioInMemoryAnswersLikeTheStandIn(t *testing.T) {
	faults := map[string][]memory.TokenFault{
		"429, then well":                 {{Status: 429}},
		"429 with Retry-After":           {{Status: 429, RetryAfter: 7 * time.Second}},
		"429 with a long Retry-After":    {{Status: 429, RetryAfter: 5 * time.Minute}},
		"429 three times":                {{Status: 429}, {Status: 429}, {Status: 429, RetryAfter: time.Second}},
		"500 once":                       {{Status: 500}},
		"500 twice":                      {{Status: 500}, {Status: 500}},
		"502, 504":                       {{Status: 502}, {Status: 504}},
		"503 with Retry-After":           {{Status: 503, RetryAfter: time.Minute}},
		"502 with Retry-After":           {{Status: 502, RetryAfter: 10 * time.Minute}},
		"unreachable once":               {{Unreachable: true}},
		"unreachable":                    {{Unreachable: true}, {Unreachable: true}, {Unreachable: true}},
		"slow":                           {{Before: 15 * time.Second}},
		"slow answer":                    {{After: 15 * time.Second}},
		"executed after the client left": {{Before: 25 * time.Second}},
		"answered after the client left": {{After: 25 * time.Second}},
		"answer cut":                     {{Cut: true}},
		"502, then answer cut":           {{Status: 502}, {Cut: true}},
	}
	type scene struct {
		options memory.Options
		play    func(o *office)
	}
	scenes := map[string]scene{
		"the refresh token stays": {play: func(o *office) {
			a1, r1 := o.login()
			o.seen(a1)
			passes(10 * time.Minute)
			a2 := o.refresh(r1)
			o.seen(a1)
			passes(50 * time.Minute)
			o.refresh(r1)
			o.seen(a2.AccessToken.Reveal())
			o.refresh("unknown")
		}},
		"the refresh token rotates": {memory.Options{Rotate: true}, func(o *office) {
			_, r1 := o.login()
			passes(time.Minute)
			a2 := o.refresh(r1)
			o.refresh(r1)
			o.seen(a2.AccessToken.Reveal())
			o.refresh(a2.RefreshToken.Reveal())
			o.seen(a2.AccessToken.Reveal())
		}},
		"the same token until it has expired": {memory.Options{SameTokenUntilExpired: true}, func(o *office) {
			a1, r1 := o.login()
			passes(50 * time.Minute)
			o.refresh(r1)
			passes(9*time.Minute + 58*time.Second)
			o.refresh(r1)
			passes(0)
			o.seen(a1)
			o.refresh(r1)
			passes(time.Second)
			o.seen(a1)
			o.refresh(r1)
		}},
		"the same token and a rotating refresh token": {memory.Options{SameTokenUntilExpired: true, Rotate: true}, func(o *office) {
			_, r1 := o.login()
			passes(time.Minute)
			second := o.refresh(r1)
			o.refresh(r1)
			passes(time.Hour)
			o.refresh(second.RefreshToken.Reveal())
		}},
		"another login": {play: func(o *office) {
			o.login()
			passes(time.Minute)
			o.ask(rotator.GrantTypePassword, "")
			passes(time.Hour)
			o.ask(rotator.GrantTypePassword, "")
		}},
		"the refresh token dies": {play: func(o *office) {
			_, r1 := o.login()
			passes(28*day - time.Minute)
			a2 := o.refresh(r1)
			passes(time.Minute)
			o.ask(rotator.GrantTypePassword, "") // the same access token, the dead refresh token
			o.refresh(r1)
			o.seen(a2.AccessToken.Reveal())
			o.refresh(r1)
			o.ask(rotator.GrantTypePassword, "")
		}},
		"access ended from elsewhere": {play: func(o *office) {
			a1, r1 := o.login()
			passes(time.Minute)
			o.end()
			o.seen(a1)
			o.refresh(r1)
		}},
	}
	for name, sequence := range faults {
		scenes[name] = scene{play: func(o *office) {
			a1, r1 := o.login()
			o.faults(sequence...)
			o.refresh(r1)
			o.seen(a1)
			passes(time.Minute)
			o.seen(a1)
			o.refresh(r1)
		}}
	}
	for name, scene := range scenes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inMemory, real := memoryOffice(scene.options), realOffice(t, scene.options)
				scene.play(inMemory)
				scene.play(real)
				compare(t, inMemory.transcript, real.transcript)
			})
		})
	}
}

func memoryOffice(options memory.Options) *office {
	var coming []memory.TokenFault
	options.Weather = func() (now memory.TokenFault) {
		if len(coming) > 0 {
			now, coming = coming[0], coming[1:]
		}
		return now
	}
	server := memory.NewReltio(options)
	return &office{
		transcript: newTranscript(), endpoint: server.Process(),
		login:    func() (string, string) { return server.Login("user") },
		alive:    server.Alive,
		end:      func() { server.EndAccess("user") },
		requests: server.Requests,
		faults:   func(faults ...memory.TokenFault) { coming = faults },
	}
}

func realOffice(t *testing.T, options memory.Options) *office {
	server := fakereltio.New(fakereltio.Options{
		RotateRefreshToken: options.Rotate, SameTokenUntilExpired: options.SameTokenUntilExpired,
	})
	t.Cleanup(server.Close)
	way := &brokenWay{next: fake.Transport(map[string]http.Handler{"auth.reltio.com": server})}
	return &office{
		transcript: newTranscript(), endpoint: reltio.New(reltio.Config{RequestsPerSecond: 5, Transport: way}),
		login: server.Login, alive: server.Alive, end: server.EndAccessTokens,
		requests: func() int { return len(server.Requests()) },
		faults: func(faults ...memory.TokenFault) {
			for _, f := range faults {
				if f.Unreachable {
					way.broken++
					continue
				}
				server.Script(scripted(f))
			}
		},
	}
}

func scripted(f memory.TokenFault) fakereltio.Fault {
	switch {
	case f.Status != 0 && f.RetryAfter > 0:
		return fakereltio.StatusRetryAfter(f.Status, fmt.Sprint(int(f.RetryAfter/time.Second)))
	case f.Status != 0:
		return fakereltio.Status(f.Status)
	case f.Before > 0:
		return fakereltio.Slow(f.Before)
	case f.After > 0:
		return fakereltio.SlowAnswer(f.After)
	case f.Cut:
		return fakereltio.AnswerLost()
	}
	return fakereltio.Pass()
}

// brokenWay fails the next requests before anything is sent.
type brokenWay struct {
	next   http.RoundTripper
	broken int
}

func (w *brokenWay) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.broken > 0 {
		w.broken--
		return nil, errors.New("connection refused")
	}
	return w.next.RoundTrip(r)
}
