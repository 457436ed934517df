package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// function answers one report after the other, the last again and again.
type function struct {
	reports []string
	asked   []string
}

func (f *function) run(_ context.Context, stdin []byte, _ ...string) ([]byte, error) {
	f.asked = append(f.asked, string(stdin))
	report := f.reports[min(len(f.asked), len(f.reports))-1]
	return []byte(`{"connections":[` + report + `]}` + "\n" + `{"StatusCode":200}`), nil
}

func TestRefresh(t *testing.T) {
	result := func(name, rest string) string { return fmt.Sprintf(`{"name":%q,"outcome":%s}`, name, rest) }
	for _, test := range []struct {
		name    string
		reports []string
		well    bool
		asked   int
		says    []string
	}{
		{"a new token", []string{result("default", `"refreshed","seconds_remaining":3598`)}, true, 1, []string{"a new token is published, it lives 59 min", "reltio-token-rotator/tokens/default/token"}},
		{"the same token", []string{result("default", `"unchanged","seconds_remaining":90`)}, true, 1, []string{"it lives 90 s"}},
		{"a failure", []string{result("default", `"failed","error":"client_rejected","message":"correct it","retry_at":"2026-11-23T11:00:00Z"`)}, false, 1, []string{"client_rejected", "correct it", "2026-11-23T11:00:00Z", "docs/runbook.md#client_rejected"}},
		{"nobody seeded", []string{result("emea", `"no_credentials"`)}, false, 1, []string{"make seed STACK=tokens CONNECTION=emea"}},
		{"switched off", []string{result("default", `"disabled"`)}, false, 1, []string{`"enabled": false`}},
		{"no connection", []string{``}, false, 1, []string{"make add-connection STACK=tokens"}},
		{
			"another run is at it",
			[]string{result("default", `"busy"`), result("default", `"refreshed"`)},
			true, 2,
			[]string{"asking again in 5 s", "a new token is published"},
		},
		{
			"another run is at one of two",
			[]string{result("a", `"refreshed"`) + "," + result("b", `"deferred"`), result("b", `"refreshed"`)},
			true, 2,
			[]string{"a: a new token", "b: another run", "b: a new token"},
		},
		{
			"one of two fails, the other is busy",
			[]string{result("a", `"failed","error":"throttled"`) + "," + result("b", `"busy"`), result("b", `"refreshed"`)},
			false, 2,
			[]string{"a: failed throttled", "b: a new token"},
		},
		{"another run is at it for ever", []string{result("default", `"busy"`)}, false, 16, []string{"another run is still at it"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, out := &function{reports: test.reports}, &bytes.Buffer{}
			o := &operator{stack: "tokens", cli: f, out: out, now: time.Now}
			err := o.refreshNow(t.Context(), "rotate")
			if (err == nil) != test.well || (err != nil && !errors.Is(err, errWrong)) {
				t.Errorf("%s: ends with %v", test.name, err)
			}
			if len(f.asked) != test.asked {
				t.Errorf("%s: asked %d times: %v", test.name, len(f.asked), f.asked)
			}
			says(t, test.name, out.String(), test.says...)
			for _, event := range f.asked {
				if !strings.Contains(event, `"action":"refresh"`) || !strings.Contains(event, `"force":true`) {
					t.Errorf("%s: asked %s", test.name, event)
				}
			}
		})
	}
}
