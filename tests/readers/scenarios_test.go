package readers_test

import (
	"strings"
	"time"
)

// scenarios are the lines of behaviour.json, each as what a reader goes through.
var scenarios = map[string]func(w *fixture){
	"at-use": func(w *fixture) {
		w.start("-")
		w.wantReads(0, 0)
		w.get("200")
		w.get("200")
		w.wantReads(1, 1)
	},
	"five-minutes": func(w *fixture) {
		w.stopClock()
		w.start("-")
		w.get("200")
		w.advance(290 * time.Second)
		w.get("200")
		w.wantReads(1, 1)
		w.advance(20 * time.Second)
		w.get("200")
		w.wantReads(1, 1)
	},
	"valid-until": func(w *fixture) {
		w.stopClock()
		w.start("-")
		w.publishFor("t1", time.Minute, time.Hour)
		w.get("200")
		w.advance(50 * time.Second)
		w.get("200")
		w.wantReads(1, 1)
		w.advance(15 * time.Second)
		w.get("200") // the secret holds nothing newer, and the token is good
		w.wantReads(1, 1)
		w.advance(5 * time.Second)
		w.get("200")
		w.wantReads(0, 0)
		w.publishFor("t2", time.Minute, time.Hour)
		w.wantSeen("t1", "t1", "t1", "t1")
		w.accept("t2")
		w.advance(10 * time.Second)
		w.get("200")
		w.wantSeen("t2")
		w.wantReads(1, 1)
		w.advance(40 * time.Second)
		w.get("200")
		w.wantReads(0, 0)
	},
	"read-fails": func(w *fixture) {
		w.stopClock()
		w.start("-")
		w.get("200")
		w.deny(true)
		w.wantReads(1, 1)
		w.advance(310 * time.Second)
		w.get("200")
		w.wantReads(1, 1)
		w.advance(5 * time.Second)
		w.get("200")
		w.wantReads(0, 0)
		w.advance(10 * time.Second)
		w.get("200")
		w.wantReads(1, 1)
		w.wantSeen("t1", "t1", "t1", "t1")
	},
	"expired": func(w *fixture) {
		w.stopClock()
		w.start("-")
		w.publishFor("t1", 0, time.Minute)
		w.get("200")
		w.advance(50 * time.Second)
		w.get("200")
		w.wantReads(1, 1)
		w.advance(15 * time.Second)
		w.get("200")
		w.get("200")
		w.wantReads(2, 2)
		w.wantSeen("t1", "t1", "t1", "t1")
		w.deny(true)
		w.get("error")
		w.wantSeen()
		w.deny(false)
		w.accept("t2")
		w.publish("t2")
		w.get("200")
		w.wantSeen("t2")
	},
	"on-401": func(w *fixture) {
		w.start("-")
		w.get("200")
		w.accept("t2")
		w.publish("t2")
		w.call("text", "/", "200")
		w.wantSeen("t1", "t1 body", "t2 body")
		w.wantReads(2, 2)
		w.get("200")
		w.wantReads(0, 0)
	},
	"five-seconds": func(w *fixture) {
		w.start("-")
		w.get("200")
		w.accept("t2")
		w.after(3500*time.Millisecond, func() { w.publish("t2") })
		w.get("200")
		w.wantReads(3, 14)
		w.accept("none")
		began := time.Now()
		w.get("401")
		if took := time.Since(began); took < 3900*time.Millisecond {
			w.t.Errorf("it gave up after %v", took)
		}
		w.wantReads(3, 14)
		w.wantSeen("t1", "t1", "t2", "t2")
	},
	"once": func(w *fixture) {
		w.start("-")
		w.get("200")
		w.accept("t3")
		w.publish("t2")
		w.get("401")
		w.wantSeen("t1", "t1", "t2")
	},
	"body": func(w *fixture) {
		w.start("-")
		w.get("200")
		w.accept("t2")
		w.publish("t2")
		w.call("once", "/", "401")
		w.wantSeen("t1", "t1 body")
		w.call("once", "/", "200")
		w.wantSeen("t2 body")
	},
	"refused": func(w *fixture) {
		w.start("-")
		w.get("200")
		w.accept("t2")
		w.get("401")
		w.wantSeen("t1", "t1")
		w.publish("t2")
		w.get("200")
		w.wantSeen("t2")
	},
	"only-401": func(w *fixture) {
		w.start("rotate")
		w.get("200")
		w.call("text", "/forbidden", "403")
		w.wantSeen("t1", "t1 body")
		w.wantReads(1, 1)
		w.wantReports(0)
	},
	"report": func(w *fixture) {
		w.start("rotate")
		w.get("200")
		w.accept("none")
		w.report(func() {
			w.accept("t2")
			w.after(time.Second, func() { w.publish("t2") })
		})
		w.call("text", "/", "200")
		w.wantSeen("t1", "t1 body", "t2 body")
		w.wantReports(1)
		want := `{"action":"refresh","connections":["default"],"dead_token":"` + fingerprintT1 + `"}`
		if got := strings.Join(w.reports, ""); strings.ReplaceAll(got, " ", "") != want {
			w.t.Errorf("reported %s, want %s", got, want)
		}
	},
	"report-fails": func(w *fixture) {
		w.start("-")
		w.get("200")
		w.accept("none")
		w.report(func() {})
		w.get("401")
		w.wantReports(0)
		w.start("rotate")
		w.get("200")
		w.accept("none")
		w.report(nil)
		w.get("401")
	},
	"report-known": func(w *fixture) {
		w.start("rotate")
		w.get("200")
		w.accept("none")
		w.report(func() {})
		w.deny(true)
		w.get("401")
		w.wantReports(0)
	},
	"once-a-minute": func(w *fixture) {
		w.start("rotate")
		w.get("200")
		w.accept("none")
		w.report(func() {})
		w.get("401")
		w.wantReports(1)
		w.wantReads(5, 25)
		w.advance(30 * time.Second)
		w.get("401")
		w.wantReports(1)
		w.wantReads(2, 2)
		w.advance(40 * time.Second)
		w.report(func() { w.accept("t2"); w.publish("t2") })
		w.get("200")
		w.wantReports(2)
	},
	"mute": func(w *fixture) {
		w.start("rotate")
		w.get("200")
		w.accept("none") // whatever the token
		w.report(func() { w.publish("t2") })
		w.get("401")
		w.wantReports(1)
		w.advance(10 * time.Minute)
		w.get("401")
		w.wantReports(1)
		w.advance(6 * time.Minute)
		w.report(func() { w.publish("t3") })
		w.get("401")
		w.wantReports(2)
		w.wantSeen("t1", "t1", "t2", "t2", "t2", "t3")
	},
	"other-host": func(w *fixture) {
		w.start("rotate")
		w.get("200")
		w.report(func() {})
		want := "401"
		if w.kind.keepsRedirects {
			want = "307"
		}
		w.call("text", "/away", want)
		w.wantReads(1, 1)
		w.wantReports(0)
		w.mu.Lock()
		defer w.mu.Unlock()
		if strings.Join(w.elsewhere, "") != "" || (len(w.elsewhere) == 0) != w.kind.keepsRedirects {
			w.t.Errorf("the other host got %q", w.elsewhere)
		}
	},
	"threads": func(w *fixture) {
		const n = 20
		w.start("rotate")
		w.calls("get", "/", "200", n)
		if w.kind.threads {
			w.wantReads(1, 1)
		}
		w.accept("t2")
		w.after(time.Second, func() { w.publish("t2") })
		w.calls("text", "/", "200", n)
		if w.kind.threads {
			w.wantReads(1, 12) // one where a busy machine was late
		}
		w.accept("none")
		w.report(func() { w.accept("t3"); w.publish("t3") })
		w.calls("get", "/", "200", n)
		if w.kind.threads {
			w.wantReports(1)
		}
	},
	"no-token": func(w *fixture) {
		for _, document := range []string{
			`{"client_id":"` + secretValue + `","refresh_token":"` + secretValue + `"}`, secretValue, `["` + secretValue + `"]`,
			`{"access_token":"","expires_at":"2100-01-01T00:00:00Z"}`, `{"access_token":"` + secretValue + `"}`,
			`{"access_token":"` + secretValue + `","expires_at":"` + secretValue + `"}`, "",
		} {
			w.start("-")
			w.put(document)
			w.get("error")
			w.wantSeen()
		}
	},
	"nothing-shown": func(w *fixture) {
		w.start("rotate")
		w.get("200")
		w.accept("none")
		w.get("401") // and its report is denied
		if err := w.job.show(); err != nil {
			w.t.Fatal(err)
		}
		w.deny(true)
		w.get("error") // the refused token does not serve
	},
}

// fingerprintT1 is the first 16 hex digits of SHA-256 of the token t1.
const fingerprintT1 = "70b19df69379c377"
