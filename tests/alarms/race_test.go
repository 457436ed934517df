//go:build race

package alarms_test

// With the race detector a month takes minutes, and three days find the same
// races. make test runs the whole month.
const month = 3 * day
