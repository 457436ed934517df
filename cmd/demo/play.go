package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// drawEvery is how often the live line is drawn.
const drawEvery = 100 * time.Millisecond

// play shows it and reports whether all went well. ready, where it is not nil, is
// called before the first heartbeat: tests break something there.
func play(ctx context.Context, s settings, to *screen, ready func(*fixture)) (well bool, err error) {
	recordLogin(to, s)
	notes := make(chan note, 100)
	beats := newSchedule(func(n note) {
		select {
		case notes <- n:
		default: // a flood of notes is not worth holding the function up
		}
	})
	to.live("  building the function; the first time takes a while …")
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
		both.Go(func() { workEvery(running, newJob(fixture), s.readEvery, worked) })
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
			if b.result.Error.ActionRequired() {
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

// announce says what is going to be seen.
func recordLogin(to *screen, s settings) {
	fact := func(name, text string) { to.line("  " + to.column(bold, name, 10) + text) }
	if s.real {
		to.line("The real function gets tokens for your client, on this machine, without AWS.")
		fact("function", "functions/rotate as deployed, in a fake for Lambda")
		fact("token", "from "+s.tokenHost()+" with the credentials of "+s.credentialsFile)
		fact("time", fmt.Sprintf("a heartbeat every %s, for %s or until Ctrl-C", brief(s.heartbeat), brief(s.runFor)))
		if s.saveTo == "" {
			to.line("If the server changes the refresh token, the file goes stale: with SAVE_TO=file")
			to.line("the new one is kept.")
		}
	} else {
		to.line("The real function keeps a token fresh, on this machine, without AWS or Reltio.")
		fact("function", "functions/rotate as deployed, in a fake for Lambda")
		fact("around it", "fakes for AWS and for Reltio's token endpoint, on loopback")
		fact("time", fmt.Sprintf("tokens live %s, a heartbeat every %s; for %s or until Ctrl-C", brief(s.lifetime), brief(s.heartbeat), brief(s.runFor)))
		fact("job", fmt.Sprintf("uses the token secret every %s", brief(s.readEvery)))
	}
	to.line("")
}
