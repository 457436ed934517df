package faults_test

import (
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

// A goroutine that is left after the handler is frozen with the process and resumes
// in the next invocation, where it would publish an old token. So the test checks
// that the invocation after a fault does only what an idle heartbeat does.
func TestNoGoroutineOutlivesTheHandler(t *testing.T) {
	putSecret := func(name string, f fakeaws.Fault) func(*deployment) {
		f.Operation, f.Name = "PutSecretValue", name
		return func(d *deployment) { d.AWS.Inject(f) }
	}
	for _, c := range []struct {
		name  string
		fault func(*deployment)
	}{
		{"no fault", func(*deployment) {}},
		{"the token's answer is lost", putSecret("/token", fakeaws.Fault{When: fakeaws.After})},
		{"the token's answer is slow", putSecret("/token", fakeaws.Fault{When: fakeaws.Slow, Latency: 7 * time.Second})},
		{"the save is refused", putSecret("/credentials", fakeaws.Fault{Times: -1, Code: "AccessDeniedException"})},
		{"the save hangs", putSecret("/credentials", fakeaws.Fault{Times: -1, Hang: true})},
		{"the check of the save is slow", func(d *deployment) {
			d.AWS.Inject(fakeaws.Fault{Operation: "DescribeSecret", When: fakeaws.Slow, Latency: 4 * time.Second})
		}},
		{"the token endpoint is down at first", func(d *deployment) { d.Reltio.Script(fakereltio.StatusRetryAfter(503, "0")) }},
		{"the token endpoint is slow", func(d *deployment) { d.Reltio.Script(fakereltio.SlowAnswer(2 * time.Second)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, provider{options: fakereltio.Options{RotateRefreshToken: true}}, false)
			c.fault(d)
			d.beat(`{}`)
			before := len(d.noticed())
			d.AWS.ClearFaults()
			if !d.Alive(connection) {
				t.Fatal("no live token is published")
			}
			time.Sleep(200 * time.Millisecond) // frozen: what it had sent before would arrive now
			if late := d.noticed()[before:]; len(late) > 0 {
				t.Errorf("after the handler had returned: %v", late)
			}
			// A goroutine that was left behind gets time to continue.
			d.AWS.Inject(fakeaws.Fault{Operation: "GetParametersByPath", Times: -1, When: fakeaws.Slow, Latency: 1200 * time.Millisecond})
			for range 2 { // the first one may save a pending refresh token
				before = len(d.noticed())
				got, _ := d.beat(`{}`)
				switch calls := d.noticed()[before:]; {
				case got.Outcome == rotator.Restored:
				case got.Outcome == rotator.Deferred && got.Reason == rotator.ReasonPending: // its save failed less than 15 s ago
				case got.Outcome != rotator.NotDue || len(calls) != 1:
					t.Errorf("the next heartbeat: %+v, %v", got, calls)
				}
			}
			if started, _ := d.Processes(); started != 1 {
				t.Errorf("%d processes: none was resumed", started)
			}
		})
	}
}

func (d *deployment) noticed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.calls...)
}
