//go:build race

package crash_test

// With the race detector the whole matrix takes many minutes, and it sees in a
// sample what it sees in all of it. `make test` goes through the whole.
const oneIn = 8

var durations = []lasting{once}
