package simulation_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/svg"
)

var draw = flag.Bool("draw", false, "write the picture and do not compare it")

// sample is what is left of the published token at an instant; 0 where it is not
// accepted.
type sample struct {
	at, left time.Duration
	token    string
}

const (
	pictured    = 3 * time.Hour
	sampleEvery = 15 * time.Second
	outageFrom  = 92 * time.Minute
	outageTo    = outageFrom + 25*time.Minute
)

// The picture of the published token's life, with one credential set and with two,
// is what the simulation does.
func TestPicturesAreCurrent(t *testing.T) {
	p := svg.New(840, 420, "What is left of the published token's life over three hours, with an outage of the token endpoint of 25 minutes. "+
		"With one credential set no token is live at the end of the outage; with two there always is one.")
	p.TextFrom(svg.Small, 60, 30, "Life left of the published token, over three hours")
	var gaps [2]time.Duration
	for i, two := range []bool{false, true} {
		var life []sample
		synctest.Test(t, func(t *testing.T) { life = lifeThroughAnOutage(t, two) })
		gaps[i] = panel(p, 72+188*float64(i), [...]string{"One credential set", "Two credential sets"}[i], life)
	}
	if gaps[0] == 0 || gaps[1] > 0 {
		t.Errorf("no live token for %v: wanted a while with one set and none with two", gaps)
	}
	p.Check(t, filepath.Join("..", "..", "docs", "pictures", "token-life.svg"), *draw)
}

// lifeThroughAnOutage looks at the published token of a new connection.
func lifeThroughAnOutage(t *testing.T, two bool) []sample {
	s := &scenario{seed: 1, length: pictured}
	s.troubles[endpointDown] = []trouble{{span: span{outageFrom, outageTo}}}
	h := newHarness(t, fakereltio.Options{Users: map[string]string{second: "password"}}, false)
	if two {
		set := map[string]any{"client_id": "client", "client_secret": "secret"}
		_, set["refresh_token"] = h.Reltio.Login()
		alternate := map[string]any{"client_id": "client", "client_secret": "secret"}
		_, alternate["refresh_token"] = h.Reltio.LoginAs(second)
		set["alternate"] = alternate
		document, _ := json.Marshal(set)
		h.AWS.PutSecret(harness.SecretName(connection, "credentials"), string(document))
	}
	start := time.Now()
	h.Reltio.SetFaults(func() fakereltio.Fault { return s.tokenFault(time.Since(start)) })
	h.AWS.SetFaults(func(c fakeaws.Call) (fakeaws.Fault, bool) { return s.awsFault(time.Since(start), c), true })
	var running sync.WaitGroup
	running.Go(func() {
		for minute := range int(pictured / time.Minute) {
			time.Sleep(time.Duration(minute)*time.Minute - time.Since(start))
			for _, late := range s.heartbeats(minute) {
				running.Go(func() {
					time.Sleep(late)
					_, _ = h.Invoke(t.Context(), rotator.Event{})
				})
			}
		}
	})
	var life []sample
	for at := time.Duration(0); at <= pictured; at += sampleEvery {
		time.Sleep(at - time.Since(start))
		published, _ := h.Token(connection)
		one := sample{at: at, token: published.AccessToken}
		if known, _ := h.Reltio.AccessToken(published.AccessToken); h.Reltio.Alive(published.AccessToken) {
			one.left = time.Until(known.ExpiresAt)
		}
		life = append(life, one)
	}
	running.Wait()
	return life
}

// panel draws the life of the published token, and returns for how long there was
// no live one after the first.
func panel(p *svg.Picture, top float64, title string, life []sample) (gap time.Duration) {
	const left, width, height = 60, 760, 120
	x := func(at time.Duration) float64 { return left + width*at.Minutes()/pictured.Minutes() }
	y := func(d time.Duration) float64 { return top + height*(1-d.Minutes()/60) }
	p.TextFrom(svg.Head, left, top-14, title)
	p.Rect(svg.Fault, x(outageFrom), top, x(outageTo)-x(outageFrom), height)
	p.Text(svg.Small, x(outageFrom+(outageTo-outageFrom)/2), top-14, "outage, 25 minutes")
	for _, minutes := range []time.Duration{0, 30, 60} {
		at := y(minutes * time.Minute)
		p.Line(svg.Grid, svg.Point{X: left, Y: at}, svg.Point{X: left + width, Y: at})
		p.TextTo(svg.Small, left-8, at+4, fmt.Sprintf("%d min", minutes))
	}
	for hour := range 4 {
		p.Text(svg.Small, x(time.Duration(hour)*time.Hour), top+height+18, fmt.Sprintf("%d:00", hour))
	}
	// The corners are enough: a life that is not replaced falls in a straight line.
	var line []svg.Point
	var without time.Duration // since when there is no live token
	for i, one := range life {
		if one.left == 0 && len(line) == 0 {
			continue // before the first token
		}
		first := i == 0 || life[i-1].token != one.token || life[i-1].left == 0
		last := i+1 == len(life) || life[i+1].token != one.token || life[i+1].left == 0
		switch {
		case one.left == 0 && without == 0:
			without = one.at
			line = append(line, svg.Point{X: x(one.at), Y: y(0)})
		case one.left > 0 && without > 0:
			gap += one.at - without
			line = append(line, svg.Point{X: x(one.at), Y: y(0)})
			defer p.Line(svg.Bad, svg.Point{X: x(without), Y: y(0)}, svg.Point{X: x(one.at), Y: y(0)}) // above the life
			p.TextFrom(svg.Bad, x(one.at)+8, y(0)-8, fmt.Sprintf("no live token for %.0f minutes", (one.at-without).Minutes()))
			without = 0
		}
		if one.left > 0 && (first || last) {
			line = append(line, svg.Point{X: x(one.at), Y: y(one.left)})
		}
	}
	p.Line(svg.Good, line...)
	return gap
}
