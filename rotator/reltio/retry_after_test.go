package reltio

import (
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const longestWait = 1 << 32 * time.Second

func TestRetryAfter(t *testing.T) {
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"0", 0},
		{"1", time.Second},
		{" 120\t", 2 * time.Minute},
		{"007", 7 * time.Second},
		{"3600", time.Hour},
		{"3601", 3601 * time.Second},
		{"86400", 24 * time.Hour},
		{"99999999999999999999999", longestWait},
		{"12.5", 13 * time.Second}, // never early
		{"12.0", 12 * time.Second},
		{".5", time.Second},
		{"0.000", 0},
		{"Mon, 23 Nov 2026 12:00:30 GMT", 30 * time.Second},
		{"Monday, 23-Nov-26 12:00:30 GMT", 30 * time.Second}, // RFC 850, obsolete
		{"Mon Nov 23 12:00:30 2026", 30 * time.Second},       // asctime, obsolete
		{"Mon, 23 Nov 2026 12:00:00 GMT", 0},
		{"Mon, 23 Nov 2026 11:00:00 GMT", 0},
		{"Mon, 23 Nov 2026 13:00:00 GMT", time.Hour},
		{"Tue, 24 Nov 2026 12:00:00 GMT", 24 * time.Hour},
		{"Fri, 31 Dec 9999 23:59:59 GMT", longestWait},
		{"mon, 23 nov 2026 12:00:30 gmt", 30 * time.Second},
		{"MON, 23 NOV 2026 12:00:30 GMT", 30 * time.Second},
		{"  Mon,  23 Nov 2026   12:00:30 GMT ", 30 * time.Second},
		{"Mon, 23 Nov 2026 12:00:30 UTC", 30 * time.Second},
		{"Mon, 23 Nov 2026 13:00:30 +0100", 30 * time.Second},
		{"Mon, 23-Nov-2026 12:00:30 GMT", 30 * time.Second},
		{"Tue, 1 Dec 2026 12:00:00 GMT", 8 * 24 * time.Hour},
		{"2026-11-23T12:00:30Z", 30 * time.Second},
		{"2026-11-23T13:00:30+01:00", 30 * time.Second},
		{"Mon, 01 Jan 0001 00:00:00 GMT", 0},
	}
	for _, test := range tests {
		if got, ok := retryAfter(test.value, noon); got != test.want || !ok {
			t.Errorf("Retry-After: %s: got %v, %t, want %v", test.value, got, ok, test.want)
		}
	}
	for _, value := range []string{
		"", " ", "-5", "+5", "5s", "1_0", "0x10", "1e3", "1.2.3", ".", "99999999999999999999999x", "5, 7", "Infinity", "NaN", "soon",
		"Mon, 23 Nov 2026 12:00:30", "Mon, 23 Nov 2026 12:00:30 CET", "Mon, 99 Nov 2026 12:00:30 GMT", "2026-11-23",
	} {
		if got, ok := retryAfter(value, noon); got != 0 || ok {
			t.Errorf("Retry-After: %s: got %v, %t, want none", value, got, ok)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "7", "12.5", "3600", "99999999999999999999999", "-1", "1e3", " 5 ", "mon, 1 nov 2026 12:00:30 utc", "2026-11-23T12:00:30.5Z",
		"Mon, 23 Nov 2026 12:00:30 GMT", "Monday, 23-Nov-26 12:00:30 GMT", "Mon Nov 23 12:00:30 2026",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := retryAfter(value, noon)
		if got < 0 || got > longestWait || got%time.Second != 0 || got > 0 && !ok {
			t.Errorf("%q: got %v, %t, want whole seconds", value, got, ok)
		}
		if got > 0 && !strings.ContainsAny(value, "0123456789") {
			t.Errorf("%q: got %v out of nothing", value, got)
		}
		// A later look at the same header never asks for a longer wait.
		if later, _ := retryAfter(value, noon.Add(10*time.Second)); later > got || later < got-10*time.Second {
			t.Errorf("%q: got %v, and ten seconds later %v", value, got, later)
		}
	})
}
