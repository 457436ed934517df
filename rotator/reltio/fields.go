package reltio

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// isPresent reports whether a field has a value: neither absent nor null nor "".
func isPresent(raw json.RawMessage) bool {
	return len(raw) > 0 && string(raw) != "null" && string(raw) != `""`
}

// jsonString returns a field that is a JSON string.
func jsonString(raw json.RawMessage) (value string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	err := json.Unmarshal(raw, &value)
	return value, err == nil
}

// visibleString returns a field that may be a token. Its value is a string of one or
// more of the characters that RFC 6749 appendix A.12 and A.17 allow.
func visibleString(raw json.RawMessage) (value string, ok bool) {
	value, ok = jsonString(raw)
	if !ok || value == "" {
		return "", false
	}
	for i := range len(value) {
		if value[i] < 0x20 || value[i] > 0x7E {
			return "", false
		}
	}
	return value, true
}

// bearer returns the token type as the server wrote it, or "bearer" if there is none. ok
// is false for any other type, because jobs could not use such a token.
func bearer(raw json.RawMessage) (tokenType string, ok bool) {
	if !isPresent(raw) {
		return "bearer", true
	}
	tokenType, ok = jsonString(raw)
	return tokenType, ok && strings.EqualFold(tokenType, "bearer")
}

// scope returns the scopes separated by spaces, or "" if they cannot be read. They are
// published for readers. Nothing else depends on them.
func scope(raw json.RawMessage) string {
	if value, ok := jsonString(raw); ok {
		return value
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return ""
	}
	return strings.Join(list, " ")
}

// expiresIn returns the lifetime in whole seconds, rounded down. It is 0 if the field is
// absent, not a number, or negative. Servers write large numbers such as 2147483647 or
// 9223372036854775 for "never".
func expiresIn(raw json.RawMessage) time.Duration {
	var number json.Number // accepts 3599 and "3599"
	if json.Unmarshal(raw, &number) != nil {
		return 0
	}
	seconds, err := strconv.ParseFloat(number.String(), 64)
	if err != nil && !math.IsInf(seconds, 1) {
		return 0
	}
	return wholeSeconds(math.Floor(seconds))
}

// wholeSeconds returns a duration of that many seconds, and 0 for a negative number. The
// result is at most 136 years, because a few centuries would overflow.
func wholeSeconds(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 0), 1<<32)) * time.Second
}
