//go:build race

package alarms_test

// The race detector makes a month take minutes and sees in days what it sees in
// a month; `make test` goes through the whole of it.
const month = 3 * day
