package reltio

import (
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestRetryAfter(t *testing.T) {
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"", 0},
		{"0", 0},
		{"1", time.Second},
		{" 120\t", 2 * time.Minute},
		{"007", 7 * time.Second},
		{"3600", time.Hour},
		{"3601", time.Hour},
		{"86400", time.Hour},
		{"99999999999999999999999", time.Hour},
		{"Mon, 23 Nov 2026 12:00:30 GMT", 30 * time.Second},
		{"Monday, 23-Nov-26 12:00:30 GMT", 30 * time.Second}, // RFC 850, obsolete
		{"Mon Nov 23 12:00:30 2026", 30 * time.Second},       // asctime, obsolete
		{"Mon, 23 Nov 2026 12:00:00 GMT", 0},
		{"Mon, 23 Nov 2026 11:00:00 GMT", 0},
		{"Mon, 23 Nov 2026 13:00:00 GMT", time.Hour},
		{"Tue, 24 Nov 2026 12:00:00 GMT", time.Hour},
		{"Fri, 31 Dec 9999 23:59:59 GMT", time.Hour},
		{"Mon, 01 Jan 0001 00:00:00 GMT", 0},
		{"-5", 0},
		{"+5", 0},
		{"1.5", 0},
		{"5s", 0},
		{"1_0", 0},
		{"0x10", 0},
		{"99999999999999999999999x", 0},
		{"5, 7", 0},
		{"Infinity", 0},
		{"soon", 0},
		{"2026-11-23T12:00:30Z", 0},
	}
	for _, test := range tests {
		if got := retryAfter(test.value, noon); got != test.want {
			t.Errorf("Retry-After: %s: got %v, want %v", test.value, got, test.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "7", "3600", "99999999999999999999999", "-1", "1e3", " 5 ",
		"Mon, 23 Nov 2026 12:00:30 GMT", "Monday, 23-Nov-26 12:00:30 GMT", "Mon Nov 23 12:00:30 2026",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := retryAfter(value, noon)
		if got < 0 || got > time.Hour || got%time.Second != 0 {
			t.Errorf("%q: got %v, want whole seconds of 0 to 1 h", value, got)
		}
		if got > 0 && !strings.ContainsAny(value, "0123456789") {
			t.Errorf("%q: got %v out of nothing", value, got)
		}
		// A later look at the same header never asks for a longer wait.
		if later := retryAfter(value, noon.Add(10*time.Second)); later > got || later < got-10*time.Second {
			t.Errorf("%q: got %v, and ten seconds later %v", value, got, later)
		}
	})
}
