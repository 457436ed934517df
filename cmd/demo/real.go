package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// drawEvery is how often the live line is drawn.
const drawEvery = 100 * time.Millisecond

// useOwn obtains tokens with the operator's own credentials and reports whether all
// went well. ready, where it is not nil, is called before the first heartbeat:
// tests break something there.
func useOwn(ctx context.Context, s settings, to *screen, ready func(*fixture)) (well bool, err error) {
	notes := make(chan note, 100)
	beats := newSchedule(func(n note) {
		select {
		case notes <- n:
		default: // a flood of notes is not worth holding the function up
		}
	})
	fixture, err := newFixture(ctx, s, beats.output)
	defer fixture.close()
	if ctx.Err() != nil {
		return true, nil // ended by Ctrl-C before anything began
	}
	if err != nil {
		return false, err
	}
	beats.fixture = fixture
	if ready != nil {
		ready(fixture)
	}

	n := &narrator{screen: to, settings: s, start: time.Now()}
	running, end := context.WithTimeout(ctx, s.runFor)
	defer end()
	told := make(chan beat)
	worked := make(chan work)
	over := make(chan struct{})
	go func() {
		defer close(over)
		var both sync.WaitGroup
		both.Go(func() { beats.run(running, func(b beat) { told <- b }) })
		both.Go(func() { workEvery(running, &job{newAPI(fixture), s.reread}, s.readEvery, worked) })
		both.Wait()
	}()
	draw := time.NewTicker(drawEvery)
	defer draw.Stop()
	for {
		select {
		case logged := <-notes:
			n.note(logged)
		case b := <-told:
			n.beat(b)
			if b.result.Error.ActionRequired() || b.crashed {
				end() // only the operator can change anything now
			}
		case w := <-worked:
			n.work(w)
		case <-draw.C:
			n.draw()
		case <-over:
			return n.summary(fixture, beats.tokenRequests(), ctx.Err() != nil), nil
		}
	}
}

// workEvery lets the job work again and again. Its last piece of work is cut
// short without blame.
func workEvery(ctx context.Context, j *job, every time.Duration, worked chan<- work) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		w := j.do(ctx)
		if ctx.Err() != nil {
			return
		}
		worked <- w
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// introduceOwn says what is going to be done, before anything is requested.
func introduceOwn(to *screen, s settings) {
	fact := func(name, text string) { to.line("  " + to.column(bold, name, 10) + text) }
	to.line("The function as it is deployed gets tokens for your client, on this machine,")
	to.line("without AWS.")
	fact("token", "from "+s.tokenHost()+" with the credentials of "+s.credentialsFile)
	fact("time", fmt.Sprintf("a heartbeat (a run of the function) every %s, for %s", brief(s.heartbeat), brief(s.runFor)))
	if s.apiURL == "" {
		fact("API", "none: a token counts as live until it expires (API_URL=...)")
	} else {
		fact("API", "a job calls API_URL with the token every "+brief(s.readEvery))
	}
	if s.shared {
		to.line(to.paint(yellow, "Other users of this machine may read "+s.credentialsFile+" (chmod 600)."))
	}
	if s.saveTo == "" {
		to.line("If the server changes a refresh token, the file is stale. SAVE_TO=file saves the")
		to.line("new one.")
	}
	to.line(to.paint(yellow, "This ends the token that these credentials have now: jobs that use it get 401."))
	to.line(to.paint(yellow, "Do not run it with the credentials of a running rotator."))
}

// confirm asks at the terminal, and returns an error unless tokens may be requested.
func confirm(ctx context.Context, in *os.File, to *screen) error {
	if _, ok := terminal(in); !ok {
		return errors.New("nothing was requested: there is no terminal to ask at; YES=true does it without asking")
	}
	_, _ = io.WriteString(to.w, "Go on? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case text := <-answer:
		if text == "y" || text == "yes" {
			return nil
		}
	case <-ctx.Done():
		to.line("")
	}
	return errors.New("nothing was requested")
}
