package reltio

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter is the longest wait that a server is believed to want. Longer
// ones are mistakes more often than meant, and an hour is how often a dead
// connection is looked at anyway.
const maxRetryAfter = time.Hour

// retryAfter returns how long from now a Retry-After header asks to wait, at
// most maxRetryAfter. Seconds and HTTP dates are understood (RFC 9110 section
// 10.2.3); anything else, and what has passed already, is zero.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.Trim(value, " \t")
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseUint(value, 10, 32)
		if err != nil { // more than fits
			return maxRetryAfter
		}
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}
