//go:build race

package crash_test

// durations are those of which the race detector can learn something new: with
// it, the whole matrix takes many minutes. `make test` goes through all of it.
var durations = []lasting{once}
