package reltio

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// retryAfter returns how long a Retry-After header asks to wait from now, in whole
// seconds and rounded up. It returns 0 for a time in the past. ok is false if the header
// is absent or is neither a number of seconds nor a date (RFC 9110 section 10.2.3). The
// caller limits the time.
func retryAfter(value string, now time.Time) (wait time.Duration, ok bool) {
	value = strings.TrimSpace(value) // time.Parse accepts several blanks between the parts
	if value != "" && strings.Trim(value, "0123456789.") == "" {
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil && !math.IsInf(seconds, 1) {
			return 0, false // such as "1.2.3"
		}
		return wholeSeconds(math.Ceil(seconds)), true
	}
	at, ok := date(value)
	if !ok {
		return 0, false
	}
	return wholeSeconds(math.Ceil(at.Sub(now).Seconds())), true
}

// date reads a date in the forms that servers use: the three of RFC 9110 section 5.6.7
// in upper or lower case, that of a cookie, the zone UTC or an offset, and RFC 3339.
func date(value string) (time.Time, bool) {
	value = strings.ToUpper(value)
	if rest, ok := strings.CutSuffix(value, " UTC"); ok {
		value = rest + " GMT"
	}
	for _, layout := range []string{
		"Mon, 2 Jan 2006 15:04:05 GMT",
		"Mon, 2 Jan 2006 15:04:05 -0700",
		"Monday, 2-Jan-06 15:04:05 GMT",
		"Mon, 2-Jan-2006 15:04:05 GMT",
		"Mon Jan 2 15:04:05 2006",
		time.RFC3339,
	} {
		if at, err := time.Parse(layout, value); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
