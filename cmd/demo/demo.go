package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"reltio-token-rotator/cmd/internal/paragraph"
	"reltio-token-rotator/rotator"
)

// demo is the real function between fakes, and jobs that use its tokens or do
// without. One goroutine uses it.
type demo struct {
	*screen
	ctx      context.Context
	settings settings
	fixture  *fixture
	api      *api
	start    time.Time

	running sync.WaitGroup
	beats   chan beat
	calls   chan call
	draw    *time.Ticker

	// What has happened so far.
	heartbeats, failedBeats int
	refreshes               map[string]int // by connection
	last                    map[string]rotator.Result
	token                   publishedToken // of the connection default
	rows                    []*row
	// report is the last report of a job, and replaced says that the job then got
	// another token.
	report   *rotator.Result
	replaced bool
	trouble  error // the last one that a job had
	// wrong is what did not happen as it is told.
	wrong []string
}

// show shows it all and reports whether everything that it tells has happened.
// ready, where it is not nil, is called before the first heartbeat: tests break
// something there.
func show(ctx context.Context, s settings, to *screen, ready func(*fixture)) (well bool, err error) {
	introduce(to, s)
	heartbeats := newSchedule(func(note) {}) // the report says it too
	fixture, err := newFixture(ctx, s, heartbeats.output)
	defer fixture.close()
	if ctx.Err() != nil {
		return true, nil // ended by Ctrl-C before anything began
	}
	if err != nil {
		return false, err
	}
	if ready != nil {
		ready(fixture)
	}
	// The times of a token are whole seconds: the first one begins with one.
	_ = sleep(ctx, time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	running, end := context.WithCancel(ctx)
	d := &demo{
		screen: to, ctx: running, settings: s, fixture: fixture, api: newAPI(fixture), start: time.Now(),
		beats: make(chan beat), calls: make(chan call), draw: time.NewTicker(s.minute / 2),
		refreshes: map[string]int{}, last: map[string]rotator.Result{},
	}
	defer d.draw.Stop()
	heartbeats.fixture = fixture
	d.running.Go(func() { heartbeats.run(running, func(b beat) { d.beats <- b }) })
	d.acts()
	interrupted := ctx.Err() != nil
	end()
	d.drain()
	d.table()
	return d.verdict(interrupted), nil
}

// drain waits for the heartbeats under way: what the token endpoint has granted
// must be stored.
func (d *demo) drain() {
	over := make(chan struct{})
	go func() {
		d.running.Wait()
		close(over)
	}()
	for {
		select {
		case <-d.beats:
		case <-d.calls:
		case <-over:
			return
		}
	}
}

// await takes what happens until something is so, or too much time has passed, and
// reports whether it is so.
func (d *demo) await(minutes float64, so func() bool) bool {
	timeout := time.After(d.minutes(minutes))
	for !so() {
		select {
		case b := <-d.beats:
			d.addBeat(b)
		case c := <-d.calls:
			d.addCall(c)
		case <-d.draw.C:
			d.drawLive()
		case <-timeout:
			return so()
		case <-d.ctx.Done():
			return false
		}
	}
	return true
}

// wait lets minutes pass.
func (d *demo) wait(minutes float64) {
	until := time.Now().Add(d.minutes(minutes))
	d.await(minutes+1, func() bool { return !time.Now().Before(until) })
}

func (d *demo) addBeat(b beat) {
	d.heartbeats++
	if b.failed() {
		d.failedBeats++
	}
	for _, result := range b.report.Connections {
		d.last[result.Name] = result
		if result.Outcome == rotator.Refreshed {
			d.refreshes[result.Name]++
		}
	}
	if b.token != nil {
		d.token = *b.token
	}
}

func (d *demo) addCall(c call) {
	c.row.calls += c.calls
	c.row.refused += c.refused
	c.row.failed += c.failed
	if c.reported != nil {
		d.report, d.replaced = c.reported, c.replaced
	}
	if c.err != nil {
		d.trouble = c.err
	}
}

// work lets a job work once a minute, for so many minutes.
func (d *demo) work(r *row, minutes int, do worker) {
	d.running.Go(func() {
		ticker := time.NewTicker(d.settings.minute)
		defer ticker.Stop()
		for range minutes {
			c := call{row: r}
			ok := do(d.ctx, &c)
			if d.ctx.Err() != nil {
				return // cut short without blame
			}
			if !ok {
				c.failed = 1
			}
			d.calls <- c
			select {
			case <-ticker.C:
			case <-d.ctx.Done():
				return
			}
		}
	})
}

const always = math.MaxInt

// reportToken tells the function that a token is refused.
func (d *demo) reportToken(ctx context.Context, fingerprint string) *rotator.Result {
	event, _ := json.Marshal(map[string]any{"action": "refresh", "connections": []string{connection}, "dead_token": fingerprint}) // strings
	var report rotator.Report
	invoked, err := d.fixture.function.Invoke(ctx, event)
	if err != nil || json.Unmarshal(invoked.Payload, &report) != nil || len(report.Connections) != 1 {
		return &rotator.Result{Outcome: rotator.Failed, Message: invoked.ErrorMessage}
	}
	return &report.Connections[0]
}

// expect notes what did not happen as it is told, and reports whether it did.
func (d *demo) expect(so bool, format string, args ...any) bool {
	if !so && d.ctx.Err() == nil {
		d.wrong = append(d.wrong, fmt.Sprintf(format, args...))
	}
	return so
}

// verdict says whether everything happened as told.
func (d *demo) verdict(interrupted bool) bool {
	if d.trouble != nil && !errors.Is(d.trouble, context.Canceled) {
		d.wrong = append(d.wrong, "a job could not do its work: "+d.trouble.Error())
	}
	for _, wrong := range d.wrong {
		for _, line := range paragraph.Wrap("Not as told: "+wrong+".", cmp.Or(d.looks.width, 80), "") {
			d.line(d.paint(red, line))
		}
	}
	switch {
	case len(d.wrong) > 0:
		return false
	case interrupted:
		d.line("Ended early: not everything was shown.")
	default:
		d.line(d.paint(green, "All well: ") + "the first two jobs had an answer to each of their calls.")
	}
	return true
}
