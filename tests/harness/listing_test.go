package harness_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// A direct listing returns what the store returns, in the same time, with the same
// calls and the same faults.
func TestDirectListing(t *testing.T) {
	for name, test := range map[string]func(h *harness.Harness){
		"no connection": func(*harness.Harness) {},
		"25 connections and other names": func(h *harness.Harness) {
			for i := range 25 {
				h.Seed(fmt.Sprintf("tenant-%d", i))
			}
			h.AWS.PutParameter("/"+harness.Prefix+"/tenant-1/other", "x")
			h.AWS.PutParameter("/"+harness.Prefix+"/tenant-1/config/deep", "x")
			h.AWS.PutParameter("/"+harness.Prefix+"-2/default/config", "x")
		},
		"an injected fault": func(h *harness.Harness) {
			h.Seed("default")
			h.AWS.Inject(fakeaws.Fault{Operation: "GetParametersByPath", Code: "AccessDeniedException"})
		},
		"a chosen fault": func(h *harness.Harness) {
			h.Seed("default")
			h.AWS.SetFaults(func(fakeaws.Call) (fakeaws.Fault, bool) { return fakeaws.Fault{Code: "AccessDeniedException"}, true })
		},
		"a chosen latency": func(h *harness.Harness) {
			h.Seed("default")
			h.AWS.SetFaults(func(fakeaws.Call) (fakeaws.Fault, bool) {
				return fakeaws.Fault{When: fakeaws.Slow, Latency: 2 * time.Second}, true
			})
		},
		"a listing that lags": func(h *harness.Harness) {
			h.Seed("default")
			time.Sleep(time.Minute)
			h.Seed("emea")
			h.AWS.SetFaults(func(fakeaws.Call) (fakeaws.Fault, bool) {
				return fakeaws.Fault{When: fakeaws.Slow, Lag: time.Second}, true
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got [2]string
			for i := range got {
				synctest.Test(t, func(t *testing.T) {
					h := harness.New(t, fakeaws.Options{Latency: 10 * time.Millisecond}, fakereltio.Options{TokenFormat: fakereltio.Counted})
					h.DirectListing = i == 1
					test(h)
					begun := time.Now()
					found, err := h.Process().Lister.List(t.Context())
					took := time.Since(begun)
					for _, p := range found {
						got[i] += fmt.Sprintln(p.Connection, p.Kind, p.Version, p.Value.Reveal())
					}
					got[i] += fmt.Sprint(len(found), err, took, h.AWS.Calls())
				})
			}
			if got[0] != got[1] {
				t.Errorf("the store:\n%s\ndirectly:\n%s", got[0], got[1])
			}
		})
	}
}
